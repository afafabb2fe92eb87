/**
 * The open workflow and its file on the server: loading, saving as it changes, and meeting what other tabs save.
 *
 * Nothing typed is lost: a change lies in the browser's own store at once and on the server within a second. An example
 * becomes the person's own copy with the first change. Whatever is asked of the server is asked in turn, so that what is
 * saved, read and renamed never overtakes each other.
 */

import { createStore } from "zustand/vanilla";

import { listWorkflows, moveWorkflow, readWorkflow, Refusal, saveWorkflow } from "../api/client";
import { wordsOf } from "../api/socket";
import { type Document, EMPTY } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { placesOf } from "../model/changes";
import { merge, same } from "../model/merge";
import { freeName } from "../model/names";
import { readDocument, type Reading } from "../model/reading";
import { dropDraft, keepDraft, type LeftDraft, leftDrafts, moveDrafts, stayAlive } from "./drafts";
import { notify } from "./notices";
import { forgetOrigin, keepOrigin, originOf } from "./origins";
import { tellMerged, tellTaken } from "./tellings";

export type Saving = "saved" | "changed" | "saving" | "offline" | "failed";

export interface Workspace {
  readonly name: string | null;
  readonly own: boolean;
  /** The name that it last ran under, where it has not run under its own yet: a copy's, or one of before. */
  readonly origin: string | null;
  readonly saving: Saving;
  readonly trouble: string;
  /** Counts what was opened. A copy, or another name, is still the same one. */
  readonly opened: number;
}

const CLOSED = { name: null, own: false, origin: null, saving: "saved", trouble: "" } as const;
export const workspace = createStore<Workspace>()(() => ({ ...CLOSED, opened: 0 }));

/** Return what the open workflow's latest runs go by. */
export const latestIdentity = ({ name, origin }: Workspace = workspace.getState()): string => origin ?? name ?? "";

/** What was read is no workflow that can be shown. It is left as it is. */
export class Unreadable extends Error {
  constructor(readonly reading: Exclude<Reading, { ok: true }> | { readonly reason: "noJson" }) {
    super(reading.reason === "tooNew" ? `format ${reading.format}` : "no workflow");
  }
}

interface Base {
  readonly document: Document;
  readonly etag: string | null;
}

/** The version on the server that the document grew out of; no etag where there is none yet. */
let base: Base = { document: EMPTY, etag: null };
let timer = 0;
let opening = 0;
let turn: Promise<unknown> = Promise.resolve();
/** Whether all that is not saved lies in the browser's store. */
let isKept = true;
let isSaving = false;

const PAUSE = 600;
const RETRY = 3000;
const present = (): Document => documentOf(editor.getState());

/** Do something once all that was asked for before is done. */
function inTurn<T>(task: () => Promise<T>): Promise<T> {
  const done = turn.then(task, task);
  turn = done.catch(() => undefined);
  return done;
}

/** Read a saved workflow. Throws `Unreadable` where the file is none that can be shown. */
export async function readSaved(name: string): Promise<{ document: Document; etag: string }> {
  const { document, etag } = await readWorkflow(name).catch((error: unknown) => {
    throw error instanceof SyntaxError ? new Unreadable({ reason: "noJson" }) : error;
  });
  const reading = readDocument(document);
  if (!reading.ok) throw new Unreadable(reading);
  return { document: reading.document, etag };
}

/** Open a saved workflow; what this browser had not saved of it is taken up again. */
export async function openWorkflow(name: string, own: boolean): Promise<void> {
  const asked = (opening += 1);
  await flush();
  const isWanted = () => asked === opening;
  let read;
  try {
    read = await readSaved(name);
  } catch (error) {
    if (isWanted()) closeWorkflow();
    throw error;
  }
  const drafts = own ? await leftDrafts(name) : [];
  await flush();
  if (!isWanted()) return;
  show(name, own, { document: read.document, etag: own ? read.etag : null }, read.document);
  takeUp(drafts);
}

/** Stay with the open workflow, whatever was about to be opened in its place. */
export function stayOpen(): void {
  opening += 1;
}

/** Take up what was not saved of the document that has just been opened. */
function takeUp(drafts: readonly LeftDraft[]): void {
  const conflicts: string[] = [];
  let value = base.document;
  for (const draft of drafts) {
    const merged = merge(draft.base, draft.document, value);
    value = merged.value;
    conflicts.push(...merged.conflicts);
  }
  if (!same(value, base.document)) {
    editor.getState().editDocument("restore", () => value); // keeps a draft of this tab
    if (conflicts.length) tellMerged(conflicts);
    else notify("info", "draftRestored");
  }
  if (isKept) for (const draft of drafts) draft.drop();
}

