/**
 * Undo and redo: a list of whole documents. They share what is equal, so that a hundred of them cost little.
 *
 * Edits with the same `merge` key that follow each other within a second and a half are one step: typing a word,
 * dragging a slider.
 */

import type { Document } from "./document";

const LONGEST = 500;
const PAUSE = 1500;

export interface Step {
  readonly document: Document;
  /** What was done to get from here to the next document. */
  readonly label: string;
}

export interface History {
  readonly past: readonly Step[];
  readonly present: Document;
  readonly future: readonly Step[];
  readonly merge: { readonly key: string; readonly time: number } | null;
}

/** Begin with a document that nothing has been done to. */
export function begin(document: Document): History {
  return { past: [], present: document, future: [], merge: null };
}

/** Go on to another document; what had been undone is gone then. */
export function record(history: History, next: Document, label: string, key: string | null, now: number): History {
  if (next === history.present) return history;
  const last = history.merge;
  const merges = key !== null && last?.key === key && now - last.time < PAUSE && history.past.length > 0;
  const past = merges ? history.past : [...history.past.slice(1 - LONGEST), { document: history.present, label }];
  return { past, present: next, future: [], merge: key === null ? null : { key, time: now } };
}

/** Go one step back. */
export function undo(history: History): History {
  const step = history.past.at(-1);
  if (!step) return history;
  const future = [{ document: history.present, label: step.label }, ...history.future];
  return { past: history.past.slice(0, -1), present: step.document, future, merge: null };
}

/** Go one step forward again. */
export function redo(history: History): History {
  const step = history.future[0];
  if (!step) return history;
  const past = [...history.past, { document: history.present, label: step.label }];
  return { past, present: step.document, future: history.future.slice(1), merge: null };
}

/** Replace the present by what somebody else made of it, with `change` done to the steps as well. */
export function rebase(history: History, change: (document: Document) => Document): History {
  const over = (steps: readonly Step[]) => steps.map((step) => ({ ...step, document: change(step.document) }));
  return { past: over(history.past), present: change(history.present), future: over(history.future), merge: null };
}
