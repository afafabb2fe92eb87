/**
 * What runs tell: for each run how it stands, and for each of its nodes what it does and shows.
 *
 * In: the server's events. Out: a frozen state for each node, replaced only when that node's changes, so that a node on
 * the canvas is drawn again only when there is something new about it.
 */

export type NodeStatus = "queued" | "running" | "waiting" | "done" | "cached" | "failed" | "skipped";

/** How a node stands in a run. `progress` is 0..1, `step` what it counts. */
export interface NodeRun {
  readonly status: NodeStatus;
  readonly done?: number;
  readonly total?: number;
  readonly stage?: string;
  /** When it began, in seconds since 1970, and how long it had worked when it last said how far it was. */
  readonly started?: number;
  readonly spent?: number;
  readonly seconds?: number;
  /** The address of a picture of what it works on, or made. */
  readonly preview?: string;
  readonly summaries?: Readonly<Record<string, string>>;
  /** What identifies the values it gave, by output: /api/values has them, and their pictures. */
  readonly digests?: Readonly<Record<string, string>>;
  readonly message?: string;
  readonly errorType?: string;
  readonly traceback?: string;
  readonly because?: Skip;
  readonly logs?: readonly { readonly level: string; readonly message: string }[];
}

/** Why a node was skipped: of what kind, in the server's words, and the node it is because of, if it is because of one. */
export interface Skip {
  readonly kind: string;
  readonly words: string;
  readonly about: string;
}

export type RunStatus = "queued" | "running" | "done" | "failed" | "cancelled";

/** One combination of a sweep: its values, and what its nodes are called in the run. */
export interface Variation {
  readonly variation: number;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly nodes: Readonly<Record<string, string>>;
}

export interface RunState {
  readonly id: string;
  readonly status: RunStatus;
  readonly nodes: Readonly<Record<string, NodeRun>>;
  readonly total: number;
  readonly seconds: number;
  readonly started: number | null;
  readonly ended: number | null;
  /** The nodes that the plan says will run, by their names in the run; empty where no plan was made. */
  readonly expected: readonly string[];
  /** About how many seconds each of them takes, of those of which that is known. */
  readonly estimates: Readonly<Record<string, number>>;
  /** Of a sweep its combinations, else none. */
  readonly variations: readonly Variation[];
}

/** An event as the server sends it. */
export interface RunEvent {
  readonly event: string;
  readonly run?: string;
  readonly node?: string;
  readonly time?: number;
  readonly [key: string]: unknown;
}

/** Return a run of which nothing is known but that it is in line. */
export function queued(id: string): RunState {
  return {
    id,
    status: "queued",
    nodes: {},
    total: 0,
    seconds: 0,
    started: null,
    ended: null,
    expected: [],
    estimates: {},
    variations: [],
  };
}

/**
 * Return how a run stands after some events, in order; the same where none says anything of it.
 *
 * A long loop has thousands of nodes, and tells thousands of events: its nodes are copied once for all events, not for each.
 */
export function advance(run: RunState, events: readonly RunEvent[]): RunState {
  let now = run;
  let nodes: Record<string, NodeRun> | null = null;
  for (const event of events) {
    if (event.node === undefined) {
      now = advanceRun(now, event);
      if (now.nodes !== nodes) nodes = null;
      continue;
    }
    const before = now.nodes[event.node];
    const after = advanceNode(before, event);
    if (!after || after === before) continue;
    if (!nodes) {
      nodes = { ...now.nodes };
      now = { ...now, nodes };
    }
    nodes[event.node] = after;
  }
  return now;
}

function advanceRun(run: RunState, event: RunEvent): RunState {
  const time = event.time ?? 0;
  switch (event.event) {
    case "run_queued":
    case "run_interrupted":
      return { ...queued(run.id), expected: run.expected, estimates: run.estimates };
    case "sweep_started":
      return { ...run, variations: event.variations as readonly Variation[] };
    case "run_started": {
      const { nodes, seconds } = event as unknown as { nodes: number; seconds: number };
      return { ...run, status: "running", total: nodes, seconds, started: time, nodes: {} };
    }
    case "run_finished":
      return { ...run, status: event.status as RunStatus, ended: time, nodes: settle(run.nodes) };
    case "run_refused":
      return { ...run, status: "failed", ended: time };
    default:
      return run;
  }
}

