/** What is known of values by their digests, asked once each; and the values that parameters are given. */

import { readValue, type Value } from "../api/client";
import type { Document, Json, Names } from "../model/document";
import { fields, setParameter } from "../model/parameters";
import { studio } from "./studio";

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

/** Return a document whose parameters have values; names that are no parameters are passed over. */
export function withValues(document: Document, values: Names<Json>): Document {
  const { catalogue } = studio.getState();
  return fields(catalogue, document, document)
    .filter(({ name }) => name in values)
    .reduce((one, field) => setParameter(one, field, values[field.name]!), document);
}