/** Begin a workflow under a new name, and show it. It is saved with the next `flush`. */
export async function newWorkflow(name: string, document: Document): Promise<void> {
  opening += 1;
  await flush();
  forgetOrigin(name);
  show(name, true, { document: EMPTY, etag: null }, document);
  workspace.setState({ saving: "changed" });
  keep(name);
}

/** Show nothing. */
export function closeWorkflow(): void {
  window.clearTimeout(timer);
  base = { document: EMPTY, etag: null };
  workspace.setState(({ opened }) => ({ ...CLOSED, opened: opened + 1 }));
  editor.getState().open(EMPTY);
}

function show(name: string, own: boolean, saved: Base, document: Document): void {
  base = saved;
  const origin = own ? originOf(name) : null;
  workspace.setState(({ opened }) => ({ name, own, origin, saving: "saved", trouble: "", opened: opened + 1 }));
  editor.getState().open(document);
}

/**
 * Add to the open document what its file leaves open, such as places. That is no change of the person's: it cannot be
 * undone, and is saved with the next one that can.
 */
export function complete(change: (document: Document) => Document): void {
  base = { ...base, document: change(base.document) };
  editor.getState().takeIn(change);
}

/** Save what is not saved yet, now. */
export function flush(): Promise<void> {
  return inTurn(() => saveChanged());
}

/** Save the open workflow because the person wants it: this version is always kept. */
export function saveOnPurpose(): Promise<void> {
  return inTurn(() => saveChanged(true));
}

/** Give the open workflow's file another name. Throws a `Refusal` where that cannot be; nothing has happened then. */
export function renameWorkflow(to: string): Promise<void> {
  return inTurn(async () => {
    await saveChanged();
    const { name } = workspace.getState();
    if (name === null) return;
    if (base.etag === null) {
      const document = present();
      base = { document, etag: await saveWorkflow(to, document, null) };
    } else base = { ...base, etag: await moveWorkflow(name, to, base.etag) };
    await goBy(name, to);
  });
}

/** Another tab or program gave a workflow another name: if it is the open one, it goes on under that. */
export async function follow(name: string, to: string): Promise<void> {
  await inTurn(() => followTo(name, to));
}

async function followTo(name: string, to: string): Promise<void> {
  const open = workspace.getState();
  if (open.name !== name || !open.own) return;
  await goBy(name, to);
  notify("info", "movedElsewhere", { name: to });
  await catchUp(to);
}

/** Go on under another name, with what is not saved yet. */
async function goBy(name: string, to: string): Promise<void> {
  workspace.setState({ name: to });
  if (!same(present(), base.document)) keep(to);
  dropDraft(name);
  await moveDrafts(name, to);
  settle();
}

/** Take in what another tab or program saved under the open name. */
export async function meet(name: string, etag: string): Promise<void> {
  await inTurn(async () => {
    const open = workspace.getState();
    if (open.name === name && open.own && etag !== base.etag) await catchUp(name);
  });
}

/** Bridge a time without connection: save what was changed here, and take in what was changed elsewhere. */
export async function reconnect(): Promise<void> {
  await inTurn(async () => {
    await saveChanged();
    const { name, own, saving } = workspace.getState();
    if (name !== null && own && base.etag !== null && saving === "saved") await catchUp(name);
  });
}

/** Somebody else deleted a workflow: if it is the open one, it stays here, and is saved again with the next change. */
export async function loseFile(name: string): Promise<void> {
  await inTurn(async () => {
    const open = workspace.getState();
    if (open.name !== name || !open.own || base.etag === null) return;
    if ((await ownVersion(name)) !== null) return;
    base = { ...base, etag: null };
    notify("warning", "deletedElsewhere");
  });
}

async function catchUp(name: string): Promise<void> {
  try {
    const theirs = await ownVersion(name);
    if (theirs && theirs.etag !== base.etag) takeIn(theirs);
    settle();
  } catch (error) {
    if (error instanceof Refusal && error.movedTo !== null) await followTo(name, error.movedTo);
    else tell(error);
  }
}

/** Return what the server has under a name of the person's own; null where it has nothing of theirs. */
async function ownVersion(name: string): Promise<{ document: Document; etag: string } | null> {
  const [known] = await listWorkflows(name);
  if (known && !known.own) return null;
  return readSaved(name).catch((error: unknown) => {
    if (error instanceof Refusal && error.status === 404 && error.movedTo === null) return null;
    throw error;
  });
}

function takeIn(theirs: { document: Document; etag: string }): void {
  const before = base.document;
  const mine = present();
  const first = editor.getState().history.past[0]?.document ?? mine;
  const { value, conflicts } = merge(before, mine, theirs.document);
  base = theirs;
  if (!same(value, mine)) {
    editor.getState().takeIn((document) => merge(before, document, theirs.document).value);
    if (!conflicts.length) tellTaken(placesOf(mine, value), placesOf(first, mine));
  }
  if (conflicts.length) tellMerged(conflicts);
}

