/** What a file names and is not there: settings and wires that a node does not take, and nodes that are missing. */

import { type NodeSpec, outputsOf } from "./catalogue";
import { type DocNode, type Graph, INPUTS, type Scope, splitReference, type Wire, wires, without } from "./document";
import { changeNode, keepWires, mapOutputs, mapTargets, setSetting, tidyNode } from "./edits";

export interface Strays {
  /** Settings that the node does not have, by name. */
  readonly settings: readonly string[];
  /** Wires into what the node does not take, or from what gives nothing. */
  readonly wires: readonly Wire[];
}

/** List what of a node fits nothing. Of a node that is not known, its wires from missing nodes alone. */
export function straysOf(
  graph: Graph,
  name: string,
  specFor: (type: string) => NodeSpec | undefined,
  scope: Scope,
): Strays {
  const node = graph.nodes[name];
  if (!node) return { settings: [], wires: [] };
  const spec = specFor(node.type);
  const known = spec && new Set([...spec.inputs.map((input) => input.name), ...spec.wireable]);
  const gives = (from: string): boolean => {
    const [source, output] = splitReference(from);
    if (source === INPUTS && scope !== null) return true;
    const there = graph.nodes[source];
    const about = there && specFor(there.type);
    return about ? outputsOf(there, about).some((one) => one.name === output) : there !== undefined;
  };
  return {
    settings: spec ? Object.keys(node.settings ?? {}).filter((key) => !(key in (spec.settings.properties ?? {}))) : [],
    wires: wires(graph).filter((wire) => wire.node === name && (known?.has(wire.input) === false || !gives(wire.from))),
  };
}

/** Take a setting that a node does not have away, and what sets it. */
export function removeSetting<G extends Graph>(graph: G, name: string, setting: string): G {
  const gone = `${name}.${setting}`;
  return mapTargets(setSetting(graph, name, setting, undefined), (target) => (target === gone ? null : target));
}

/** List the nodes that wires, outputs and parameters name and that are not there, each once. */
export function missingNodes(graph: Graph, scope: Scope): readonly string[] {
  const named = [
    ...wires(graph).map(({ from }) => from),
    ...Object.values(graph.outputs ?? {}).map(({ from }) => from),
    ...Object.values(graph.parameters ?? {}).flatMap(({ sets }) => sets),
  ].map((reference) => splitReference(reference)[0]);
  return [...new Set(named)].filter((name) => !(name in graph.nodes) && !(scope !== null && name === INPUTS));
}

/** Take all away that names a node: wires, outputs, and what parameters set. */
export function forgetNode<G extends Graph>(graph: G, name: string): G {
  const kept = (reference: string): string | null => (splitReference(reference)[0] === name ? null : reference);
  const rewired = keepWires(graph, ({ from }) => kept(from));
  const changed = graph.outputs ? { ...rewired, outputs: mapOutputs(graph.outputs, kept) } : rewired;
  return mapTargets(changed, kept);
}

/** Put a node of another type in the place of one: settings and wires whose names fit stay. */
export function replaceType<G extends Graph>(graph: G, name: string, spec: NodeSpec, version: number | null): G {
  const isKnown = (key: string): boolean =>
    spec.inputs.some((input) => input.name === key) || spec.wireable.includes(key);
  return changeNode(graph, name, ({ version: _, settings = {}, inputs = {}, ...node }): DocNode => {
    const odd = Object.keys(settings).filter((key) => !(key in (spec.settings.properties ?? {})));
    const loose = Object.keys(inputs).filter((key) => !isKnown(key));
    return tidyNode({
      ...node,
      type: spec.id,
      ...(version === null ? {} : { version }),
      settings: without(settings, odd),
      inputs: without(inputs, loose),
    });
  });
}
