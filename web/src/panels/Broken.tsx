/** What is shown instead of a workflow that cannot be: why, and the ways out. Nothing is written over. */

import { type ReactElement, type ReactNode, useState } from "react";

import { readFile } from "../api/client";
import { wordsOf } from "../api/socket";
import { useSay } from "../i18n";
import { FORMAT, wantedAt } from "../model/reading";
import { exportWorkflow } from "../session/exchange";
import { library, removeWorkflow } from "../session/library";
import { Unreadable } from "../session/workspace";

interface BrokenProps {
  readonly name: string;
  readonly error: unknown;
  readonly children?: ReactNode;
}

export function Broken({ name, error, children }: BrokenProps): ReactElement {
  const say = useSay();
  const isThere = error instanceof Unreadable; // else there is no file to do anything with
  const remove = async () => {
    if (await removeWorkflow(name)) location.hash = "#/";
  };
  return (
    <section className="broken" role="alert">
      <h1>{say("unreadable", { name })}</h1>
      <p>{reason(say, error)}</p>
      <p className="broken-calm">{say("leftAsItIs")}</p>
      <div className="broken-ways">
        <a className="button" href="#/">
          {say("allWorkflows")}
        </a>
        {isThere && (
          <>
            <button type="button" onClick={() => library.setState({ asked: { kind: "history", name } })}>
              {say("earlierVersions")}
            </button>
            <button type="button" onClick={() => void exportWorkflow(name)}>
              {say("exportFile")}
            </button>
            <button type="button" onClick={() => void remove()}>
              {say("deleteWorkflow")}
            </button>
          </>
        )}
        {children}
      </div>
      {isThere && <FileText key={name} name={name} />}
    </section>
  );
}

/** The file as it lies there, to be looked through; of what is no JSON, where it goes wrong. */
function FileText({ name }: { readonly name: string }): ReactElement {
  const say = useSay();
  const [text, setText] = useState<string | null>(null);
  const [trouble, setTrouble] = useState("");
  const read = async () => {
    try {
      const file = await readFile(name);
      setText(file.text);
      JSON.parse(file.text);
    } catch (error) {
      setTrouble(wordsOf(error));
    }
  };
  return (
    <details className="broken-file" onToggle={({ currentTarget }) => currentTarget.open && void read()}>
      <summary>{say("showText")}</summary>
      {trouble && <p className="form-trouble">{trouble}</p>}
      {text !== null && (
        <pre tabIndex={0} aria-label={say("showText")}>
          {text}
        </pre>
      )}
    </details>
  );
}

function reason(say: ReturnType<typeof useSay>, error: unknown): string {
  if (!(error instanceof Unreadable)) return say("unreadable_other", { why: wordsOf(error) });
  const { reading } = error;
  switch (reading.reason) {
    case "tooNew":
      return say("unreadable_tooNew", { format: reading.format, known: FORMAT });
    case "noWorkflow":
      return say("unreadable_noWorkflow", { place: reading.place, wanted: say(`wanted_${wantedAt(reading.place)}`) });
    case "noJson":
      return say("unreadable_noJson");
  }
}
