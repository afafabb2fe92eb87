/**
 * What the editor knows of the server: the catalogue, what is wrong with the workflow, runs as they go, the connection.
 */

import { createStore } from "zustand/vanilla";

import {
  cancelRun,
  type Checked,
  checkWorkflow,
  fetchCatalogue,
  listWorkflows,
  type Problem,
  readRun,
  Refusal,
  type Run,
  submitRun,
  type Submission,
  TAB,
  type WorkflowInfo,
} from "../api/client";
import { listen, type ServerEvent, wordsOf } from "../api/socket";
import { type Catalogue, NO_CATALOGUE } from "../model/catalogue";
import { type Document } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { advanceSeeds } from "../model/seeds";
import { advance, queued, type RunState } from "../model/runs";
import { notify } from "./notices";
import { meet, workspace } from "./workspace";

export interface Studio {
  readonly catalogue: Catalogue;
  readonly workflows: readonly WorkflowInfo[];
  readonly connected: boolean;
  readonly checked: Checked | null;
  /** The run whose states the canvas shows: the latest of the open workflow. */
  readonly run: RunState | null;
  /** What the latest finished run gave. */
  readonly result: Run | null;
}

export const studio = createStore<Studio>()(() => ({
  catalogue: NO_CATALOGUE,
  workflows: [],
  connected: true,
  checked: null,
  run: null,
  result: null,
}));

/** Load what is needed to show anything, and listen from then on; returns what ends the listening. */
export async function startStudio(): Promise<() => void> {
  const [catalogue, workflows] = await Promise.all([fetchCatalogue(), listWorkflows()]);
  studio.setState({ catalogue, workflows });
  editor.subscribe((state, before) => {
    if (state.history.present !== before.history.present) recheck();
  });
  return listen({ onEvent: take, onConnection: (connected) => studio.setState({ connected }) });
}

/** Read the list of workflows again. */
export async function refreshWorkflows(): Promise<void> {
  studio.setState({ workflows: await listWorkflows() });
}

/** Put the open workflow in line. */
export async function startRun(asked: Partial<Submission> = {}): Promise<void> {
  const { catalogue } = studio.getState();
  editor.getState().editDocument("seed", (one) => advanceSeeds(one, catalogue));
  const document = documentOf(editor.getState());
  try {
    const run = await submitRun({
      workflow: document as unknown as Record<string, unknown>,
      identity: workspace.getState().name ?? "",
      client: `editor-${TAB}`,
      ...asked,
    });
    studio.setState({ run: queued(run.id), result: null });
  } catch (error) {
    if (error instanceof Refusal && error.problems.length) {
      studio.setState({ checked: { ok: false, nodes: null, problems: [...error.problems] } });
      notify("error", "runRefused", { count: error.problems.length, first: error.message });
    } else {
      notify("error", "failed", { why: wordsOf(error) });
    }
  }
}

/** Stop the shown run. */
export async function stopRun(): Promise<void> {
  const { run } = studio.getState();
  if (!run) return;
  try {
    await cancelRun(run.id);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** List what is wrong at a node, or at one of its settings or sockets. */
export function problemsAt(checked: Checked | null, node: string): readonly Problem[] {
  return checked?.problems.filter(({ place }) => place === node || place.startsWith(`${node}.`)) ?? [];
}

function take(event: ServerEvent): void {
  const { run } = studio.getState();
  if (event.event === "workflow_saved" || event.event === "workflow_deleted") {
    void refreshWorkflows();
    if (event.client !== TAB && event.event === "workflow_saved") void meet(String(event.name), String(event.etag));
    return;
  }
  if (!run || event.run !== run.id) return;
  const next = advance(run, event);
  studio.setState({ run: next });
  if (event.event === "run_finished" || event.event === "run_refused") void readResult(run.id);
}

async function readResult(id: string): Promise<void> {
  const result = await readRun(id);
  if (studio.getState().run?.id === id) studio.setState({ result });
}

const CHECK_PAUSE = 250;
let checking: AbortController | null = null;
let timer = 0;

/** Ask what is wrong, a moment after the last change; an older answer never overtakes a newer one. */
export function recheck(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void check(documentOf(editor.getState())), CHECK_PAUSE);
}

async function check(document: Document): Promise<void> {
  checking?.abort();
  checking = new AbortController();
  const { signal } = checking;
  try {
    const checked = await checkWorkflow(document, signal);
    if (!signal.aborted) studio.setState({ checked });
  } catch (error) {
    if (!signal.aborted && !(error instanceof Refusal && error.status === 0)) {
      notify("error", "failed", { why: wordsOf(error) });
    }
  }
}

workspace.subscribe((now, before) => {
  if (now.name !== before.name && now.own === before.own) studio.setState({ run: null, result: null, checked: null });
});