async function saveChanged(onPurpose = false): Promise<void> {
  window.clearTimeout(timer);
  const { name, own, saving } = workspace.getState();
  const document = present();
  if (name === null || !own || (same(document, base.document) && !onPurpose)) return;
  if (saving !== "offline") workspace.setState({ saving: "saving" });
  isSaving = true;
  try {
    base = { document, etag: await saveWorkflow(name, document, base.etag, { automatic: !onPurpose }) };
    settle();
  } catch (error) {
    await recover(name, error);
  } finally {
    isSaving = false;
  }
}

/** Say whether all is saved; if not, save it soon. */
function settle(): void {
  const { name } = workspace.getState();
  if (name === null) return;
  if (same(present(), base.document)) {
    window.clearTimeout(timer);
    dropDraft(name);
    isKept = true;
    workspace.setState({ saving: "saved", trouble: "" });
  } else {
    workspace.setState({ saving: "changed", trouble: "" });
    schedule(PAUSE);
  }
}

async function recover(name: string, error: unknown): Promise<void> {
  if (error instanceof Refusal && error.movedTo !== null) {
    await followTo(name, error.movedTo);
    if (!same(present(), base.document)) schedule(0);
    return;
  }
  const status = error instanceof Refusal ? error.status : -1;
  const isTaken = status === 428 || (status === 409 && base.etag === null);
  if (status !== 412 && !isTaken) {
    tell(error);
    return;
  }
  try {
    if (isTaken) await moveAside(name);
    else {
      const theirs = await ownVersion(name);
      if (theirs) takeIn(theirs);
      else base = { document: EMPTY, etag: null }; // it was deleted meanwhile; what is here is saved anew
    }
    settle();
    if (!same(present(), base.document)) schedule(0);
  } catch (again) {
    tell(again);
  }
}

/** Take a free name where what has never been saved met another workflow of its name. */
async function moveAside(name: string): Promise<void> {
  const taken = Object.fromEntries((await listWorkflows()).map((one) => [one.name, true]));
  const next = freeName(name, { ...taken, [name]: true });
  workspace.setState({ name: next, origin: latestIdentity() });
  keep(next);
  dropDraft(name);
}

function tell(error: unknown): void {
  const status = error instanceof Refusal ? error.status : -1;
  const isPassing = status === 0 || status >= 500 || status === 408 || status === 429;
  workspace.setState({ saving: isPassing ? "offline" : "failed", trouble: wordsOf(error) });
  if (isPassing) schedule(RETRY);
}

function schedule(wait: number): void {
  window.clearTimeout(timer);
  timer = window.setTimeout(() => void flush(), wait);
}

function keep(name: string): void {
  const before = isKept;
  isKept = keepDraft(name, { document: present(), base: base.document });
  if (before && !isKept) notify("warning", "draftTooLarge"); // the server still gets it
}

/** How the copy of an example is called: its file, and its title. */
export interface CopyNames {
  file(name: string): string;
  title(title: string): string;
}

/** Save whatever changes from now on; `copy` names the copy of an example. */
export function saveChanges(copy: CopyNames): void {
  stayAlive();
  workspace.subscribe(keepOrigin);
  editor.subscribe(({ history }, { history: before }) => {
    const open = workspace.getState();
    if (history.present === before.present || open.name === null) return;
    if (same(history.present, base.document)) {
      if (open.own && !isSaving) settle();
      return;
    }
    if (!open.own) {
      if (!history.past.length) return; // it has just been opened
      base = { document: EMPTY, etag: null };
      workspace.setState({ name: copy.file(open.name), own: true, origin: latestIdentity(open) });
      // as if it had always been called so: that is no step of the person's, and cannot be undone
      editor.getState().takeIn((one) => (one.name ? { ...one, name: copy.title(one.name) } : one));
      notify("info", "copied", { name: workspace.getState().name ?? "" });
    }
    if (open.saving !== "offline") workspace.setState({ saving: "changed" });
    keep(workspace.getState().name!);
    schedule(PAUSE);
  });
  window.addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") void flush();
  });
  window.addEventListener("beforeunload", (event) => {
    if (!isKept) event.preventDefault(); // the browser asks whether to stay
  });
}

/** Send what is not saved yet as the page goes; its answer is not waited for. The draft stays, in case it is lost. */
function leave(): void {
  const { name, own } = workspace.getState();
  if (name === null || !own || same(present(), base.document)) return;
  void saveWorkflow(name, present(), base.etag, { keepalive: true, automatic: true }).catch(() => undefined);
}
