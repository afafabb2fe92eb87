/** Workflows that go out as files and come in: alone, or in a bundle with the pictures they read. */

import { fetchBundle, readFile, saveWorkflow, takeBundle } from "../api/client";
import { wordsOf } from "../api/socket";
import { type Document } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { baseOf } from "../model/filenames";
import { readDocument } from "../model/reading";
import { attempt, beginWorkflow, nameForFile } from "./library";
import { notify } from "./notices";
import { refreshWorkflows } from "./studio";
import { flush, workspace } from "./workspace";

const JSON_NAME = /\.json$/i;
const BUNDLE_NAME = /(\.graphgen)?\.zip$/i;

/** Tell whether a file may hold a workflow, by its name. */
export const isWorkflowFile = ({ name }: File): boolean => JSON_NAME.test(name) || BUNDLE_NAME.test(name);

/** Hand a workflow to the browser as a file. */
export const exportWorkflow = (name: string): Promise<boolean> =>
  attempt(async () => {
    const isOpen = workspace.getState().name === name;
    const text = isOpen ? `${JSON.stringify(documentOf(editor.getState()), null, 2)}\n` : (await readFile(name)).text;
    hand(new Blob([text], { type: "application/json" }), `${baseOf(name)}.json`);
  });

/** Hand a workflow to the browser with the pictures it reads. */
export const exportBundle = (name: string): Promise<boolean> =>
  attempt(async () => {
    if (workspace.getState().name === name) await flush();
    hand(await fetchBundle(name), `${baseOf(name)}.graphgen.zip`);
  });

function hand(data: Blob, name: string): void {
  const url = URL.createObjectURL(data);
  Object.assign(window.document.createElement("a"), { href: url, download: name }).click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Take workflows in from files, each under a name that is free; one alone is shown. */
export async function importFiles(files: readonly File[]): Promise<void> {
  for (const file of files) {
    const document = BUNDLE_NAME.test(file.name) ? await documentInBundle(file) : await documentIn(file);
    if (document === undefined) continue; // it is told why
    const wanted = file.name.replace(BUNDLE_NAME, "").replace(JSON_NAME, "");
    if (!document) notify("error", "noWorkflowIn", { name: file.name });
    else if (files.length === 1) await beginWorkflow(document, wanted);
    else await attempt(async () => void (await saveWorkflow(nameForFile(wanted), document, null)));
    await refreshWorkflows();
  }
}

async function documentIn(file: File): Promise<Document | null> {
  try {
    const reading = readDocument(JSON.parse(await file.text()));
    return reading.ok ? reading.document : null;
  } catch {
    return null; // no JSON; the caller says so
  }
}

/** Put a bundle's pictures among the inputs, and return its workflow; undefined, after saying why, where that fails. */
async function documentInBundle(file: File): Promise<Document | null | undefined> {
  try {
    const { workflow, missing } = await takeBundle(file);
    const names = missing.map((one) => one.name).join(", ");
    if (names) notify("warning", "missingHere", { names });
    const reading = readDocument(workflow);
    return reading.ok ? reading.document : null;
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
    return undefined;
  }
}
