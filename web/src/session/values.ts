/** What is known of values by their digests, asked once each. */

import { readValue, type Value } from "../api/client";

const known = new Map<string, Promise<Value | null>>();

/** Return what a value is; null where the cache has let it go. */
export function valueOf(digest: string): Promise<Value | null> {
  const asked = known.get(digest);
  if (asked) return asked;
  const asking = readValue(digest).catch(() => {
    known.delete(digest);
    return null;
  });
  known.set(digest, asking);
  return asking;
}

/** Return where a picture of a value can be seen. */
export function pictureUrl(digest: string, index = 0, size = 512): string {
  return `/api/values/${digest}/picture?size=${size}&index=${index}`;
}
