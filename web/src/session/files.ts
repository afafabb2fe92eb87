/** What lies in the models and inputs folders, read when it is first asked for, and again after an upload. */

import { createStore } from "zustand/vanilla";

import { fetchModels, type Model, type Upload, upload } from "../api/client";
import { wordsOf } from "../api/socket";
import { notify } from "./notices";

export interface Files {
  readonly models: readonly Model[] | null;
  /** Files that were uploaded from this page, by the name that a setting is given. */
  readonly uploads: Readonly<Record<string, Upload>>;
}

export const files = createStore<Files>()(() => ({ models: null, uploads: {} }));

let asked = false;

/** Read the models folder, once; `again` after something was put there. */
export async function loadModels(again = false): Promise<void> {
  if (asked && !again) return;
  asked = true;
  try {
    files.setState({ models: await fetchModels() });
  } catch (error) {
    asked = false;
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** Put a file into the inputs folder; null, after saying why, where the server does not take it. */
export async function uploadFile(file: Blob, name: string): Promise<Upload | null> {
  try {
    const taken = await upload(file, name);
    files.setState(({ uploads }) => ({ uploads: { ...uploads, [taken.name]: taken } }));
    return taken;
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
    return null;
  }
}
