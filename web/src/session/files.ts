/** What lies in the models folder, read when it is first asked for; and files on their way into the inputs. */

import { createStore } from "zustand/vanilla";

import { fetchModels, type Model, type Upload, upload } from "../api/client";
import { wordsOf } from "../api/socket";
import { notify } from "./notices";

export interface Files {
  readonly models: readonly Model[] | null;
}

export const files = createStore<Files>()(() => ({ models: null }));

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
    return await upload(file, name);
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
    return null;
  }
}
