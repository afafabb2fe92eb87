/**
 * Subgraphs as parts of a document: which hold which, where they are used, and their faces. A change to a face is
 * carried to every node that stands for the subgraph, in whatever graph it is.
 */

import {
  type DocNode,
  type Document,
  type Graph,
  INPUTS,
  type Names,
  splitReference,
  SUBGRAPH,
  type Subgraph,
  type SubgraphInput,
  subgraphName,
  without,
} from "./document";
import { keepWires, mapOutputs, mapTargets, tidyNode } from "./edits";

/** Return the names of all subgraphs that some nodes need, those inside others too. */
export function subgraphsUnder(document: Document, nodes: Iterable<DocNode>): Set<string> {
  const found = new Set<string>();
  const open = [...nodes];
  for (let node = open.pop(); node; node = open.pop()) {
    const name = subgraphName(node.type);
    if (name === null || found.has(name) || !document.subgraphs?.[name]) continue;
    found.add(name);
    open.push(...Object.values(document.subgraphs[name].nodes));
  }
  return found;
}

/** Tell whether a subgraph is another one or holds it, at whatever depth. */
export function holds(document: Document, outer: string, inner: string): boolean {
  const nodes = Object.values(document.subgraphs?.[outer]?.nodes ?? {});
  return outer === inner || subgraphsUnder(document, nodes).has(inner);
}

/** List the subgraphs that no node of the workflow leads to. */
export function unusedSubgraphs(document: Document): readonly string[] {
  const used = subgraphsUnder(document, Object.values(document.nodes));
  return Object.keys(document.subgraphs ?? {}).filter((name) => !used.has(name));
}

/** Take subgraphs away; a document without any has no such part. */
export function dropSubgraphs(document: Document, names: Iterable<string>): Document {
  const { subgraphs = {}, ...rest } = document;
  const left = without(subgraphs, names);
  if (left === subgraphs) return document;
  return Object.keys(left).length ? { ...document, subgraphs: left } : rest;
}

/** Give a subgraph another name; the same document where that is taken. */
export function renameSubgraph(document: Document, before: string, after: string): Document {
  const { subgraphs } = document;
  if (before === after || !subgraphs?.[before] || after in subgraphs) return document;
  const renamed = everyGraph(document, (graph) =>
    mapNodes(graph, (node) => (node.type === SUBGRAPH + before ? { ...node, type: SUBGRAPH + after } : node)),
  );
  return {
    ...renamed,
    subgraphs: Object.fromEntries(
      Object.entries(renamed.subgraphs!).map(([name, one]) => [name === before ? after : name, one]),
    ),
  };
}

export type Side = "inputs" | "outputs" | "parameters";

/** Add an input to a subgraph. */
export function addInput(document: Document, subgraph: string, name: string, input: SubgraphInput): Document {
  return changed(document, subgraph, (one) => ({ ...one, inputs: { ...one.inputs, [name]: input } }));
}

/** Rename an input, output or parameter of a subgraph, and what is wired to it wherever it is used. */
export function renameFace(document: Document, subgraph: string, side: Side, before: string, after: string): Document {
  const face: Names<unknown> = document.subgraphs?.[subgraph]?.[side] ?? {};
  if (before === after || !(before in face) || after in socketsOf(document, subgraph, side)) return document;
  const key = (name: string): string => (name === before ? after : name);
  const keyed = (part: Names<unknown>) =>
    Object.fromEntries(Object.entries(part).map(([name, one]) => [key(name), one]));
  let next = changed(document, subgraph, (one) => ({ ...one, [side]: keyed(face) }));
  if (side === "inputs") {
    next = changed(next, subgraph, (one) => lead(one, INPUTS, (socket) => key(socket)));
  }
  return atUses(next, subgraph, side, key);
}

/** Take an input, output or parameter of a subgraph away, and what is wired to it wherever it is used. */
export function removeFace(document: Document, subgraph: string, side: Side, name: string): Document {
  const face: Names<unknown> = document.subgraphs?.[subgraph]?.[side] ?? {};
  if (!(name in face)) return document;
  const key = (one: string): string | null => (one === name ? null : one);
  const left = changed(document, subgraph, (one) => ({ ...one, [side]: without(face, [name]) }));
  return settle(document, side === "inputs" ? changed(left, subgraph, (one) => lead(one, INPUTS, key)) : left);
}

/**
 * Take away what is wired to, set on or read from sockets of subgraphs that were there before and are not any more. With
 * that, sockets of the subgraphs around may go too, and so on.
 */
export function settle(before: Document, after: Document): Document {
  let [old, now] = [before, after];
  while (old.subgraphs !== now.subgraphs) {
    let next = now;
    for (const [name, subgraph] of Object.entries(old.subgraphs ?? {})) {
      const there = now.subgraphs?.[name];
      if (!there || there === subgraph) continue;
      for (const side of ["inputs", "outputs", "parameters"] as const) {
        const left: Names<unknown> =
          side === "outputs" ? (there.outputs ?? {}) : { ...there.inputs, ...there.parameters };
        const gone = new Set(Object.keys(subgraph[side] ?? {}).filter((socket) => !(socket in left)));
        if (gone.size) next = atUses(next, name, side, (socket) => (gone.has(socket) ? null : socket));
      }
    }
    [old, now] = [now, next];
  }
  return now;
}

