/** What the editor knows of the server: the catalogue, what is wrong with the workflow, how its run stands. */

import { createStore } from "zustand/vanilla";

import {
  type Checked,
  fetchCatalogue,
  listWorkflows,
  type Plan,
  type Problem,
  type Run,
  TAB,
  type WorkflowInfo,
} from "../api/client";
import { type Catalogue, NO_CATALOGUE } from "../model/catalogue";
import type { Document } from "../model/document";
import type { RunState } from "../model/runs";
import { hear, listenToServer } from "./events";
import { loseFile, meet, reconnect } from "./workspace";

export interface Studio {
  readonly catalogue: Catalogue;
  readonly workflows: readonly WorkflowInfo[];
  readonly connected: boolean;
  readonly checked: Checked | null;
  /** What a run would do now; null where nothing is in order, or it is not known yet. */
  readonly plan: Plan | null;
  /** The run whose states the canvas shows: the latest of the open workflow. */
  readonly run: RunState | null;
  /** The document that run was made from; null while it is not known. */
  readonly ran: Document | null;
  /** What the latest finished run gave. */
  readonly result: Run | null;
  /** What the run before gave, while the shown one has given nothing yet. */
  readonly former: Run | null;
  /** Whether the workflow runs by itself a moment after each change. */
  readonly live: boolean;
}

export const studio = createStore<Studio>()(() => ({
  catalogue: NO_CATALOGUE,
  workflows: [],
  connected: true,
  checked: null,
  plan: null,
  run: null,
  ran: null,
  result: null,
  former: null,
  live: false,
}));

/** Load what is needed to show anything, and listen from then on; returns what ends the listening. */
export async function startStudio(): Promise<() => void> {
  const [catalogue, workflows] = await Promise.all([fetchCatalogue(), listWorkflows()]);
  studio.setState({ catalogue, workflows });
  return listenToServer(onConnection);
}

function onConnection(connected: boolean): void {
  const before = studio.getState().connected;
  studio.setState({ connected });
  if (!connected || before) return;
  void reconnect();
  void refreshWorkflows();
}

/** Read the list of workflows again. */
export async function refreshWorkflows(): Promise<void> {
  studio.setState({ workflows: await listWorkflows() });
}

/** List what is wrong at a node, or at one of its settings or sockets. */
export function problemsAt(checked: Checked | null, node: string): readonly Problem[] {
  return checked?.problems.filter(({ place }) => place === node || place.startsWith(`${node}.`)) ?? [];
}

hear((events) => {
  const about = events.filter(({ event }) => event === "workflow_saved" || event === "workflow_deleted");
  if (about.length) void refreshWorkflows();
  for (const { event, client, name, etag } of about) {
    if (client === TAB) continue;
    if (event === "workflow_saved") void meet(String(name), String(etag));
    else void loseFile(String(name));
  }
});
