/** A mask that is painted over a picture of the graph, instead of one that comes from elsewhere. */

import { type Catalogue, inputsOf, outputsOf, specOf } from "./catalogue";
import { type Document, type Graph, type Point, splitReference, type Wire, wires } from "./document";
import { addNode, connect } from "./edits";

/** The kind of node that gives a painted mask, its input for the picture painted over, and its output. */
export const PAINT = "masks.paint";
const [OVER, MASK] = ["image", "mask"] as const;

/** Return the output of a node that a mask can be painted over; null where it gives no picture. */
export function paintable(catalogue: Catalogue, document: Document, graph: Graph, name: string): string | null {
  const node = graph.nodes[name];
  if (!node || !catalogue.nodes[PAINT]) return null;
  return outputsOf(node, specOf(catalogue, document, node.type)).find(({ type }) => type === "image")?.name ?? null;
}

/**
 * Add a node `name` that paints a mask over what `picture` gives. Where all masks of the graph come from one output, what
 * took that takes the painted one; of several it is not known which is meant, and all stay.
 */
export function paintOver<G extends Graph>(
  catalogue: Catalogue,
  document: Document,
  graph: G,
  picture: string,
  name: string,
  at: Point,
): G {
  const given = givenMasks(catalogue, document, graph);
  const painted = addNode(graph, name, { type: PAINT, inputs: { [OVER]: picture } }, at);
  if (new Set(given.map(({ from }) => from)).size !== 1) return painted;
  return given
    .filter(({ many }) => !many)
    .reduce((one, { node, input }) => connect(one, `${name}.${MASK}`, node, input, false), painted);
}

/** List the wires out of the nodes at which masks begin: those that give one and take none. */
function givenMasks(catalogue: Catalogue, document: Document, graph: Graph): readonly Wire[] {
  return wires(graph).filter(({ from }) => {
    const [source, output] = splitReference(from);
    const node = graph.nodes[source];
    const spec = node && specOf(catalogue, document, node.type);
    if (!node || inputsOf(node, spec).some(({ type }) => type.startsWith("mask"))) return false;
    return outputsOf(node, spec).find((one) => one.name === output)?.type === "mask";
  });
}
