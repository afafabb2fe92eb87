/**
 * Bring together what two tabs made of one document: key by key, so that edits of different nodes, settings or places
 * never meet. Where both changed the same value, `mine` stays and the place is listed.
 */

export interface Merged<T> {
  readonly value: T;
  readonly conflicts: readonly string[];
}

/** Merge two values that grew out of `base`. */
export function merge<T>(base: T, mine: T, theirs: T): Merged<T> {
  const conflicts: string[] = [];
  return { value: join(base, mine, theirs, "", conflicts) as T, conflicts };
}

type Keys = Readonly<Record<string, unknown>>;

function join(base: unknown, mine: unknown, theirs: unknown, place: string, conflicts: string[]): unknown {
  if (mine === theirs || same(base, theirs)) return mine;
  if (same(base, mine)) return theirs;
  if (isKeys(mine) && isKeys(theirs)) {
    const before = isKeys(base) ? base : {};
    const joined: Record<string, unknown> = {};
    for (const key of new Set([...Object.keys(mine), ...Object.keys(theirs)])) {
      const inner = place ? `${place}.${key}` : key;
      const value = join(before[key], mine[key], theirs[key], inner, conflicts);
      if (value !== undefined) joined[key] = value;
    }
    return joined;
  }
  if (!same(mine, theirs)) conflicts.push(place);
  return mine;
}

function isKeys(value: unknown): value is Keys {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Tell whether two JSON values are equal. */
export function same(one: unknown, other: unknown): boolean {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!Array.isArray(one) || !Array.isArray(other) || one.length !== other.length) return false;
    return one.every((item, index) => same(item, other[index]));
  }
  const [left, right] = [one as Keys, other as Keys];
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => key in right && same(left[key], right[key]));
}
