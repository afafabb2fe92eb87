/** What is done with workflows as files: begun, copied, renamed, put into folders, deleted and brought back. */

import { createStore } from "zustand/vanilla";

import {
  type DeletedWorkflow,
  deleteWorkflow,
  listDeleted,
  moveWorkflow,
  readFile,
  Refusal,
  restoreVersion,
  saveWorkflow,
  type WorkflowInfo,
} from "../api/client";
import { wordsOf } from "../api/socket";
import { language, say } from "../i18n";
import { type Document, EMPTY } from "../model/document";
import { editor } from "../model/editor";
import { same } from "../model/merge";
import { freeName } from "../model/names";
import { baseOf, fileNameFrom, folderOf, inFolder } from "../model/filenames";
import { moveDrafts } from "./drafts";
import { notify } from "./notices";
import { hashOf } from "./route";
import { refreshWorkflows, studio } from "./studio";
import { closeWorkflow, flush, newWorkflow, readSaved, renameWorkflow, workspace } from "./workspace";

/** What is asked about a workflow, in a dialog; and the workflows that were deleted, once they were looked for. */
export interface Library {
  readonly asked: { readonly kind: "details" | "history"; readonly name: string } | null;
  readonly deleted: readonly DeletedWorkflow[];
}

export const library = createStore<Library>()(() => ({ asked: null, deleted: [] }));

let twins: { readonly of: readonly WorkflowInfo[]; readonly titles: ReadonlySet<string> } | null = null;

/** Return the titles that several workflows have, which are told apart by the names of their files. */
export function sharedTitles(workflows: readonly WorkflowInfo[]): ReadonlySet<string> {
  if (twins?.of === workflows) return twins.titles;
  const seen = new Set<string>();
  const titles = new Set(workflows.flatMap(({ title }) => (seen.has(title) ? [title] : (seen.add(title), []))));
  twins = { of: workflows, titles };
  return titles;
}

const words = () => language.getState().code;

/** Return a name for a file that is not taken: the one wanted, or one like it, in a folder or in none. */
export function nameForFile(wanted: string, folder = ""): string {
  const taken = Object.fromEntries(studio.getState().workflows.map(({ name }) => [name, true]));
  return freeName(inFolder(folder, fileNameFrom(wanted) || say(words(), "untitled")), taken);
}

/** Do something the server may refuse; says so then. */
export async function attempt(task: () => Promise<void>): Promise<boolean> {
  try {
    await task();
    return true;
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
    return false;
  }
}

/** Begin an empty workflow, or one that is like another document, and show it. */
export async function beginWorkflow(document: Document = EMPTY, wanted = "", folder = ""): Promise<void> {
  const name = nameForFile(wanted, folder);
  await newWorkflow(name, { ...document, name: document.name || baseOf(name) });
  location.hash = hashOf("graph", name); // before it is saved: whoever goes elsewhere meanwhile is not called back
  await flush();
}

/** Begin a workflow that is like a saved one. */
export const duplicateWorkflow = (name: string): Promise<boolean> =>
  attempt(async () => {
    if (workspace.getState().name === name) await flush();
    const { document } = await readSaved(name);
    const copy = say(words(), "copyOf", { name: baseOf(name) });
    const title = document.name && say(words(), "copyOf", { name: document.name });
    await beginWorkflow({ ...document, ...(title ? { name: title } : {}) }, copy, folderOf(name));
  });

/** Delete a workflow; for a while, it can be taken back. */
export const removeWorkflow = (name: string): Promise<boolean> =>
  attempt(async () => {
    const isOpen = workspace.getState().name === name;
    const title = studio.getState().workflows.find((one) => one.name === name)?.title ?? name;
    if (isOpen) await flush();
    await deleteWorkflow(name, (await readFile(name)).etag);
    if (isOpen) {
      closeWorkflow();
      location.hash = "#/";
    }
    await Promise.all([refreshWorkflows(), lookForDeleted()]);
    notify("info", "deleted", { name: title }, { key: "takeBack", run: () => void bringBack(name) });
  });

/** Bring a deleted workflow back as it was last. */
export const bringBack = (name: string): Promise<boolean> =>
  attempt(async () => {
    await lookForDeleted();
    const gone = library.getState().deleted.find((one) => one.name === name);
    if (!gone) throw new Refusal(404, say(words(), "nothingKept", { name }));
    await restoreVersion(name, gone.version);
    await Promise.all([refreshWorkflows(), lookForDeleted()]);
  });

/** Read which deleted workflows can be brought back. */
export async function lookForDeleted(): Promise<void> {
  library.setState({ deleted: await listDeleted() });
}

export interface Details {
  readonly title: string;
  readonly description: string;
  readonly file: string;
}

/** Change a workflow's title, description and the name of its file. */
export const changeDetails = (name: string, { title, description, file }: Details): Promise<boolean> =>
  attempt(async () => {
    const described = ({ description: _, ...rest }: Document): Document => ({
      ...rest,
      name: title,
      ...(description ? { description } : {}),
    });
    if (workspace.getState().name === name) {
      editor.getState().editDocument("details", (one) => (same(described(one), one) ? one : described(one)));
      if (workspace.getState().own && file !== name) await renameWorkflow(file);
    } else {
      const { document, etag } = await readSaved(name);
      const next = described(document);
      const saved = same(next, document) ? etag : await saveWorkflow(name, next, etag);
      if (file !== name) await moveClosed(name, file, saved);
    }
    await refreshWorkflows();
  });

/** Put one of the person's own workflows into a folder; an empty name is that of none. */
export const moveToFolder = (name: string, folder: string): Promise<boolean> =>
  attempt(async () => {
    const to = inFolder(folder, baseOf(name));
    if (to === name) return;
    if (workspace.getState().name === name) await renameWorkflow(to);
    else await moveClosed(name, to, (await readFile(name)).etag);
    await refreshWorkflows();
  });

async function moveClosed(name: string, to: string, seen: string): Promise<void> {
  await moveWorkflow(name, to, seen);
  await moveDrafts(name, to);
}

/** Give a workflow the content of an earlier version. The open one changes as by any edit, and can be undone. */
export const restoreDocument = (name: string, document: Document): Promise<boolean> =>
  attempt(async () => {
    if (workspace.getState().name === name) {
      editor.getState().editDocument("restore", () => document);
      return;
    }
    await saveWorkflow(name, document, (await readFile(name)).etag);
    await refreshWorkflows();
    window.dispatchEvent(new HashChangeEvent("hashchange")); // one that could not be shown is opened again
  });
