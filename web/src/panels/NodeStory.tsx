/** What became of the selected node: how it stands, why it would run, what it said, and where it failed. */

import type { ReactElement } from "react";

import { useNodePlan, useNodeRun, useOutcome } from "../canvas/hooks";
import { useSay } from "../i18n";
import type { NodeSpec } from "../model/catalogue";
import { useDuration } from "./duration";
import { useChange, useReasons, useSkip } from "./reasons";

interface NodeStoryProps {
  readonly name: string;
  readonly spec: NodeSpec | undefined;
}

export function NodeStory({ name, spec }: NodeStoryProps): ReactElement | null {
  const say = useSay();
  const run = useNodeRun(name);
  const plan = useNodePlan(name);
  const durationOf = useDuration();
  const outcome = useOutcome(name);
  const reasons = useReasons(outcome?.because ?? [], spec);
  const changeOf = useChange();
  const skipOf = useSkip();
  if (!outcome) return null;
  return (
    <section className="story" aria-label={say("story")}>
      <h3>
        {say(`state_${outcome.kind}`)}
        {plan?.seconds != null && outcome.kind === "stale" && (
          <small> {say("about", { time: durationOf(plan.seconds) })}</small>
        )}
        {run?.seconds !== undefined && outcome.kind === "done" && <small> {durationOf(run.seconds)}</small>}
      </h3>
      {reasons.length > 0 && (
        <ul>
          {reasons.map((words, index) => (
            <li key={words}>{[words, changeOf(outcome.because[index]!)].filter(Boolean).join(": ")}</li>
          ))}
        </ul>
      )}
      {outcome.kind === "loose" && <p>{say("looseHow")}</p>}
      {run?.status === "skipped" && run.because && <p>{skipOf(run.because)}</p>}
      {run?.logs?.map(({ level, message }) => (
        <p key={message} className={`story-log story-${level}`}>
          {message}
        </p>
      ))}
      {Object.entries(run?.summaries ?? {}).map(([output, summary]) => (
        <p key={output} className="story-summary">
          <code>{output}</code> {summary}
        </p>
      ))}
      {run?.status === "failed" && (
        <div className="details-problem">
          {run.errorType && <strong>{run.errorType}</strong>} <span>{run.message}</span>
          {run.traceback && (
            <details>
              <summary>{say("traceback")}</summary>
              <pre tabIndex={0}>{run.traceback}</pre>
            </details>
          )}
        </div>
      )}
    </section>
  );
}
