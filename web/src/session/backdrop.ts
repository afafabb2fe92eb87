/** The picture over which a mask is painted: what is wired into the node, as the latest run made it. */

import { splitReference, wiresOf } from "../model/document";
import { editor, shownGraph } from "../model/editor";
import { shownPlans, shownRuns } from "./shown";

/** Whose setting is edited. */
export interface Owner {
  readonly node: string;
  readonly setting: string;
}

/** Return the address of the picture wired into an input, or null where it has not been seen yet. */
export function backdropFor(owner: Owner | null, input: string): string | null {
  const node = owner && shownGraph(editor.getState()).nodes[owner.node];
  for (const from of wiresOf(node?.inputs?.[input])) {
    const [source, output] = splitReference(from);
    const digest = shownRuns()[source]?.digests?.[output] ?? shownPlans()[source]?.digests[output];
    if (digest) return `/api/values/${digest}/picture?size=2048`;
  }
  return null;
}