/** Move an input, output or parameter up (-1) or down (1) in its list. */
export function moveFace(document: Document, subgraph: string, side: Side, name: string, by: -1 | 1): Document {
  return changed(document, subgraph, (one) => {
    const entries = Object.entries(one[side] ?? {});
    const at = entries.findIndex(([key]) => key === name);
    const to = at + by;
    if (at < 0 || to < 0 || to >= entries.length) return one;
    [entries[at], entries[to]] = [entries[to]!, entries[at]!];
    return { ...one, [side]: Object.fromEntries(entries) };
  });
}

/** The names that are taken on the side of a face: inputs and parameters are wired alike. */
function socketsOf(document: Document, subgraph: string, side: Side): Names<unknown> {
  const { inputs, parameters, outputs } = document.subgraphs![subgraph]!;
  return side === "outputs" ? (outputs ?? {}) : { ...inputs, ...parameters };
}

/** Carry a new name of a face, or null for one that is gone, to every node that stands for the subgraph. */
function atUses(document: Document, subgraph: string, side: Side, key: (name: string) => string | null): Document {
  const type = SUBGRAPH + subgraph;
  return everyGraph(document, (graph) => {
    const users = new Set(Object.keys(graph.nodes).filter((name) => graph.nodes[name]!.type === type));
    if (!users.size) return graph;
    if (side === "outputs") {
      let led = graph;
      for (const user of users) led = lead(led, user, key);
      return led;
    }
    const into = rerouted(
      mapNodes(graph, (node) => (node.type === type ? takenBy(node, key) : node)),
      users,
      key,
    );
    if (side === "inputs" || !into.parameters) return into;
    return mapTargets(into, (target) => {
      const [node, setting] = splitReference(target);
      const now = users.has(node) ? key(setting) : setting;
      return now === null ? null : `${node}.${now}`;
    });
  });
}

/** Keep the points of wires under the names of the sockets they go into. */
function rerouted<G extends Graph>(graph: G, users: ReadonlySet<string>, key: (name: string) => string | null): G {
  if (!graph.view?.wires) return graph;
  const routes = Object.entries(graph.view.wires).flatMap(([place, points]) => {
    const [node, socket] = splitReference(place);
    if (!users.has(node)) return [[place, points] as const];
    const [input, index] = socket.split("#");
    const now = key(input!);
    return now === null ? [] : [[`${node}.${now}${index === undefined ? "" : `#${index}`}`, points] as const];
  });
  return { ...graph, view: { ...graph.view, wires: Object.fromEntries(routes) } };
}

/** Rename what is wired into a node or set on it. */
function takenBy(node: DocNode, key: (name: string) => string | null): DocNode {
  const keyed = <T>(part: Names<T> | undefined): Names<T> =>
    Object.fromEntries(
      Object.entries(part ?? {}).flatMap(([name, value]) => {
        const now = key(name);
        return now === null ? [] : [[now, value]];
      }),
    );
  const zone = node.map ?? node.loop;
  const over = zone?.over?.flatMap((name) => key(name) ?? []);
  return tidyNode({
    ...node,
    inputs: keyed(node.inputs),
    settings: keyed(node.settings),
    ...(node.map && over ? { map: { ...node.map, over } } : {}),
    ...(node.loop && over ? { loop: { ...node.loop, over } } : {}),
  });
}

/** Lead the wires out of a node from other sockets of it; null takes them away. */
function lead<G extends Graph>(graph: G, node: string, socket: (name: string) => string | null): G {
  const source = (from: string): string | null => {
    const [name, output] = splitReference(from);
    if (name !== node) return from;
    const now = socket(output);
    return now === null ? null : now === output ? from : `${name}.${now}`;
  };
  const led = keepWires(graph, (wire) => source(wire.from));
  return led.outputs ? { ...led, outputs: mapOutputs(led.outputs, source) } : led;
}

function mapNodes<G extends Graph>(graph: G, change: (node: DocNode) => DocNode): G {
  let touched = false;
  const nodes = Object.entries(graph.nodes).map(([name, node]) => {
    const after = change(node);
    touched ||= after !== node;
    return [name, after] as const;
  });
  return touched ? { ...graph, nodes: Object.fromEntries(nodes) } : graph;
}

/** Change every graph of a document: the workflow's and those of its subgraphs. */
export function everyGraph(document: Document, change: <G extends Graph>(graph: G) => G): Document {
  const whole = change(document);
  if (!whole.subgraphs) return whole;
  let touched = false;
  const subgraphs = Object.entries(whole.subgraphs).map(([name, subgraph]) => {
    const after = change(subgraph);
    touched ||= after !== subgraph;
    return [name, after] as const;
  });
  return touched ? { ...whole, subgraphs: Object.fromEntries(subgraphs) } : whole;
}

function changed(document: Document, name: string, change: (subgraph: Subgraph) => Subgraph): Document {
  const subgraph = document.subgraphs?.[name];
  if (!subgraph) return document;
  const after = change(subgraph);
  return after === subgraph ? document : { ...document, subgraphs: { ...document.subgraphs, [name]: after } };
}
