/** The foot of a node: how it stands, what it made, what went wrong. */

import { type ReactElement, useState } from "react";

import { useDuration } from "../panels/duration";
import { useReasons, useSkip } from "../panels/reasons";
import { useSay } from "../i18n";
import type { NodeSpec } from "../model/catalogue";
import { isPast, type Outcome, pictureOf } from "../model/outcome";
import type { NodeRun } from "../model/runs";
import { Icon, type IconName } from "../widgets/icons";
import { ValuePicture } from "../widgets/ValuePicture";
import type { GraphNode } from "./flow";
import { useNodeFile, useNodePlan, useNodeRun, useOutcome, useStopping } from "./hooks";

interface NodeOutcomeProps {
  readonly id: string;
  readonly title: string;
  readonly data: GraphNode["data"];
}

export function NodeOutcome({ id, title, data }: NodeOutcomeProps): ReactElement | null {
  const say = useSay();
  const run = useNodeRun(id);
  const plan = useNodePlan(id);
  const outcome = useOutcome(id);
  const { node, spec, layout } = data;
  const digest = pictureOf(node, spec, run?.digests) ?? pictureOf(node, spec, plan?.digests);
  const file = useNodeFile(id);
  const forming = run?.preview && (run.status === "running" || !(digest || file)) ? run.preview : null;
  if (!outcome && !digest && !file) return null;
  const past = !forming && (isPast(outcome) || (!digest && outcome !== null && AT_WORK.has(outcome.kind)));
  return (
    <div className={isPast(outcome) ? "outcome outcome-past" : "outcome"}>
      {outcome && <StateLine outcome={outcome} run={run} spec={spec} />}
      {layout.rows.length > 0 && (forming || digest || file) && (
        <div className={past ? "node-shown node-shown-past" : "node-shown"}>
          {forming ? (
            <img className="node-picture" src={forming} alt={say("forming")} draggable={false} />
          ) : digest ? (
            <ValuePicture digest={digest} label={title} />
          ) : (
            <img className="node-picture" src={file} alt={say("pictureOf", { label: title })} draggable={false} />
          )}
          {past && <PastBadge outcome={outcome} spec={spec} />}
        </div>
      )}
      {run?.status === "failed" && <Failure message={run.message ?? ""} />}
    </div>
  );
}

const SIGNS: Readonly<Record<Outcome["kind"], IconName>> = {
  queued: "clock",
  running: "play",
  waiting: "hourglass",
  done: "check",
  cached: "kept",
  kept: "kept",
  failed: "close",
  skipped: "skip",
  stale: "stale",
  changed: "stale",
  perhaps: "perhaps",
  pinned: "pin",
  loose: "skip",
};

const AT_WORK: ReadonlySet<Outcome["kind"]> = new Set(["queued", "running", "waiting"]);

/** Says in a corner of a picture that it is of before, and what has changed since. */
function PastBadge({
  outcome,
  spec,
}: Pick<StateLineProps, "spec"> & { readonly outcome: Outcome | null }): ReactElement {
  const say = useSay();
  const [reason] = useReasons(isPast(outcome) ? outcome!.because : [], spec);
  return (
    <p className="past-badge">
      <Icon name="stale" />
      <span>{reason ? say("outOfDateSince", { reason }) : say("outOfDate")}</span>
    </p>
  );
}

interface StateLineProps {
  readonly outcome: Outcome;
  readonly run: NodeRun | undefined;
  readonly spec: NodeSpec | undefined;
}

function StateLine({ outcome, run, spec }: StateLineProps): ReactElement {
  const say = useSay();
  const durationOf = useDuration();
  const reasons = useReasons(outcome.because, spec);
  const skipOf = useSkip();
  const { kind } = outcome;
  const share = run?.total ? (run.done ?? 0) / run.total : null;
  const skipped = run?.because ? skipOf(run.because) : "";
  const stopping = useStopping() && kind === "running";
  const why = whyOf(kind, reasons, skipped, say);
  const seconds = kind === "done" && run?.seconds !== undefined ? durationOf(run.seconds) : "";
  return (
    <p
      className={`outcome-line outcome-${kind}`}
      title={[...reasons, skipped, kind === "loose" ? say("looseHow") : ""].filter(Boolean).join("\n")}
    >
      <Icon name={SIGNS[kind]} />
      <span className="outcome-word">{say(stopping ? "stopping" : `state_${kind}`)}</span>
      {kind === "running" && (
        <>
          <progress max={1} aria-label={say("state_running")} {...(share === null ? {} : { value: share })} />
          <span className="outcome-step">{run?.stage || (run?.total ? `${run.done ?? 0}/${run.total}` : "")}</span>
        </>
      )}
      {(why || seconds) && <span className="outcome-why">{why || seconds}</span>}
    </p>
  );
}

/** Say in a few words why a node stands so. */
function whyOf(
  kind: Outcome["kind"],
  reasons: readonly string[],
  skipped: string,
  say: ReturnType<typeof useSay>,
): string | undefined {
  if (kind === "skipped") return skipped;
  if (kind === "loose") return say("looseWhy");
  return kind === "stale" || kind === "perhaps" ? reasons[0] : "";
}

/** Of a long message the beginning; the panel at the side has the traceback too. */
const SHORT = 160;

function Failure({ message }: { readonly message: string }): ReactElement {
  const say = useSay();
  const [whole, setWhole] = useState(false);
  const isLong = message.length > SHORT;
  return (
    <div className="node-message nowheel nodrag">
      <p>{whole || !isLong ? message : `${message.slice(0, SHORT).trimEnd()}…`}</p>
      {isLong && (
        <button type="button" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {say(whole ? "showLess" : "showAll")}
        </button>
      )}
    </div>
  );
}
