/** What runs and what waits on the server, whoever asked for it. */

import { createStore } from "zustand/vanilla";

import { cancelRun, listRuns, moveRun, readQueue, readRun, readRunEvents, type Run } from "../api/client";
import { type ServerEvent, wordsOf } from "../api/socket";
import { advance, isOpen, queued, type RunState } from "../model/runs";
import { hear } from "./events";
import { notify } from "./notices";

export interface Line {
  readonly running: readonly Run[];
  readonly waiting: readonly Run[];
  /** How the runs in the line stand, by id. */
  readonly states: Readonly<Record<string, RunState>>;
}

export const line = createStore<Line>()(() => ({ running: [], waiting: [], states: {} }));

const PAUSE = 150;
/** Runs of which details are read; the rest of a very long line is counted alone. */
const SHOWN = 200;
let timer = 0;
let asked = 0;
/** Moves that the server has not answered yet; what is read meanwhile may be from before them. */
let moving = 0;

/** Read the line again, soon. */
export function refreshLine(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void read(), PAUSE);
}

async function read(): Promise<void> {
  const number = (asked += 1);
  try {
    const [order, waiting] = await Promise.all([readQueue(), listRuns({ status: "queued", limit: String(SHOWN) })]);
    const known = new Map([...line.getState().running, ...waiting.runs].map((run) => [run.id, run]));
    const find = async (id: string): Promise<Run> => known.get(id) ?? readRun(id);
    const [now, next] = await Promise.all([
      Promise.all(order.running.map(readRun)),
      Promise.all(order.waiting.slice(0, SHOWN).map(find)),
    ]);
    if (number !== asked || moving) return;
    line.setState({ running: now, waiting: next });
    await Promise.all(order.running.map(catchUp));
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** Read the past of a run that was at work before this page listened. */
async function catchUp(id: string): Promise<void> {
  if (line.getState().states[id]?.started != null) return;
  const events = await readRunEvents(id);
  const state = advance(queued(id), events);
  if (isOpen(state)) line.setState(({ states }) => ({ states: { ...states, [id]: state } }));
}

/** Put a waiting run before another one, or with null at the end. */
export async function moveBefore(id: string, before: string | null): Promise<void> {
  const { waiting } = line.getState();
  const moved = waiting.find((run) => run.id === id);
  if (!moved || id === before) return;
  const rest = waiting.filter((run) => run.id !== id);
  const at = before === null ? rest.length : rest.findIndex((run) => run.id === before);
  if (at < 0 || waiting[at]?.id === id) return;
  line.setState({ waiting: rest.toSpliced(at, 0, moved) }); // at once; what the server says follows
  asked += 1;
  moving += 1;
  try {
    if (before !== null) await moveRun(id, { before });
    else await putLast(id, rest);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  } finally {
    moving -= 1;
  }
  refreshLine();
}

/** There is no word for the end: the run goes before the last one, and that before the run. */
async function putLast(id: string, rest: readonly Run[]): Promise<void> {
  const last = rest.at(-1);
  if (!last) return;
  await moveRun(id, { before: last.id });
  await moveRun(last.id, { before: id });
}

/** Cancel runs. */
export async function cancelAll(ids: readonly string[]): Promise<void> {
  const told = await Promise.allSettled(ids.map(cancelRun));
  const failed = told.find((one) => one.status === "rejected");
  if (failed) notify("error", "failed", { why: wordsOf(failed.reason) });
  refreshLine();
}

const TURNS = new Set(["run_queued", "run_started", "run_interrupted", "run_finished", "run_refused"]);
const ENDS = new Set(["run_finished", "run_refused"]);

hear((events) => {
  const ofRuns = events.filter((event) => event.run !== undefined && event.event !== "node_preview");
  if (!ofRuns.length) return;
  line.setState(({ states }) => ({ states: after(states, ofRuns) }));
  if (ofRuns.some(({ event }) => TURNS.has(event))) refreshLine();
});

/** Runs that ended lately: one may be over before the answer is here that it was put in line. */
const over = new Map<string, RunState>();
const REMEMBERED = 20;

/** Return how a run stands, as far as this page has heard of it. */
export function stateOf(id: string): RunState {
  return over.get(id) ?? line.getState().states[id] ?? queued(id);
}

function after(states: Line["states"], events: readonly ServerEvent[]): Line["states"] {
  const next = new Map(Object.entries(states));
  for (const id of new Set(events.map(({ run }) => run!))) {
    const told = events.filter(({ run }) => run === id);
    const state = advance(next.get(id) ?? queued(id), told);
    if (told.some(({ event }) => ENDS.has(event))) {
      next.delete(id);
      over.set(id, state);
    } else next.set(id, state);
  }
  for (const old of [...over.keys()].slice(0, -REMEMBERED)) over.delete(old);
  return Object.fromEntries(next);
}
