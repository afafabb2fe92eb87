/** Saved versions as people think of them: those that follow each other quickly belong together. */

export interface SavedVersion {
  readonly version: number;
  readonly saved: number;
}

/** The latest of several versions, and how many there are. */
export interface Sitting extends SavedVersion {
  readonly count: number;
}

/** The seconds between two saves after which it is something else that one does. */
const PAUSE = 60;

/** Bring versions together, the latest first as they come. */
export function sittings(versions: readonly SavedVersion[]): readonly Sitting[] {
  const found: Sitting[] = [];
  let earliest = Infinity;
  for (const { version, saved } of versions) {
    const last = found.at(-1);
    if (last && earliest - saved < PAUSE && found.length > 1)
      found[found.length - 1] = { ...last, count: last.count + 1 };
    else found.push({ version, saved, count: 1 });
    earliest = saved;
  }
  return found;
}
