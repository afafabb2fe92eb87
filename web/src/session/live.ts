/** The live mode: the workflow runs by itself a moment after each change that makes something stale. */

import { cancelRun } from "../api/client";
import { wordsOf } from "../api/socket";
import type { Document, Graph, Names } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { isOpen } from "../model/runs";
import { notify } from "./notices";
import { stateOf } from "./queue";
import { submit } from "./running";
import { studio } from "./studio";
import { workspace } from "./workspace";

const PAUSE = 400;
let timer = 0;
/** What ran last, without how it is shown; and its run. */
let ran = "";
let latest: string | null = null;

/** Switch the live mode on or off. */
export function toggleLive(): void {
  const live = !studio.getState().live;
  studio.setState({ live });
  if (live) schedule();
  else window.clearTimeout(timer);
}

function schedule(): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void runIfStale(documentOf(editor.getState())), PAUSE);
}

async function runIfStale(document: Document): Promise<void> {
  const { plan } = studio.getState();
  const what = meaningOf(document);
  if (!plan?.to_run || plan.problems.length || what === ran) return;
  ran = what;
  const older = latest;
  latest = (await submit())?.id ?? older;
  if (older !== null && older !== latest && isOpen(stateOf(older))) await cancel(older);
}

/** An older run of this mode is of no use any more. What it has finished is kept, and what both need goes on in the newer. */
async function cancel(older: string): Promise<void> {
  try {
    await cancelRun(older);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** Write down all of a document that a run depends on. */
function meaningOf(document: Document): string {
  const bare = <G extends Graph>({ view: _, ...rest }: G) => rest;
  const subgraphs: Names<Graph> = document.subgraphs ?? {};
  const inside = Object.fromEntries(Object.entries(subgraphs).map(([name, graph]) => [name, bare(graph)]));
  return JSON.stringify({ ...bare(document), subgraphs: inside });
}

studio.subscribe((state, before) => {
  if (state.live && state.plan !== before.plan) schedule();
});

workspace.subscribe(({ opened }, before) => {
  if (opened === before.opened) return;
  ran = "";
  latest = null;
});
