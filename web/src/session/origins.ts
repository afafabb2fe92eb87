/**
 * Which workflow a copy was made of that has not run yet under its own name: its latest runs are those of that one. The
 * server knows nothing of it; the browser keeps it, until the copy runs.
 */

const START = "graphgen-origin:";

/** Return what a workflow's latest runs go by, where that is another name. */
export const originOf = (name: string): string | null => localStorage.getItem(START + name);

/** Forget what a workflow was made of: another one has its name now. */
export const forgetOrigin = (name: string): void => localStorage.removeItem(START + name);

interface Named {
  readonly name: string | null;
  readonly own: boolean;
  readonly origin: string | null;
  readonly opened: number;
}

/** Keep what the open workflow was made of, as that changes. */
export function keepOrigin(now: Named, before: Named): void {
  const { name, own, origin, opened } = now;
  if (name === null || !own || (name === before.name && origin === before.origin)) return;
  if (opened === before.opened && before.own && before.name !== null) forgetOrigin(before.name);
  if (origin === null) forgetOrigin(name);
  else localStorage.setItem(START + name, origin);
}
