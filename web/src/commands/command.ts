/**
 * What can be done, by name: the one list behind keys, menus, the command palette and the page of shortcuts.
 *
 * Keys are written `Mod+Shift+z`: Mod is Ctrl, on a Mac the command key; then Alt, Shift, and the key as the keyboard
 * gives it, letters in lower case.
 */

import type { MessageKey } from "../i18n/en";

export interface Command {
  readonly id: string;
  readonly label: MessageKey;
  readonly group: "file" | "edit" | "build" | "view" | "run";
  readonly keys?: readonly string[];
  /** Whether it works while a text is being typed; only for keys that mean nothing to a field. */
  readonly whileTyping?: boolean;
  isEnabled?(): boolean;
  run(): void;
}

/** Write a key press as commands name theirs. */
export function chordOf(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const parts = [(event.ctrlKey || event.metaKey) && "Mod", event.altKey && "Alt", event.shiftKey && "Shift", key];
  return parts.filter(Boolean).join("+");
}

/** Show a chord as people read it on this machine: `Ctrl Shift Z`. */
export function chordLabel(chord: string, mac: boolean): string {
  return chord
    .split("+")
    .map((part) => (part === "Mod" ? (mac ? "⌘" : "Ctrl") : part.length === 1 ? part.toUpperCase() : part))
    .join(" ");
}

/** Tell whether a key press goes into a field. */
export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof Element &&
    target.closest("textarea, select, dialog, [role=dialog], [contenteditable], input:not([type=checkbox])") !== null
  );
}
