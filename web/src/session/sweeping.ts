/**
 * A sweep over parameters: asked for, and shown as a grid while its pictures come. A sweep is one run, and the server
 * knows what it sweeps: so any is found again, after a reload, in another tab, and when it is long over.
 */

import { createStore } from "zustand/vanilla";

import { readRun, readRunWorkflow, type Run, runAgain } from "../api/client";
import { wordsOf } from "../api/socket";
import type { Document, Json } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { advance, isOpen, queued, type RunState } from "../model/runs";
import type { SweepAsked } from "../model/sweep";
import { hear } from "./events";
import { pastOf } from "./following";
import { notify } from "./notices";
import { line } from "./queue";
import { submit } from "./running";
import { workspace } from "./workspace";

export interface Axis {
  readonly parameter: string;
  readonly values: readonly Json[];
}

/** The sweep that is shown: its run as the server has it, how it stands, and its workflow, once they are read. */
export interface ShownSweep {
  readonly run: Run;
  readonly state: RunState;
  readonly document: Document | null;
}

export interface Sweeping {
  readonly open: boolean;
  readonly shown: ShownSweep | null;
}

export const sweeping = createStore<Sweeping>()(() => ({ open: false, shown: null }));

/** Where the tab keeps which sweep is shown, for when it is loaded again. */
const KEY = "graphgen-sweep";
/** The sweep whose past is being read. */
let reading: string | null = null;

/** Return what a run sweeps over; null where it is no sweep. */
export const sweepOf = ({ sweep }: Pick<Run, "sweep">): SweepAsked | null => sweep as unknown as SweepAsked | null;

/** Ask for a sweep; where one of the open workflow is at work or waits, that one is shown. */
export function openSweep(): void {
  const { running, waiting } = line.getState();
  const { name } = workspace.getState();
  const found = [...running, ...waiting].find(({ sweep, identity }) => sweep && identity === name);
  if (found && !sweeping.getState().shown) void showSweep(found);
  else sweeping.setState({ open: true });
}

/** Close the dialog; what it shows is there when it is opened again. */
export function closeSweep(): void {
  sessionStorage.removeItem(KEY);
  sweeping.setState({ open: false });
}

/** Choose anew what is swept. */
export function forgetSweep(): void {
  sessionStorage.removeItem(KEY);
  sweeping.setState({ shown: null });
}

/** Put a sweep in line, as one run. */
export async function startSweep(across: Axis, down: Axis | null): Promise<void> {
  const document = documentOf(editor.getState());
  const axes = Object.fromEntries(
    (down ? [down, across] : [across]).map(({ parameter, values }) => [parameter, [...values]]),
  );
  const run = await submit({ sweep: { axes, how: "product" } });
  if (run) await showSweep(run, document);
}

/** Run the shown sweep once more. */
export async function sweepAgain(): Promise<void> {
  const { shown } = sweeping.getState();
  if (!shown) return;
  try {
    await showSweep(await runAgain(shown.run.id), shown.document);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** Show a sweep as it stands, and go on as its pictures come. */
export async function showSweep(run: Run, document: Document | null = null): Promise<void> {
  const { id } = run;
  sessionStorage.setItem(KEY, id);
  reading = id;
  sweeping.setState({ open: true, shown: { run, document, state: { ...queued(id), status: run.status } } });
  try {
    change(id, { document: document ?? (await readRunWorkflow(id)) });
    const state = await pastOf(id);
    const isShown = change(id, { state });
    if (reading === id) reading = null;
    if (isShown && !isOpen(state)) change(id, { run: await readRun(id) });
  } catch (error) {
    if (reading === id) reading = null;
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** Change what is shown of a sweep, unless another one is shown by now. */
function change(id: string, to: Partial<ShownSweep>): boolean {
  const { shown } = sweeping.getState();
  if (shown?.run.id !== id) return false;
  sweeping.setState({ shown: { ...shown, ...to } });
  return true;
}

hear((events) => {
  const { shown } = sweeping.getState();
  const about = events.filter(({ run }) => shown && run === shown.run.id);
  if (!shown || !about.length || reading === shown.run.id) return;
  const state = advance(shown.state, about);
  change(shown.run.id, { state });
  if (isOpen(shown.state) && !isOpen(state)) void end(shown.run.id);
});

async function end(id: string): Promise<void> {
  try {
    change(id, { run: await readRun(id) });
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

workspace.subscribe(({ opened }, before) => {
  if (opened === before.opened) return;
  sweeping.setState({ open: false, shown: null });
  void resume(opened);
});

/** Show again the sweep that this tab showed when it was loaded anew; that of another workflow is forgotten. */
async function resume(opened: number): Promise<void> {
  const id = sessionStorage.getItem(KEY);
  if (id === null) return;
  sessionStorage.removeItem(KEY);
  const run = await readRun(id).catch(() => null); // the server may have forgotten it, which is no news
  const { name, opened: now } = workspace.getState();
  if (run && now === opened && run.identity === name) await showSweep(run);
}
