/**
 * Parts of a graph that are copied and pasted: text that any tab, window or editor can hold.
 *
 * A fragment is a workflow of its own: the chosen nodes with their settings and all their wires, also those that come
 * from outside, with the groups and notes among them and the subgraphs they need. So a whole workflow can be pasted
 * like one, and a copied part saved as a file.
 */

import { around } from "./arrange";
import {
  type DocNode,
  type Document,
  type Graph,
  graphOf,
  INPUTS,
  type Names,
  type Point,
  type Scope,
  splitReference,
  SUBGRAPH,
  type Subgraph,
  subgraphName,
  type View,
  withGraph,
  wiresOf,
} from "./document";
import { shiftView, tidyNode } from "./edits";
import { same } from "./merge";
import { freeName } from "./names";
import { holds, subgraphsUnder } from "./subgraphs";

/** Copy nodes, groups and notes, each by its id on the canvas; null where none of them is there. */
export function copy(document: Document, scope: Scope, ids: ReadonlySet<string>): Document | null {
  const graph = graphOf(document, scope);
  const nodes = chosen(graph.nodes, ids);
  const groups = graph.view?.groups?.filter(({ id }) => ids.has(id)) ?? [];
  const notes = graph.view?.notes?.filter(({ id }) => ids.has(id)) ?? [];
  if (!Object.keys(nodes).length && !groups.length && !notes.length) return null;
  const needed = subgraphsUnder(document, Object.values(nodes));
  return {
    graphgen: document.graphgen,
    nodes,
    ...(needed.size ? { subgraphs: chosen(document.subgraphs ?? {}, needed) } : {}),
    view: { ...partOf(graph.view ?? {}, nodes), groups, notes },
  };
}

/** Read a copied part, or a whole workflow; null where a text is neither. */
export function readFragment(text: string): Document | null {
  if (!text.trimStart().startsWith("{")) return null;
  try {
    const read = JSON.parse(text) as Partial<Document>;
    const right = read.graphgen === 1 && typeof read.nodes === "object" && Object.values(read.nodes).every(isNode);
    return right ? (read as Document) : null;
  } catch {
    return null;
  }
}

function isNode(node: unknown): node is DocNode {
  return typeof node === "object" && node !== null && typeof (node as DocNode).type === "string";
}

/** Where and how a fragment is pasted. */
export interface Pasting {
  /** Where its left upper corner comes to lie. */
  readonly at: Point;
  /** Whether wires from outside are kept, where what they come from is there. */
  readonly wired: boolean;
}

export interface Pasted {
  readonly document: Document;
  /** What was put down, by ids on the canvas. */
  readonly ids: readonly string[];
}

/** Paste a fragment into a graph of a document; the name of a subgraph where that would come to hold itself. */
export function paste(document: Document, scope: Scope, fragment: Document, { at, wired }: Pasting): Pasted | string {
  const carried = carry(document, fragment);
  const graph = graphOf(document, scope);
  const inside = scope === null ? graph.nodes : { ...graph.nodes, [INPUTS]: null };
  const names = freeNames(Object.keys(fragment.nodes), inside);
  const nodes: Record<string, DocNode> = {};
  for (const [name, node] of Object.entries(fragment.nodes)) {
    const inner = subgraphName(node.type);
    const type = inner === null ? node.type : SUBGRAPH + (carried.names[inner] ?? inner);
    const kept = (from: string): string | null => {
      const [source, socket] = splitReference(from);
      if (names[source]) return `${names[source]}.${socket}`;
      return wired && isThere(graph, source, socket) ? from : null;
    };
    nodes[names[name]!] = rewired({ ...node, type }, kept);
  }
  for (const { type } of Object.values(nodes)) {
    const inner = subgraphName(type);
    if (scope !== null && inner !== null && holds(carried.document, inner, scope)) return inner;
  }
  const { view, ids } = placedView(fragment, graph, names, at);
  const whole = graphOf(carried.document, scope);
  const merged: Graph = {
    ...(scope === null && !Object.keys(graph.nodes).length ? face(fragment) : {}),
    ...whole,
    nodes: { ...whole.nodes, ...nodes },
    view: joinViews(whole.view ?? {}, view),
  };
  return { document: withGraph(carried.document, scope, merged), ids: [...Object.values(names), ...ids] };
}

/** What a workflow shows to the outside comes along into an empty one. */
function face({ parameters, outputs, description }: Document): Partial<Graph> {
  return {
    ...(description ? { description } : {}),
    ...(parameters ? { parameters } : {}),
    ...(outputs ? { outputs } : {}),
  };
}

/** Bring the subgraphs of a fragment along; one of the same name that is another one goes by a free name. */
function carry(document: Document, fragment: Document): { document: Document; names: Names<string> } {
  const there = document.subgraphs ?? {};
  const names: Record<string, string> = {};
  const taken: Record<string, unknown> = { ...there };
  for (const [name, subgraph] of Object.entries(fragment.subgraphs ?? {})) {
    names[name] = there[name] && same(there[name], subgraph) ? name : freeName(name, taken);
    taken[names[name]] = subgraph;
  }
  const added: Record<string, Subgraph> = {};
  for (const [name, subgraph] of Object.entries(fragment.subgraphs ?? {})) {
    if (!there[names[name]!]) added[names[name]!] = retyped(subgraph, names);
  }
  if (!Object.keys(added).length) return { document, names };
  return { document: { ...document, subgraphs: { ...there, ...added } }, names };
}

