/** What is shown instead of a workflow that cannot be: why, and the ways out. Nothing is written over. */

import type { ReactElement, ReactNode } from "react";

import { wordsOf } from "../api/socket";
import { useSay } from "../i18n";
import { FORMAT, wantedAt } from "../model/reading";
import { exportWorkflow, library, removeWorkflow } from "../session/library";
import { Unreadable } from "../session/workspace";

interface BrokenProps {
  readonly name: string;
  readonly error: unknown;
  readonly children?: ReactNode;
}

export function Broken({ name, error, children }: BrokenProps): ReactElement {
  const say = useSay();
  const isWhole = error instanceof Unreadable && error.reading.reason !== "noJson"; // else it cannot even be read
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
        {isWhole && (
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
    </section>
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
