/** What a card says of itself, out of how it stands in the latest run and in the plan of the next. */

import { type DocNode, type Names } from "./document";
import { type NodeSpec, outputsOf } from "./catalogue";
import type { CardPlan, Reason } from "./cards";
import type { NodeRun, NodeStatus } from "./runs";

export type OutcomeKind = NodeStatus | "stale" | "changed" | "perhaps" | "kept" | "pinned" | "loose";

export interface Outcome {
  readonly kind: OutcomeKind;
  /** Why it would run again, the weightiest first. */
  readonly because: readonly Reason[];
}

/** Reasons that hold after each run, and are no news. */
const ALWAYS = new Set(["too_cheap", "every_time"]);
const ACTIVE: ReadonlySet<NodeStatus> = new Set(["queued", "running", "waiting", "failed", "skipped"]);

/**
 * Return what a card says; null where there is nothing to say. `changed` tells whether its recipe is another than the
 * one that ran: it counts where no plan says more. `loose` tells that a run leaves it out, since no output takes it.
 */
export function outcomeOf(
  run: NodeRun | undefined,
  plan: CardPlan | undefined,
  open: boolean,
  changed: boolean,
  loose = false,
): Outcome | null {
  const because = plan?.because ?? [];
  const standing = because.filter(({ kind }) => ALWAYS.has(kind)); // the others are of before it ran
  if (run && (open || ACTIVE.has(run.status))) return { kind: run.status, because: standing };
  const due = plan?.state === "run" || plan?.state === "may run";
  const news = because.some(({ kind }) => !ALWAYS.has(kind));
  if (due && (news || !run)) return { kind: plan.state === "run" ? "stale" : "perhaps", because };
  if (plan?.state === "pinned") return { kind: "pinned", because };
  if (run) return { kind: changed && !plan ? "changed" : run.status, because: standing };
  if (loose) return { kind: "loose", because };
  const isKept = plan?.state === "cached" || Object.keys(plan?.digests ?? {}).length > 0;
  return isKept ? { kind: "kept", because } : null;
}

/** Tell whether what a card shows is of a former recipe. */
export function isPast(outcome: Outcome | null): boolean {
  return outcome?.kind === "stale" || outcome?.kind === "changed" || outcome?.kind === "perhaps";
}

const DRAWN = /^(?:list\[)*(image|mask)\??\]*\??$/;

/** Return the digest of the first picture among what a node gave. */
export function pictureOf(
  node: DocNode,
  spec: NodeSpec | undefined,
  digests: Names<string> | undefined,
): string | null {
  const drawn = outputsOf(node, spec).find(({ name, type }) => digests?.[name] && DRAWN.test(type));
  return drawn ? digests![drawn.name]! : null;
}
