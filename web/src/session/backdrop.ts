/** The picture over which a mask is painted: what is wired into the node, as the latest run made it. */

import { splitReference, wiresOf } from "../model/document";
import { editor, shownGraph } from "../model/editor";
import { studio } from "./studio";

/** Whose setting is edited. */
export interface Owner {
  readonly node: string;
  readonly setting: string;
}

/** Return the address of a picture, or null where nothing wired in has been seen yet. */
export function backdropFor(owner: Owner | null): string | null {
  const node = owner && shownGraph(editor.getState()).nodes[owner.node];
  for (const [input, wired] of Object.entries(node?.inputs ?? {})) {
    if (input === owner?.setting) continue;
    for (const from of wiresOf(wired)) {
      const [source, output] = splitReference(from);
      const digest = studio.getState().run?.nodes[source]?.digests?.[output];
      if (digest) return `/api/values/${digest}/picture?size=2048`;
    }
  }
  return null;
}
