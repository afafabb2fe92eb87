/**
 * What this browser holds of changes until the server has them. Each tab keeps drafts of its own, so that two tabs never
 * write over each other's; those of tabs that are gone are taken up by whoever opens the workflow next.
 */

import { TAB } from "../api/client";
import type { Document } from "../model/document";

/** A document that is not saved, and the saved one that it grew out of. */
export interface Draft {
  readonly document: Document;
  readonly base: Document;
}

const START = "graphgen-draft:";
const keyOf = (tab: string, name: string): string => `${START}${tab}:${name}`;
const lockOf = (tab: string): string => `graphgen-tab:${tab}`;

/** Let other tabs know that this one lives, until it is closed. */
export function stayAlive(): void {
  void navigator.locks?.request(lockOf(TAB), () => new Promise(() => {}));
}

/** Keep a draft; false where the browser has no room for it. */
export function keepDraft(name: string, draft: Draft): boolean {
  try {
    localStorage.setItem(keyOf(TAB, name), JSON.stringify(draft));
    return true;
  } catch {
    return false;
  }
}

/** Forget this tab's draft: the server has it. */
export function dropDraft(name: string): void {
  localStorage.removeItem(keyOf(TAB, name));
}

/** Let the drafts that tabs which are gone left of a workflow be found under its other name. */
export async function moveDrafts(name: string, to: string): Promise<void> {
  for (const key of await leftKeys(name)) {
    const [tab] = partsOf(key);
    if (tab === TAB) continue;
    localStorage.setItem(keyOf(tab, to), localStorage.getItem(key)!);
    localStorage.removeItem(key);
  }
}

export interface LeftDraft extends Draft {
  /** Forget it, once this tab keeps what was in it. */
  drop(): unknown;
}

/** List the drafts of a workflow that are this tab's, or of tabs that are gone. */
export async function leftDrafts(name: string): Promise<readonly LeftDraft[]> {
  return (await leftKeys(name)).map((key) => {
    const draft = JSON.parse(localStorage.getItem(key)!) as Draft;
    return { ...draft, drop: () => partsOf(key)[0] !== TAB && localStorage.removeItem(key) };
  });
}

async function leftKeys(name: string): Promise<readonly string[]> {
  const living = new Set((await navigator.locks?.query())?.held?.map((lock) => lock.name) ?? []);
  return draftKeys().filter((key) => {
    const [tab, of] = partsOf(key);
    return of === name && (tab === TAB || !living.has(lockOf(tab)));
  });
}

/** List the workflows of which this browser holds what the server may not have. */
export function draftedNames(): ReadonlySet<string> {
  return new Set(draftKeys().map((key) => partsOf(key)[1]));
}

function draftKeys(): readonly string[] {
  return Array.from({ length: localStorage.length }, (_, index) => localStorage.key(index) ?? "").filter((key) =>
    key.startsWith(START),
  );
}

function partsOf(key: string): readonly [tab: string, name: string] {
  const rest = key.slice(START.length);
  const colon = rest.indexOf(":");
  return [rest.slice(0, colon), rest.slice(colon + 1)];
}
