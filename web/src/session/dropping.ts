/** Files that are dropped on the page or chosen: a picture gives its workflow back, a workflow's file opens, others become nodes. */

import { carriedWorkflow, Refusal, upload } from "../api/client";
import { wordsOf } from "../api/socket";
import type { Point } from "../model/document";
import { addNode } from "../model/edits";
import { editor, shownGraph } from "../model/editor";
import { freeName } from "../model/names";
import { importFiles, isWorkflowFile } from "./exchange";
import { beginWorkflow } from "./library";
import { notify } from "./notices";
import { withValues } from "./values";

/** Where a file was let go: on the canvas at a place, or elsewhere. */
export type Dropped = Point | null;

/** Take files in. Pictures without a workflow become nodes where they were dropped on the canvas. */
export async function takeFiles(files: readonly File[], at: Dropped): Promise<void> {
  const workflows = files.filter(isWorkflowFile);
  try {
    if (workflows.length) await importFiles(workflows);
    for (const file of files) if (!isWorkflowFile(file)) await openPicture(file, at);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

async function openPicture(file: File, at: Dropped): Promise<void> {
  const taken = await upload(file, file.name);
  try {
    const { workflow, parameters } = await carriedWorkflow(taken.url);
    await beginWorkflow(withValues(workflow, parameters), workflow.name || file.name.replace(/\.[^.]*$/, ""));
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

/** Let the person choose files to take in: workflows, or pictures that carry one. */
export function chooseFiles(): void {
  const field = Object.assign(document.createElement("input"), {
    type: "file",
    accept: ".json,application/json,.zip,application/zip,image/*",
    multiple: true,
  });
  field.addEventListener("change", () => void takeFiles([...(field.files ?? [])], null));
  field.click();
}
