/**
 * What can be done, by name: the one list behind keys, menus, the command palette and the page of shortcuts.
 *
 * Keys are written `Mod+Shift+z`: Mod is Ctrl, on a Mac the command key; then Alt, Shift, and the key as the keyboard
 * gives it: letters in lower case, `Plus` for +. Shift is named with letters and long names only: `?` is `?` on every
 * keyboard.
 */

import type { MessageKey } from "../i18n/en";

/** What a menu can be about. */
export type About = "node" | "wire" | "group" | "note" | "end" | "canvas";

/** Where a command means something: in every view, where a workflow is open, or on its graph alone. */
export type Reach = "page" | "workflow" | "graph";

export interface Command {
  readonly id: string;
  readonly label: MessageKey;
  readonly group: "file" | "edit" | "build" | "view" | "run";
  readonly keys?: readonly string[];
  /** Where it can be used, and its keys are taken; on the graph where nothing is said. */
  readonly reach?: Reach;
  /** Whether it works while a text is being typed; only for keys that mean nothing to a field. */
  readonly whileTyping?: boolean;
  /** Whether its keys work only while the canvas has the keyboard; for those that mean something elsewhere. */
  readonly onCanvas?: boolean;
  /** Whether the browser carries its keys out, by an event of its own: copying and pasting. */
  readonly native?: boolean;
  /** The menus in which it stands, by what they are about. */
  readonly menu?: readonly About[];
  isEnabled?(): boolean;
  /** Whether what it switches is on. */
  isOn?(): boolean;
  run(): void;
}

/** Write a key press as commands name theirs. */
export function chordOf(event: KeyboardEvent): string {
  const key = keyOf(event);
  const shift = event.shiftKey && (key.length > 1 || /^[a-z]$/.test(key));
  return [(event.ctrlKey || event.metaKey) && "Mod", event.altKey && "Alt", shift && "Shift", key]
    .filter(Boolean)
    .join("+");
}

/** Name a key. With Alt, and with an alphabet of another script, a letter is known by where it lies. */
function keyOf({ key, code, altKey }: KeyboardEvent): string {
  const letter = /^Key([A-Z])$/.exec(code)?.[1]?.toLowerCase();
  if (letter && (altKey || (key.length === 1 && key.charCodeAt(0) > 127) || key === "Process")) return letter;
  if (key === "+") return "Plus";
  return key.length === 1 ? key.toLowerCase() : key;
}

const SYMBOLS: Readonly<Record<string, string>> = {
  ArrowLeft: "←",
  ArrowRight: "→",
  ArrowUp: "↑",
  ArrowDown: "↓",
  Plus: "+",
};
const MAC: Readonly<Record<string, string>> = { Mod: "⌘", Alt: "⌥", Shift: "⇧" };

/** Show a chord as people read it on this machine, key by key: `Ctrl`, `Shift`, `Z`. */
export function chordParts(chord: string, mac: boolean): readonly string[] {
  return chord.split("+").map((part) => {
    if (mac && MAC[part]) return MAC[part];
    return part === "Mod" ? "Ctrl" : (SYMBOLS[part] ?? (part.length === 1 ? part.toUpperCase() : part));
  });
}

/** Whether this machine's command key is the one of a Mac. */
export const IS_MAC = /Mac|iPhone|iPad/.test(navigator.userAgent);

/** Tell whether a key press goes into a field. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("textarea, select, dialog, [role=dialog], [contenteditable], input:not([type=checkbox])") !== null
  );
}

/** Tell whether the canvas has the keyboard: it, something in it, or nothing in particular. */
export function isOnCanvas(target: EventTarget | null): boolean {
  return !(target instanceof Element) || target === document.body || target.closest(".canvas") !== null;
}
