/** The run that the canvas shows: put in line, followed as it goes, stopped, and found again when the page is opened. */

import {
  cancelRun,
  listRuns,
  planWorkflow,
  readQueue,
  readRun,
  readRunWorkflow,
  Refusal,
  type Run,
  submitRun,
  type Submission,
} from "../api/client";
import { wordsOf } from "../api/socket";
import type { Document, Json, Names } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { advance, isOpen, queued, type RunState } from "../model/runs";
import { advanceSeeds } from "../model/seeds";
import { hear } from "./events";
import { language } from "../i18n";
import { phraseOf } from "../i18n/problems";
import { pastOf } from "./following";
import { notify } from "./notices";
import { stateOf } from "./queue";
import { studio } from "./studio";
import { withValues } from "./values";
import { flush, latestIdentity, workspace } from "./workspace";

/** All tabs are one client: their runs come in the order in which they were put in line. */
export const CLIENT = "editor";

export type Asked = Pick<Partial<Submission>, "targets" | "force" | "sweep" | "parameters">;

/** Put the open workflow in line, at its end or before all others. */
export async function startRun(asked: Asked = {}, front = false): Promise<Run | null> {
  const { catalogue } = studio.getState();
  editor.getState().editDocument("seed", (one) => advanceSeeds(one, catalogue));
  return submit(asked, front);
}

/** Put the open workflow in line as it stands; null, after saying why, where it cannot run. */
export async function submit(asked: Asked = {}, front = false): Promise<Run | null> {
  const document = documentOf(editor.getState());
  const workflow = document as unknown as Record<string, unknown>;
  const identity = workspace.getState().name ?? "";
  try {
    await flush(); // so that the version that runs is known, and kept
    const priority = front ? await priorityOfFront() : 0;
    const run = await submitRun({ workflow, identity, client: CLIENT, priority, ...asked });
    if (workspace.getState().name === identity) workspace.setState({ origin: null });
    reading = null;
    const state = stateOf(run.id);
    studio.setState(({ result, former }) => ({
      run: state,
      ran: document,
      result: null,
      former: result?.targets ? (former ?? result) : (result ?? former),
    }));
    if (!isOpen(state)) void readResult(run.id);
    if (!asked.sweep) void expect(run.id, document, asked, identity);
    return run;
  } catch (error) {
    refuse(error);
    return null;
  }
}

async function priorityOfFront(): Promise<number> {
  const { waiting } = await readQueue();
  if (!waiting.length) return 0;
  const priorities = await Promise.all(waiting.slice(0, 1).map(async (id) => (await readRun(id)).priority));
  return Math.min(1000, Math.max(0, ...priorities) + 1);
}

/** Learn from the plan which nodes wait for their turn. */
async function expect(id: string, workflow: Document, { targets, force }: Asked, identity: string): Promise<void> {
  try {
    const plan = await planWorkflow({
      workflow,
      identity,
      ...(targets ? { targets } : {}),
      ...(force ? { force } : {}),
    });
    const due = plan.nodes.filter(({ state }) => state === "run" || state === "may run");
    const known = due.flatMap(({ node, seconds }) => (seconds === null ? [] : [[node, seconds] as const]));
    const [expected, estimates] = [due.map(({ node }) => node), Object.fromEntries(known)];
    const { run } = studio.getState();
    if (run?.id === id) studio.setState({ run: { ...run, expected, estimates } });
  } catch {
    return; // the plan tells of what waits alone; the run itself goes on, and says what fails
  }
}

function refuse(error: unknown): void {
  if (error instanceof Refusal && error.problems.length) {
    studio.setState({ checked: { ok: false, nodes: null, problems: [...error.problems] } });
    const [first] = error.problems;
    const words = phraseOf(language.getState().code, first!).message;
    notify("error", "runRefused", { first: [first!.place, words].filter(Boolean).join(": ") });
  } else {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** Stop the shown run. */
export async function stopRun(): Promise<void> {
  const { run } = studio.getState();
  if (!run || !isOpen(run)) return;
  studio.setState({ stopping: run.id });
  try {
    await cancelRun(run.id);
  } catch (error) {
    studio.setState({ stopping: null });
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** The run whose past is being read. */
let reading: string | null = null;

/** Show a run of the open workflow, with all that it has told so far. */
export async function follow(found: Run): Promise<void> {
  const { id } = found;
  reading = id;
  studio.setState({ run: { ...queued(id), status: found.status }, ran: null, result: null, former: null });
  const state = show(id, await pastOf(id));
  if (!state) return;
  const result = isOpen(state) ? null : readResult(id);
  await Promise.all([result, readRunWorkflow(id).then((ran) => remember(found, ran))]);
}

function show(id: string, run: RunState): RunState | null {
  if (reading !== id) return null;
  reading = null;
  studio.setState({ run });
  return run;
}

function remember({ id, sweep, targets, identity, parameters }: Run, submitted: Document): void {
  const ran = withValues(submitted, parameters as Names<Json>);
  const { run } = studio.getState();
  if (run?.id !== id) return;
  studio.setState({ ran });
  if (isOpen(run) && !sweep) void expect(id, ran, { targets }, identity);
}

/** Show the latest run of the open workflow, if it ever ran. */
async function followLatest(): Promise<void> {
  const { name } = workspace.getState();
  if (name === null) return;
  try {
    const [latest] = (await listRuns({ identity: latestIdentity(), limit: "1" })).runs;
    if (latest && workspace.getState().name === name && !studio.getState().run) await follow(latest);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

async function readResult(id: string): Promise<void> {
  const result = await readRun(id);
  const { run, former } = studio.getState();
  if (run?.id === id) studio.setState({ result, former: result.targets ? former : null });
}

hear((events) => {
  const { run } = studio.getState();
  const about = events.filter((event) => run && event.run === run.id);
  if (!run || !about.length) return;
  if (reading === run.id) return; // its past is being read, and has this too
  studio.setState({ run: advance(run, about) });
  if (about.some(({ event }) => event === "run_finished" || event === "run_refused")) void readResult(run.id);
});

workspace.subscribe((now, before) => {
  if (now.opened === before.opened) return;
  reading = null;
  studio.setState({ run: null, ran: null, result: null, former: null, checked: null, plan: null, planned: null });
  void followLatest();
});
