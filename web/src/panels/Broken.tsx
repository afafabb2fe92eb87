/** What is shown instead of a workflow that cannot be: why, and the ways out. Nothing is written over. */

import type { ReactElement, ReactNode } from "react";

import { wordsOf } from "../api/socket";
import { useSay } from "../i18n";
import { FORMAT } from "../model/reading";
import { Unreadable } from "../session/workspace";

interface BrokenProps {
  readonly name: string;
  readonly error: unknown;
  readonly children?: ReactNode;
}

export function Broken({ name, error, children }: BrokenProps): ReactElement {
  const say = useSay();
  return (
    <section className="broken" role="alert">
      <h1>{say("unreadable", { name })}</h1>
      <p>{reason(say, error)}</p>
      <p className="broken-calm">{say("leftAsItIs")}</p>
      <div className="broken-ways">
        <a className="button" href="#/">
          {say("allWorkflows")}
        </a>
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
      return say("unreadable_noWorkflow", { place: reading.place });
    case "noJson":
      return say("unreadable_noJson");
  }
}
