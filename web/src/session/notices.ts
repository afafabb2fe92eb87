/** Short notices to the person, shown for a while: a message's key, and what is put into it. */

import { createStore } from "zustand/vanilla";

import { same } from "../model/merge";
import type { MessageKey } from "../i18n/en";

export interface Notice {
  readonly id: number;
  readonly level: "info" | "warning" | "error";
  readonly key: MessageKey;
  readonly values: Readonly<Record<string, string | number>>;
  /** What can be done about it. */
  readonly action: Action | null;
}

export interface Action {
  readonly key: MessageKey;
  run(): void;
}

export const notices = createStore<{ readonly list: readonly Notice[] }>()(() => ({ list: [] }));

let last = 0;

/** Show a notice, in place of an equal one; errors stay until they are closed or another workflow is opened. */
export function notify(
  level: Notice["level"],
  key: MessageKey,
  values: Notice["values"] = {},
  action: Action | null = null,
): void {
  const id = (last += 1);
  const isEqual = (one: Notice) => one.key === key && same(one.values, values);
  notices.setState(({ list }) => ({
    list: [...list.filter((one) => !isEqual(one)).slice(-4), { id, level, key, values, action }],
  }));
  if (level !== "error") window.setTimeout(() => dismiss(id), action ? 20_000 : 6000);
}

/** Close a notice. */
export function dismiss(id: number): void {
  notices.setState(({ list }) => ({ list: list.filter((notice) => notice.id !== id) }));
}

/** Close what was said in some words, as it holds no more. */
export function dismissOf(key: MessageKey): void {
  notices.setState(({ list }) => ({ list: list.filter((notice) => notice.key !== key) }));
}

/** Close what was said of errors. */
export function dismissErrors(): void {
  notices.setState(({ list }) => ({ list: list.filter(({ level }) => level !== "error") }));
}
