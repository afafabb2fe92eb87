/** Saved versions as people think of them: those that follow each other quickly belong together. */

export interface SavedVersion {
  readonly version: number;
  readonly saved: number;
  /** What the person called it; empty if nothing. */
  readonly label: string;
  /** Whether it was saved by the editor itself. */
  readonly automatic: boolean;
  readonly ran: boolean;
}

/** The latest of several versions, and those before it that belong to it, the latest first. */
export interface Sitting extends SavedVersion {
  readonly earlier: readonly SavedVersion[];
}

/** The seconds between two saves after which it is something else that one does. */
const PAUSE = 60;

/** Bring versions together, the latest first as they come. What was named or saved on purpose stands for itself. */
export function sittings(versions: readonly SavedVersion[]): readonly Sitting[] {
  const found: Sitting[] = [];
  let earliest = Infinity;
  for (const one of versions) {
    const last = found.at(-1);
    const isWanted = one.label !== "" || !one.automatic;
    if (last && earliest - one.saved < PAUSE && found.length > 1 && !isWanted)
      found[found.length - 1] = { ...last, earlier: [...last.earlier, one] };
    else found.push({ ...one, earlier: [] });
    earliest = one.saved;
  }
  return found;
}

/** List the versions that can be chosen: of each sitting its latest, and all of those that are shown in full. */
export function choices(list: readonly Sitting[], opened: ReadonlySet<number>): readonly SavedVersion[] {
  return list.flatMap((one) => [one, ...(opened.has(one.version) ? one.earlier : [])]);
}
