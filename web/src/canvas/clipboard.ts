/**
 * The clipboard: parts of a graph go through it as text, so that they reach other tabs, windows and files.
 *
 * The browser's own events are followed, which need no permission. What it does not let a page do, reading the clipboard
 * without a key being pressed, falls back to what was copied here last.
 */

import { editor, documentOf, scopeOf } from "../model/editor";
import { copy, paste, readFragment } from "../model/fragment";
import { notify } from "../session/notices";
import { isOnCanvas, isTyping } from "../commands/command";
import { chosenIds, rectsOf } from "./chosen";
import { onCanvas, placeForNew } from "./stage";
import { around } from "../model/arrange";
import type { Document } from "../model/document";
import type { Point } from "../model/document";

const STEP = 32;
let last: { readonly text: string; times: number } = { text: "", times: 0 };
/** Whether the keys that are pressed ask for the wires from outside. */
let wired = false;

/** Return the text of what is chosen; null where nothing is. */
function chosenText(): string | null {
  const state = editor.getState();
  const fragment = copy(documentOf(state), scopeOf(state), chosenIds());
  return fragment && JSON.stringify(fragment, null, 1);
}

/** Copy what is chosen, asked for by a menu. */
export function copyChosen(): void {
  const text = chosenText();
  if (text === null) return;
  last = { text, times: 0 };
  navigator.clipboard?.writeText(text).catch(() => notify("warning", "clipboardClosed"));
}

/** Paste what was copied, asked for by a menu. */
export async function pasteCopied(withWires: boolean): Promise<void> {
  let text = last.text;
  try {
    text = (await navigator.clipboard.readText()) || text;
  } catch {
    // the browser does not let the page look; what was copied in this tab is at hand
  }
  if (!pasteText(text, withWires)) notify("info", "nothingToPaste");
}

/** Put down a copy of what is chosen beside it, with the wires that come from outside. */
export function duplicateChosen(): void {
  const state = editor.getState();
  const fragment = copy(documentOf(state), scopeOf(state), chosenIds());
  const box = around(Object.values(rectsOf(chosenIds())));
  if (fragment && box) put(fragment, { x: box.x + STEP, y: box.y + STEP }, true);
}

/** Paste a text if it is a part of a graph, or a workflow; returns whether it is. */
function pasteText(text: string, withWires: boolean): boolean {
  const fragment = readFragment(text);
  if (!fragment) return false;
  last = { text, times: last.text === text ? last.times + 1 : 0 };
  const { x, y } = onCanvas(placeForNew());
  put(fragment, { x: x + last.times * STEP, y: y + last.times * STEP }, withWires);
  return true;
}

function put(fragment: Document, at: Point, withWires: boolean): void {
  const state = editor.getState();
  const pasted = paste(documentOf(state), scopeOf(state), fragment, { at, wired: withWires });
  if (typeof pasted === "string") {
    notify("warning", "holdsItself", { name: pasted });
    return;
  }
  state.editDocument("paste", () => pasted.document);
  state.select(pasted.ids);
}

function isOurs(event: Event): boolean {
  return !event.defaultPrevented && !isTyping(event.target) && isOnCanvas(event.target);
}

/** Listen for copying, cutting and pasting; `cut` takes away what was copied. Returns what ends that. */
export function listenToClipboard(cut: () => void): () => void {
  const take = (event: ClipboardEvent): boolean => {
    if (!isOurs(event) || getSelection()?.toString()) return false;
    const text = chosenText();
    if (text === null) return false;
    last = { text, times: 0 };
    event.clipboardData?.setData("text/plain", text);
    event.preventDefault();
    return true;
  };
  const onCut = (event: ClipboardEvent) => {
    if (take(event)) cut();
  };
  const onPaste = (event: ClipboardEvent) => {
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (isOurs(event) && pasteText(text, wired)) event.preventDefault();
  };
  const onKey = ({ shiftKey }: KeyboardEvent) => {
    wired = shiftKey;
  };
  document.addEventListener("copy", take);
  document.addEventListener("cut", onCut);
  document.addEventListener("paste", onPaste);
  document.addEventListener("keydown", onKey, true);
  return () => {
    document.removeEventListener("copy", take);
    document.removeEventListener("cut", onCut);
    document.removeEventListener("paste", onPaste);
    document.removeEventListener("keydown", onKey, true);
  };
}
