/** Saved versions as people think of them: those that follow each other quickly belong together. */

export interface SavedVersion {
  readonly version: number;
  readonly saved: number;
}

/** The latest of several versions, and those before it that belong to it, the latest first. */
export interface Sitting extends SavedVersion {
  readonly earlier: readonly SavedVersion[];
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
      found[found.length - 1] = { ...last, earlier: [...last.earlier, { version, saved }] };
    else found.push({ version, saved, earlier: [] });
    earliest = saved;
  }
  return found;
}

/** List the versions that can be chosen: of each sitting its latest, and all of those that are shown in full. */
export function choices(list: readonly Sitting[], opened: ReadonlySet<number>): readonly SavedVersion[] {
  return list.flatMap((one) => [one, ...(opened.has(one.version) ? one.earlier : [])]);
}
