/** Files that are dropped on the page: a picture gives its workflow back, a workflow's file opens, others become nodes. */

import { carriedWorkflow, Refusal, upload } from "../api/client";
import { wordsOf } from "../api/socket";
import type { Point } from "../model/document";
import { addNode } from "../model/edits";
import { editor, shownGraph } from "../model/editor";
import { freeName } from "../model/names";
import { readDocument } from "../model/reading";
import { openAsNew, withValues } from "./gallery";
import { notify } from "./notices";

/** Where a file was let go: on the canvas at a place, or elsewhere. */
export type Dropped = Point | null;

/** Take a file in. Pictures without a workflow become a node where they were dropped on the canvas. */
export async function takeFile(file: File, at: Dropped): Promise<void> {
  try {
    if (/\.json$/i.test(file.name)) await openText(file);
    else await openPicture(file, at);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

async function openText(file: File): Promise<void> {
  let value: unknown;
  try {
    value = JSON.parse(await file.text());
  } catch {
    notify("error", "droppedNoJson", { file: file.name });
    return;
  }
  const reading = readDocument(value);
  if (reading.ok) await openAsNew(reading.document, stemOf(file.name));
  else if (reading.reason === "tooNew") notify("error", "droppedTooNew", { file: file.name, format: reading.format });
  else notify("error", "droppedNoWorkflow", { file: file.name, place: reading.place });
}

async function openPicture(file: File, at: Dropped): Promise<void> {
  const taken = await upload(file, file.name);
  try {
    const { workflow, parameters } = await carriedWorkflow(taken.url);
    await openAsNew(withValues(workflow, parameters), workflow.name || stemOf(file.name));
    notify("info", "droppedOpened", { file: file.name });
  } catch (error) {
    if (!(error instanceof Refusal) || error.status !== 422) throw error;
    loadAsNode(file, taken.name, at);
  }
}

function loadAsNode(file: File, path: string, at: Dropped): void {
  if (!file.type.startsWith("image/")) notify("warning", "droppedUnknown", { file: file.name });
  else if (!at) notify("warning", "droppedNoCanvas", { file: file.name });
  else {
    const name = freeName("picture", shownGraph(editor.getState()).nodes);
    editor.getState().edit("load", (graph) => addNode(graph, name, { type: "images.load", settings: { path } }, at));
    editor.getState().select([name]);
    notify("info", "droppedAsNode", { file: file.name });
  }
}

function stemOf(name: string): string {
  return name.replace(/\.[^.]*$/, "");
}