function advanceNode(before: NodeRun | undefined, event: RunEvent): NodeRun | undefined {
  const told = event as unknown as Required<NodeRun> & {
    level: string;
    data: string;
    media_type: string;
    type: string;
    kind: string;
    about: string;
  };
  switch (event.event) {
    case "node_started":
      return { status: "running", started: event.time ?? 0 };
    case "node_waiting":
      return before && isOver(before) ? before : { ...before, status: "waiting" };
    case "node_progress":
      // what passes may be told after what is written down: a node that is over stays over
      if (before && isOver(before)) return before;
      return {
        ...before,
        status: "running",
        done: told.done,
        total: told.total,
        stage: told.stage,
        ...(before?.started === undefined ? {} : { spent: Math.max(0, (event.time ?? 0) - before.started) }),
      };
    case "node_preview":
      return { status: "running", ...before, preview: `data:${told.media_type};base64,${told.data}` };
    case "node_partial":
      return { status: "running", ...before, summaries: told.summaries };
    case "node_cached":
      return { ...(before?.preview ? { preview: before.preview } : {}), status: "cached", digests: told.digests ?? {} };
    case "node_finished":
      return {
        status: "done",
        seconds: told.seconds,
        summaries: told.summaries,
        digests: told.digests ?? {},
        ...(before?.preview ? { preview: before.preview } : {}),
        ...(before?.logs ? { logs: before.logs } : {}),
      };
    case "node_failed":
      return { status: "failed", message: told.message, errorType: told.type, traceback: told.traceback };
    case "node_skipped":
      return { status: "skipped", because: { kind: told.kind, words: String(event.because), about: told.about } };
    case "node_log":
      return {
        status: "running",
        ...before,
        logs: [...(before?.logs ?? []).slice(-19), { level: told.level, message: told.message }],
      };
    default:
      return before;
  }
}

/** How far a run is: how many of its nodes are over, what share of its work, and what it works on. */
export interface Progress {
  readonly over: number;
  readonly total: number;
  readonly share: number;
  readonly at: string;
}

/** An item of a map or a turn of a loop: they are not among the nodes that a run counts. */
const REPEATED = /\/\d+(\/|$)/;

/** Return how far a run is. */
export function progressOf(run: RunState): Progress {
  const counted = Object.entries(run.nodes).filter(([name]) => !REPEATED.test(name));
  const over = counted.filter(([, node]) => isOver(node)).length;
  const working = Object.entries(run.nodes).filter(([, { status }]) => status === "running");
  const [name, node] = working.find(([one, { total }]) => total && !REPEATED.test(one)) ?? working.at(-1) ?? [];
  const total = Math.max(run.total, over, 1);
  const step = node?.total ? ` ${node.done ?? 0}/${node.total}` : "";
  const share = run.expected.length ? shareOfWork(run) : Math.min((over + partOf(node)) / total, 1);
  return { over, total, share, at: name ? name + step : "" };
}

/** Return the share that is done of what the plan expects, each node counted by how long it takes. */
function shareOfWork({ expected, estimates, nodes }: RunState): number {
  const seconds = expected.map((name) => secondsOf(nodes[name]) ?? estimates[name]);
  const known = seconds.filter((one) => one !== undefined);
  const usual = known.length ? sum(known) / known.length : 1;
  const weights = seconds.map((one) => Math.max(one ?? usual, LEAST));
  const done = expected.map((name, index) => weights[index]! * partOf(nodes[name]));
  return Math.min(sum(done) / sum(weights), 1);
}

/** Return how long a node took, or will take by what it has shown; undefined while it has shown nothing. */
function secondsOf(node: NodeRun | undefined): number | undefined {
  const part = partOf(node);
  return node && (node.seconds ?? (node.spent !== undefined && part > 0 ? node.spent / part : undefined));
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);

/** Seconds: no node is reckoned as quicker, so that many quick ones still move the bar. */
const LEAST = 0.01;

function isOver({ status }: NodeRun): boolean {
  return status !== "running" && status !== "waiting" && status !== "queued";
}

function partOf(node: NodeRun | undefined): number {
  if (!node) return 0;
  return isOver(node) ? 1 : node.total ? (node.done ?? 0) / node.total : 0;
}

/** Count the nodes that a run has still to carry out; null where nothing is known yet. */
export function nodesLeft(run: RunState): number | null {
  if (run.expected.length) {
    return run.expected.filter((name) => !run.nodes[name] || !isOver(run.nodes[name])).length;
  }
  if (run.started === null) return null;
  const { over, total } = progressOf(run);
  return total - over;
}

/**
 * Estimate the seconds that are left of a run; null where nothing is known yet. The further it is, the more counts how
 * long it took so far, and the less what was known before.
 */
export function secondsLeft(run: RunState, now: number): number | null {
  if (run.started === null) return null;
  const spent = Math.max(0, now - run.started);
  const planned = run.seconds > spent ? run.seconds - spent : null;
  const { share } = progressOf(run);
  if (share >= 1) return null;
  if (share < 0.05) return planned;
  const measured = spent / share - spent;
  return planned === null ? measured : planned * (1 - share) + measured * share;
}

/** Tell whether a run waits or is at work. */
export function isOpen(run: RunState | null): boolean {
  return run?.status === "queued" || run?.status === "running";
}

/** What was still at work when a run ended is not any more. */
function settle(nodes: RunState["nodes"]): RunState["nodes"] {
  const open = ([, node]: [string, NodeRun]) => node.status === "running" || node.status === "waiting";
  if (!Object.entries(nodes).some(open)) return nodes;
  return Object.fromEntries(
    Object.entries(nodes).map((entry) => (open(entry) ? [entry[0], { ...entry[1], status: "skipped" }] : entry)),
  );
}
