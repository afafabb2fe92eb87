/** What the server knows of the wires before anything runs: families, sizes, counts. */

import { type Document, splitReference, wires } from "./document";

export type Facts = Readonly<Record<string, unknown>>;

/** Return the facts of an output, `node.output`. */
export function factsOf(facts: Facts | null, output: string): Facts {
  const found = facts?.[output] as { facts?: Facts } | undefined;
  return found?.facts ?? {};
}

/**
 * Return the model family that the wires around a node speak of, itself not asked: what the other wires into the nodes
 * it leads to carry. Null where nothing is known.
 */
export function familyFor(document: Document, facts: Facts | null, node: string): string | null {
  const all = wires(document);
  const below = new Set(all.filter(({ from }) => splitReference(from)[0] === node).map((wire) => wire.node));
  for (const { from, node: into } of all) {
    if (!below.has(into) || splitReference(from)[0] === node) continue;
    const { family } = factsOf(facts, from);
    if (typeof family === "string") return family;
  }
  return null;
}
