/**
 * Which card of the shown graph tells of a node of a run.
 *
 * In a run subgraphs are written out and zones repeat: its nodes are `large/detailed`, `each/3/inv`, `blur/mask:to_image`,
 * in a sweep `solid@2`. In: the states or plans by those names. Out: one for each card. A card of the workflow stands for
 * all that lies in it; a card inside a subgraph for all of its uses, items and turns.
 */

import { type DocNode, type Document, type Names, type Scope, splitReference, subgraphName } from "./document";
import { isOpen, type NodeRun, type NodeStatus, type RunState } from "./runs";

/** A card, and the way to the node within it: empty where the card itself is meant. */
export interface Place {
  readonly card: string;
  readonly within: string;
}

const COUNT = /^\d+$/;
const VARIATION = /@\d+$/;

/** Return the card that a node of a run belongs to; null where it is not in the shown graph. */
export function placeOf(document: Document, scope: Scope, name: string): Place | null {
  const way = name.split("/").map((part) => part.replace(VARIATION, ""));
  let at = 0;
  let nodes = document.nodes;
  if (scope !== null) {
    for (;;) {
      const node = nodes[way[at] ?? ""];
      const subgraph = node && subgraphName(node.type);
      if (!subgraph) return null;
      at += 1;
      if ((node.map || node.loop) && COUNT.test(way[at] ?? "")) at += 1;
      nodes = document.subgraphs?.[subgraph]?.nodes ?? {};
      if (subgraph === scope) break;
    }
  }
  const card = way[at];
  return card === undefined || !nodes[card] ? null : { card, within: way.slice(at + 1).join("/") };
}

type Member<T> = readonly [within: string, state: T];

/** States by card, and what they were made of: what has not changed since is the same object again. */
export interface Cards<T, R> {
  readonly states: Names<R>;
  readonly members: ReadonlyMap<string, readonly Member<T>[]>;
}

export const NO_CARDS: Cards<never, never> = { states: {}, members: new Map() };

function gather<T, R>(
  document: Document,
  scope: Scope,
  entries: Iterable<readonly [string, T]>,
  combine: (card: string, members: readonly Member<T>[]) => R,
  before: Cards<T, R>,
): Cards<T, R> {
  const members = new Map<string, Member<T>[]>();
  for (const [name, state] of entries) {
    const place = placeOf(document, scope, name);
    if (!place) continue;
    const list = members.get(place.card);
    if (list) list.push([place.within, state]);
    else members.set(place.card, [[place.within, state]]);
  }
  const states: Record<string, R> = {};
  for (const [card, list] of members) {
    const old = before.members.get(card);
    const known = old?.length === list.length && old.every((one, index) => one[1] === list[index]![1]);
    states[card] = known ? before.states[card]! : combine(card, list);
  }
  return { states, members };
}

/** Return how each card stands in a run. */
export function runCards(
  document: Document,
  scope: Scope,
  run: RunState,
  before: Cards<NodeRun, NodeRun> = NO_CARDS,
): Cards<NodeRun, NodeRun> {
  const entries = Object.entries(run.nodes);
  const waiting = isOpen(run) ? run.expected.filter((name) => !run.nodes[name]) : [];
  const states = [...entries, ...waiting.map((name) => [name, QUEUED] as const)];
  const open = isOpen(run);
  return gather(document, scope, states, (card, members) => combineRuns(document, scope, card, members, open), before);
}

const QUEUED: NodeRun = { status: "queued" };
/** What a card says where its parts differ: the first of these. */
const RANK: readonly NodeStatus[] = ["failed", "running", "waiting", "queued", "done", "cached", "skipped"];

function combineRuns(
  document: Document,
  scope: Scope,
  card: string,
  members: readonly Member<NodeRun>[],
  open: boolean,
): NodeRun {
  const itself = members.filter(([within]) => within === "").map(([, state]) => state);
  if (itself.length === members.length && itself.length === 1) return itself[0]!;
  const own = itself.length ? worst(itself) : undefined;
  const parts = members.filter(([within]) => within !== "");
  const first = own?.status === "failed" || !parts.length ? undefined : telling(parts);
  const over = parts.filter(([, { status }]) => status === "done" || status === "cached").length;
  let status = own?.status ?? first?.[1].status ?? "queued";
  if (status === "queued" && over && open) status = "running";
  const base = own ?? (status === "failed" || status === "skipped" ? first?.[1] : undefined) ?? { status };
  const inner = first?.[1];
  const preview = own?.preview ?? parts.findLast(([, one]) => one.preview)?.[1].preview;
  const digests = own?.digests ?? givenDigests(document, scope, card, parts);
  const seconds = own?.seconds ?? (status === "done" ? sum(parts) : undefined);
  return {
    ...base,
    status,
    ...(status === "running" && parts.length ? progressOf(first, inner, over, parts.length) : {}),
    ...(status === "failed" && !own && first ? { message: `${first[0]}: ${first[1].message ?? ""}` } : {}),
    ...(preview ? { preview } : {}),
    ...(digests ? { digests } : {}),
    ...(seconds === undefined ? {} : { seconds }),
  };
}