function retyped(subgraph: Subgraph, names: Names<string>): Subgraph {
  const nodes = Object.entries(subgraph.nodes).map(([name, node]) => {
    const inner = subgraphName(node.type);
    return [name, inner !== null && names[inner] ? { ...node, type: SUBGRAPH + names[inner] } : node] as const;
  });
  return { ...subgraph, nodes: Object.fromEntries(nodes) };
}

function freeNames(wanted: readonly string[], taken: Readonly<Record<string, unknown>>): Names<string> {
  const names: Record<string, string> = {};
  const all: Record<string, unknown> = { ...taken };
  for (const name of wanted) {
    names[name] = freeName(name, all);
    all[names[name]] = true;
  }
  return names;
}

function isThere(graph: Graph | Subgraph, source: string, socket: string): boolean {
  return source in graph.nodes || (source === INPUTS && "inputs" in graph && socket in (graph.inputs ?? {}));
}

/** Lead each wire of a node from where it comes from now; null takes it away. */
function rewired(node: DocNode, lead: (from: string) => string | null): DocNode {
  const inputs: Record<string, string | readonly string[]> = {};
  for (const [input, value] of Object.entries(node.inputs ?? {})) {
    const led = wiresOf(value).flatMap((from) => lead(from) ?? []);
    if (led.length) inputs[input] = typeof value === "string" ? led[0]! : led;
  }
  return tidyNode({ ...node, inputs });
}

/** Move a fragment's view to its place, under the names its nodes have now and ids that are free. */
function placedView(
  fragment: Document,
  graph: Graph,
  names: Names<string>,
  at: Point,
): { view: View; ids: readonly string[] } {
  const before = fragment.view ?? {};
  const corner = around(
    [...Object.values(before.nodes ?? {}), ...(before.groups ?? []), ...(before.notes ?? [])].map(({ x, y }) => ({
      x,
      y,
      width: 0,
      height: 0,
    })),
  ) ?? { x: 0, y: 0 };
  const shifted = shiftView(before, { x: at.x - corner.x, y: at.y - corner.y });
  const places = Object.entries(names).map(([old, name], index) => [
    name,
    shifted.nodes?.[old] ?? { x: at.x + (index % 6) * 290, y: at.y + Math.floor(index / 6) * 260 },
  ]);
  const taken: Record<string, unknown> = Object.fromEntries(
    [...(graph.view?.groups ?? []), ...(graph.view?.notes ?? [])].map(({ id }) => [id, true]),
  );
  const renamed = <T extends { readonly id: string }>(items: readonly T[] | undefined): T[] =>
    (items ?? []).map((item) => {
      const id = freeName(item.id, taken);
      taken[id] = true;
      return { ...item, id };
    });
  const [groups, notes] = [renamed(shifted.groups), renamed(shifted.notes)];
  const view: View = {
    nodes: Object.fromEntries(places),
    groups,
    notes,
    wires: Object.fromEntries(
      Object.entries(shifted.wires ?? {}).flatMap(([key, points]) => {
        const [node, socket] = splitReference(key);
        return names[node] ? [[`${names[node]}.${socket}`, points]] : [];
      }),
    ),
  };
  return { view, ids: [...groups, ...notes].map(({ id }) => id) };
}

/** Put two views together; parts that are empty are left out. */
export function joinViews(one: View, other: View): View {
  const [groups, notes] = [
    [...(one.groups ?? []), ...(other.groups ?? [])],
    [...(one.notes ?? []), ...(other.notes ?? [])],
  ];
  const wires = { ...one.wires, ...other.wires };
  return {
    ...one,
    nodes: { ...one.nodes, ...other.nodes },
    ...(groups.length ? { groups } : {}),
    ...(notes.length ? { notes } : {}),
    ...(Object.keys(wires).length ? { wires } : {}),
  };
}

/** Return the part of a view that is about some nodes: their places, and the points of wires among them. */
export function partOf(view: View, nodes: Names<DocNode>): View {
  const inner = (key: string): boolean => {
    const [name, rest] = splitReference(key);
    const [input, index] = rest.split("#");
    const from = wiresOf(nodes[name]?.inputs?.[input!])[Number(index ?? 0)];
    return from !== undefined && splitReference(from)[0] in nodes;
  };
  const wires = Object.fromEntries(Object.entries(view.wires ?? {}).filter(([key]) => inner(key)));
  return {
    nodes: chosen(view.nodes ?? {}, new Set(Object.keys(nodes))),
    ...(Object.keys(wires).length ? { wires } : {}),
  };
}

function chosen<T>(record: Names<T>, keys: ReadonlySet<string>): Names<T> {
  return Object.fromEntries(Object.entries(record).filter(([key]) => keys.has(key)));
}
