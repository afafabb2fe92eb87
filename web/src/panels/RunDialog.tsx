/** A run that failed or was cancelled: how far it came and why it ended, with what it was to be made with. */

import type { ReactElement } from "react";

import type { Run } from "../api/client";
import { useSay } from "../i18n";
import type { Json, Names } from "../model/document";
import { Dialog } from "../widgets/Dialog";
import { useDuration } from "./duration";
import { Recipe } from "./Recipe";

/** Say in a word how a run ended, and in a sentence why. */
export function useEnding(run: Run): { readonly word: string; readonly why: string } {
  const say = useSay();
  const [first] = reasonsOf(run);
  const count = run.ran + run.cached;
  if (run.status === "failed") return { word: say("run_failed"), why: first ? lineOf(first) : "" };
  const why = run.started === null ? say("neverBegan") : say("cancelledAfter", { count });
  return { word: say(`run_${run.status}`), why };
}

interface Why {
  readonly place: string;
  readonly message: string;
}

function reasonsOf({ failures, problems }: Run): readonly Why[] {
  return [...failures.map(({ node, message }) => ({ place: node, message })), ...problems];
}

const lineOf = ({ place, message }: Why): string => (place ? `${place}: ${message}` : message);

export function RunDialog({ run, onClose }: { readonly run: Run; onClose(): void }): ReactElement {
  const say = useSay();
  const durationOf = useDuration();
  const { word, why } = useEnding(run);
  const title = run.name || run.identity;
  const reasons = reasonsOf(run);
  const made = { run: run.id, given: run.parameters as Names<Json>, title, identity: run.identity };
  return (
    <Dialog title={`${title} #${run.number}`} className="run-dialog" onClose={onClose}>
      <div className="piece-about">
        <p className="piece-when">
          {[word, run.ended && new Date(run.ended * 1000).toLocaleString(), run.seconds && durationOf(run.seconds)]
            .filter(Boolean)
            .join(" · ")}
        </p>
        {run.status === "cancelled" && <p>{why}</p>}
        {reasons.map(({ place, message }) => (
          <p key={place + message} className="details-problem">
            {place && <strong>{place}</strong>} {message}
          </p>
        ))}
        {run.status === "failed" && !reasons.length && <p>{say("noReason")}</p>}
        <Recipe made={made} onClose={onClose} />
      </div>
    </Dialog>
  );
}
