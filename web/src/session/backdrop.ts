/** The picture over which a mask is painted: what is wired into the node, as the latest run made it or as its file is. */

import { splitReference, wiresOf } from "../model/document";
import { editor, shownGraph } from "../model/editor";
import { inputUrl } from "./inputs";
import { shownPlans, shownRuns } from "./shown";

/** The kind of node that gives a file of the inputs as it lies there. */
const LOADS = "images.load";

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
    const file = shownGraph(editor.getState()).nodes[source];
    if (file?.type === LOADS && typeof file.settings?.path === "string") return inputUrl(file.settings.path);
  }
  return null;
}