function worst(states: readonly NodeRun[]): NodeRun {
  return states.toSorted((one, other) => RANK.indexOf(one.status) - RANK.indexOf(other.status))[0]!;
}

function telling(parts: readonly Member<NodeRun>[]): Member<NodeRun> {
  return parts.toSorted(([, one], [, other]) => RANK.indexOf(one.status) - RANK.indexOf(other.status))[0]!;
}

function progressOf(
  first: Member<NodeRun> | undefined,
  inner: NodeRun | undefined,
  over: number,
  of: number,
): Partial<NodeRun> {
  if (!first || inner?.status !== "running") return { done: over, total: of };
  const counted = inner.total ? { done: inner.done ?? 0, total: inner.total } : { done: over, total: of };
  return { ...counted, stage: inner.total ? `${first[0]} ${inner.done ?? 0}/${inner.total}` : first[0] };
}

function sum(parts: readonly Member<NodeRun>[]): number {
  return parts.reduce((seconds, [, one]) => seconds + (one.seconds ?? 0), 0);
}

/** Of a node that stands for a subgraph: what the nodes gave that its outputs are taken from. */
function givenDigests(
  document: Document,
  scope: Scope,
  card: string,
  parts: readonly Member<{ readonly digests?: Names<string> }>[],
): Names<string> | undefined {
  const node = (scope === null ? document : document.subgraphs?.[scope])?.nodes[card];
  const found: Record<string, string> = {};
  const byWay = new Map(parts.map(([within, one]) => [within, one.digests ?? {}]));
  const outputs = node && document.subgraphs?.[subgraphName(node.type) ?? ""]?.outputs;
  for (const [output, { from }] of Object.entries(outputs ?? {})) {
    const [source, socket] = splitReference(from);
    const digest = byWay.get(source)?.[socket] ?? innerDigest(document, node!.type, from, byWay);
    if (digest) found[output] = digest;
  }
  return Object.keys(found).length ? found : undefined;
}

/** Follow an output into the subgraphs it comes out of. */
function innerDigest(
  document: Document,
  type: string,
  from: string,
  byWay: ReadonlyMap<string, Names<string>>,
): string | undefined {
  let graph = document.subgraphs?.[subgraphName(type) ?? ""];
  let [way, socket] = splitReference(from);
  for (let name = way; graph;) {
    const node: DocNode | undefined = graph.nodes[name];
    const inner: string | null = node ? subgraphName(node.type) : null;
    graph = inner === null ? undefined : document.subgraphs?.[inner];
    const next: string | undefined = graph?.outputs?.[socket]?.from;
    if (!next) return undefined;
    [name, socket] = splitReference(next);
    way = `${way}/${name}`;
    const digest = byWay.get(way)?.[socket];
    if (digest) return digest;
  }
  return undefined;
}

/** What a plan says of a node. */
export interface PlannedNode {
  readonly node: string;
  readonly state: "cached" | "run" | "may run" | "equal" | "pinned" | "not needed";
  readonly because: readonly Reason[];
  readonly seconds: number | null;
  readonly digests: Names<string>;
}

/** Why a node would run: of what kind, in the server's words, the setting or node it is about, and what else is said. */
export interface Reason {
  readonly kind: string;
  readonly words: string;
  readonly about: string | null;
  readonly parts: Names<unknown>;
}

export type CardPlan = Omit<PlannedNode, "node">;

const PLAN_RANK: readonly PlannedNode["state"][] = ["run", "may run", "equal", "cached", "pinned", "not needed"];

/** Return what would happen to each card. */
export function planCards(
  document: Document,
  scope: Scope,
  plan: readonly PlannedNode[],
  before: Cards<PlannedNode, CardPlan> = NO_CARDS,
): Cards<PlannedNode, CardPlan> {
  const entries = plan.map((one) => [one.node, one] as const);
  return gather(
    document,
    scope,
    entries,
    (card, members) => {
      const [first] = members.toSorted(
        ([, one], [, other]) => PLAN_RANK.indexOf(one.state) - PLAN_RANK.indexOf(other.state),
      );
      const one = first![1];
      if (members.length === 1 && first![0] === "") return one;
      const running = members.filter(([, { state }]) => state === one.state);
      const seconds = running.map(([, each]) => each.seconds).filter((each) => each !== null);
      const itself = members.find(([within]) => within === "");
      return {
        state: one.state,
        because: one.because,
        seconds: seconds.length ? seconds.reduce((all, each) => all + each, 0) : null,
        digests: itself?.[1].digests ?? givenDigests(document, scope, card, members) ?? {},
      };
    },
    before,
  );
}
