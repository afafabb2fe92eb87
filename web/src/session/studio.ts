/** What the editor knows of the server: the catalogue, what is wrong with the workflow, how its run stands. */

import { createStore } from "zustand/vanilla";

import {
  type Checked,
  fetchCatalogue,
  listWorkflows,
  type Plan,
  type Run,
  TAB,
  type WorkflowInfo,
} from "../api/client";
import { wordsOf } from "../api/socket";
import { language } from "../i18n";
import { type Catalogue, NO_CATALOGUE } from "../model/catalogue";
import type { Document } from "../model/document";
import type { RunState } from "../model/runs";
import { hear, listenToServer } from "./events";
import { notify } from "./notices";
import { follow, loseFile, meet, reconnect } from "./workspace";

export interface Studio {
  readonly catalogue: Catalogue;
  readonly workflows: readonly WorkflowInfo[];
  readonly connected: boolean;
  readonly checked: Checked | null;
  /** What a run would do now; null where nothing is in order, or it is not known yet. */
  readonly plan: Plan | null;
  /** The document that plan is of. */
  readonly planned: Document | null;
  /** The run whose states the canvas shows: the latest of the open workflow. */
  readonly run: RunState | null;
  /** The run that was asked to stop. */
  readonly stopping: string | null;
  /** The document that run was made from; null while it is not known. */
  readonly ran: Document | null;
  /** What the latest finished run gave. */
  readonly result: Run | null;
  /** What the whole run before gave, while the shown one has given nothing yet, or is of some nodes alone. */
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
  planned: null,
  run: null,
  stopping: null,
  ran: null,
  result: null,
  former: null,
  live: false,
}));

/** Workflows that are asked for one by one, rather than all anew. */
const FEW = 5;

/** Load what is needed to show anything, and listen from then on; returns what ends the listening. */
export async function startStudio(): Promise<() => void> {
  await Promise.all([loadCatalogue(), refreshWorkflows()]);
  language.subscribe(() => {
    loadCatalogue().catch((error: unknown) => notify("error", "failed", { why: wordsOf(error) }));
  });
  return listenToServer(onConnection);
}

function onConnection(connected: boolean): void {
  const before = studio.getState().connected;
  studio.setState({ connected });
  if (!connected || before) return;
  void reconnect();
  void loadCatalogue(); // it may be another server by now, or could not be read in the language that was chosen
  void refreshWorkflows();
}

/** Read in the person's language what nodes there are. */
async function loadCatalogue(): Promise<void> {
  const { code } = language.getState();
  const catalogue = await fetchCatalogue(code);
  if (language.getState().code === code) studio.setState({ catalogue });
}

/** Read the list of workflows again. */
export async function refreshWorkflows(): Promise<void> {
  studio.setState({ workflows: await listWorkflows() });
}

/** Read again what the list says of some workflows. */
async function refreshNamed(names: ReadonlySet<string>): Promise<void> {
  const found = (await Promise.all([...names].map(listWorkflows))).flat();
  studio.setState(({ workflows }) => ({ workflows: [...workflows.filter(({ name }) => !names.has(name)), ...found] }));
}

hear((events) => {
  const about = events.filter(({ event }) => event.startsWith("workflow_"));
  const names = new Set(about.flatMap(({ name, to }) => [name, to].filter((one) => typeof one === "string")));
  if (names.size > FEW) void refreshWorkflows();
  else if (names.size) void refreshNamed(names);
  for (const { event, client, name, etag, to } of about) {
    if (client === TAB) continue;
    if (event === "workflow_saved") void meet(String(name), String(etag));
    else if (event === "workflow_moved") void follow(String(name), String(to));
    else void loseFile(String(name));
  }
});
