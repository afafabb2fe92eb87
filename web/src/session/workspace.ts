/**
 * The open workflow and its file on the server: loading, saving as it changes, and meeting what other tabs save.
 *
 * Nothing typed is lost: a change lies in the browser's own store at once and on the server within a second. An example
 * becomes the person's own copy with the first change.
 */

import { createStore } from "zustand/vanilla";

import { readWorkflow, Refusal, saveWorkflow } from "../api/client";
import { wordsOf } from "../api/socket";
import { type Document, EMPTY } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { merge, same } from "../model/merge";
import { notify } from "./notices";

export type Saving = "saved" | "changed" | "saving" | "offline" | "failed";

export interface Workspace {
  readonly name: string | null;
  readonly own: boolean;
  readonly saving: Saving;
  readonly trouble: string;
}

export const workspace = createStore<Workspace>()(() => ({ name: null, own: false, saving: "saved", trouble: "" }));

/** The version on the server that the document grew out of; no etag where there is none yet. */
let base: { document: Document; etag: string | null } = { document: EMPTY, etag: null };
let timer = 0;
let pending: Promise<void> | null = null;

const PAUSE = 600;
const RETRY = 3000;
const draftKey = (name: string): string => `graphgen-draft:${name}`;

/** Open a saved workflow; what this browser had not saved of it is taken up again. */
export async function openWorkflow(name: string, own: boolean): Promise<void> {
  await flush();
  const { document, etag } = await readWorkflow(name);
  base = { document, etag: own ? etag : null };
  editor.getState().open(document);
  workspace.setState({ name, own, saving: "saved", trouble: "" });
  const draft = own ? readDraft(name) : null;
  if (draft && !same(draft.document, document)) {
    const { value } = merge(draft.base, draft.document, document);
    editor.getState().editDocument("restore", () => value);
    notify("info", "draftRestored");
  }
}

/** Begin a workflow under a new name; it is saved with the first change. */
export async function newWorkflow(name: string, document: Document): Promise<void> {
  await flush();
  base = { document: EMPTY, etag: null };
  editor.getState().open(document);
  workspace.setState({ name, own: true, saving: "changed", trouble: "" });
  schedule(0);
}

/** Save what is not saved yet, now. */
export async function flush(): Promise<void> {
  window.clearTimeout(timer);
  if (pending) await pending;
  const { name, own } = workspace.getState();
  if (name === null || !own || same(documentOf(editor.getState()), base.document)) return;
  pending = save().finally(() => (pending = null));
  await pending;
}

/** Take in what another tab or program saved under the open name. */
export async function meet(name: string, etag: string): Promise<void> {
  const open = workspace.getState();
  if (open.name !== name || !open.own || etag === base.etag) return;
  if (pending) await pending;
  const theirs = await readWorkflow(name);
  if (theirs.etag === base.etag) return;
  takeIn(theirs);
}

function takeIn(theirs: { document: Document; etag: string }): void {
  const before = base.document;
  const { conflicts } = merge(before, documentOf(editor.getState()), theirs.document);
  base = theirs;
  editor.getState().takeIn((document) => merge(before, document, theirs.document).value);
  notify(conflicts.length ? "warning" : "info", conflicts.length ? "mergedWithConflicts" : "merged", {
    places: conflicts.slice(0, 5).join(", "),
  });
}

async function save(): Promise<void> {
  const { name } = workspace.getState();
  const document = documentOf(editor.getState());
  if (name === null) return;
  workspace.setState({ saving: "saving" });
  try {
    const etag = await saveWorkflow(name, document, base.etag);
    base = { document, etag };
    const changed = documentOf(editor.getState()) !== document;
    workspace.setState({ saving: changed ? "changed" : "saved", trouble: "" });
    if (changed) schedule(PAUSE);
    else localStorage.removeItem(draftKey(name));
  } catch (error) {
    await recover(name, error);
  }
}

async function recover(name: string, error: unknown): Promise<void> {
  const status = error instanceof Refusal ? error.status : -1;
  if (status === 412 || status === 428) {
    try {
      takeIn(await readWorkflow(name));
    } catch {
      base = { document: EMPTY, etag: null }; // it was deleted meanwhile; what is here is saved anew
    }
    schedule(0);
    return;
  }
  const unreachable = status === 0 || status >= 500;
  workspace.setState({ saving: unreachable ? "offline" : "failed", trouble: wordsOf(error) });
  if (unreachable) schedule(RETRY);
}

function schedule(wait: number): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void flush(), wait);
}

interface Draft {
  readonly document: Document;
  readonly base: Document;
}

function readDraft(name: string): Draft | null {
  const text = localStorage.getItem(draftKey(name));
  return text === null ? null : (JSON.parse(text) as Draft);
}

function keepDraft(name: string, document: Document): void {
  try {
    localStorage.setItem(draftKey(name), JSON.stringify({ document, base: base.document } satisfies Draft));
  } catch {
    notify("warning", "draftTooLarge"); // the browser's store is full; the server still gets it
  }
}

/** Save whatever changes from now on; `copyName` names the copy of an example. */
export function saveChanges(copyName: (name: string) => string): void {
  editor.subscribe(({ history }, { history: before }) => {
    if (history.present === before.present || history.present === base.document) return;
    const open = workspace.getState();
    if (open.name === null || same(history.present, base.document)) return;
    if (!open.own) {
      if (!history.past.length) return; // it has just been opened
      base = { document: EMPTY, etag: null };
      workspace.setState({ name: copyName(open.name), own: true });
      notify("info", "copied", { name: workspace.getState().name ?? "" });
    }
    workspace.setState({ saving: "changed" });
    keepDraft(workspace.getState().name!, history.present);
    schedule(PAUSE);
  });
  window.addEventListener("pagehide", () => void flush());
}
