/**
 * The ends of wires on the canvas: those of nodes, and of the two ends of a graph itself. Inside a subgraph, `:inputs`
 * gives what comes in from outside; `:outputs` takes what a graph gives, one wire under each name.
 */

import { type Catalogue, inputsOf, type NodeSpec, outputsOf, settingType, specOf } from "./catalogue";
import {
  type DocNode,
  type Document,
  type Graph,
  INPUTS,
  splitReference,
  type Subgraph,
  subgraphName,
  type Wire,
  wires,
} from "./document";
import { connect, disconnect, parameterOf, type Passage, putOutput, putParameter, upstream } from "./edits";
import { freeName } from "./names";
import { judge } from "./types";

export const INPUTS_END = ":inputs";
export const OUTPUTS_END = ":outputs";
/** The empty socket of an end: a wire that is put there makes a new input or output. */
export const NEW = "+";

export interface End {
  readonly node: string;
  readonly socket: string;
}

export interface Taking {
  readonly type: string;
  readonly many: boolean;
  readonly isSetting: boolean;
}

/** Return the type and the manner of what a node takes under a name, be it an input or a setting. */
export function takes(node: DocNode, spec: NodeSpec | undefined, name: string): Taking | null {
  const input = inputsOf(node, spec).find((one) => one.name === name);
  if (input) return { type: input.type, many: input.many, isSetting: false };
  const schema = spec?.settings.properties?.[name];
  return schema && spec?.wireable.includes(name) ? { type: settingType(schema), many: false, isSetting: true } : null;
}

/** Return what goes in at a place of the canvas; null where nothing does. */
export function takenAt(catalogue: Catalogue, document: Document, graph: Graph, { node, socket }: End): Taking | null {
  if (node === OUTPUTS_END) return { type: "any?", many: false, isSetting: false };
  const target = graph.nodes[node];
  return target ? takes(target, specOf(catalogue, document, target.type), socket) : null;
}

/** Return the type of what comes out at a place of the canvas; null where nothing does. */
export function givenAt(catalogue: Catalogue, document: Document, graph: Graph, end: End): string | null {
  if (end.node === INPUTS_END || end.node === INPUTS) {
    const inputs = (graph as Subgraph).inputs ?? {};
    const input = inputs[end.socket];
    if (input && !(end.node === INPUTS && INPUTS in graph.nodes)) return input.type;
    if (end.node === INPUTS_END) return end.socket === NEW ? "any" : null;
  }
  const source = graph.nodes[end.node];
  const outputs = source && outputsOf(source, specOf(catalogue, document, source.type));
  return outputs?.find(({ name }) => name === end.socket)?.type ?? null;
}

export type Verdict =
  | { readonly ok: true; readonly many: boolean; readonly through: string | null }
  | {
      readonly ok: false;
      readonly reason: "noFit" | "circle" | "gone" | FaceReason;
      readonly from: string;
      readonly into: string;
    };

/** Why what comes into a subgraph does not go into a setting, though it fits. */
type FaceReason = "isParameter" | "losesValue";

/** Judge a wire from an output into an input. */
export function verdict(catalogue: Catalogue, document: Document, graph: Graph, from: End, into: End): Verdict {
  const given = givenAt(catalogue, document, graph, from);
  const taken = takenAt(catalogue, document, graph, into);
  const types = { from: given ?? from.socket, into: taken?.type ?? into.socket };
  const bothEnds = from.node === INPUTS_END && from.socket === NEW && into.node === OUTPUTS_END;
  if (given === null || taken === null || bothEnds) return { ok: false, reason: "gone", ...types };
  if (from.node === into.node || upstream(graph, [from.node]).has(into.node)) {
    return { ok: false, reason: "circle", ...types };
  }
  const fit = judge(given, taken.type, catalogue.types);
  if (!fit.ok) return { ok: false, reason: "noFit", ...types };
  const reason = lostAtFace(document, graph, from, into);
  if (reason) return { ok: false, reason, from: from.socket, into: into.socket };
  return { ok: true, many: taken.many, through: fit.conversion?.node ?? null };
}

/**
 * Say why what comes into a subgraph is not wired into a setting: nodes outside set it already, through a parameter; or
 * it has a value, which would be lost, for nothing is wired into that input from outside. Null where neither is so.
 */
export function lostAtFace(document: Document, graph: Graph, from: End, into: End): FaceReason | null {
  if (from.node !== INPUTS_END) return null;
  if (parameterOf(graph, into.node, into.socket)) return "isParameter";
  if (from.socket === NEW || graph.nodes[into.node]?.settings?.[into.socket] === undefined) return null;
  const subgraphs = Object.entries(document.subgraphs ?? {});
  const name = subgraphs.find(([, one]) => one === graph)?.[0];
  const all = [document, ...subgraphs.map(([, one]) => one)].flatMap(({ nodes }) => Object.values(nodes));
  const isUnfed = all.some(({ type, inputs }) => subgraphName(type) === name && inputs?.[from.socket] === undefined);
  return isUnfed ? "losesValue" : null;
}

/** Return the nodes that a wire drawn from a node would close a circle with. */
export function closedTo(graph: Graph, node: string, side: "in" | "out"): ReadonlySet<string> {
  if (side === "out") return upstream(graph, [node]);
  const after = new Map<string, string[]>();
  for (const { from, node: into } of wires(graph)) {
    const [source] = splitReference(from);
    after.set(source, [...(after.get(source) ?? []), into]);
  }
  const found = new Set<string>();
  const open = [node];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    open.push(...(after.get(name) ?? []));
  }
  return found;
}

/**
 * Wire two ends, of which one may be the empty socket of an end: that makes an output, an input, or, for a setting, a
 * parameter, which keeps its value until something else is set or wired outside.
 */
export function wireOpen<G extends Graph>(graph: G, from: End, into: End, taken: Taking): G {
  if (from.node === INPUTS_END && from.socket === NEW) {
    const { inputs, parameters } = graph as Subgraph;
    const socket = freeName(into.socket, { ...inputs, ...parameters });
    if (taken.isSetting) {
      const known = parameterOf(graph, into.node, into.socket);
      return known ? graph : putParameter(graph, socket, { sets: [referenceOf(into)] });
    }
    const { type, many } = taken;
    const opened = { ...graph, inputs: { ...inputs, [socket]: many ? { type, many } : { type } } };
    return wire(opened, { ...from, socket }, into, many);
  }
  const isNew = into.node === OUTPUTS_END && into.socket === NEW;
  const socket = isNew ? freeName(from.socket, graph.outputs ?? {}) : into.socket;
  return wire(graph, from, { ...into, socket }, taken.many);
}

/** Return how the file writes where a wire comes from. */
export function referenceOf({ node, socket }: End): string {
  return `${node === INPUTS_END ? INPUTS : node}.${socket}`;
}

/** Return where on the canvas a wire of the file comes from. */
export function endOf(graph: Graph, reference: string): End {
  const [node, socket] = splitReference(reference);
  return { node: node === INPUTS && !(INPUTS in graph.nodes) ? INPUTS_END : node, socket };
}

/** Wire an output into an input or into the end of a graph, where it gets the name of the socket. */
export function wire<G extends Graph>(graph: G, from: End, into: End, many: boolean): G {
  if (into.node !== OUTPUTS_END) return connect(graph, referenceOf(from), into.node, into.socket, many);
  return putOutput(graph, into.socket, { ...graph.outputs?.[into.socket], from: referenceOf(from) });
}

/** List all wires that the canvas shows, those into the end of the graph too. */
export function shownWires(graph: Graph): Wire[] {
  const ends = Object.entries(graph.outputs ?? {}).map(([input, { from }]): Wire => ({
    from,
    node: OUTPUTS_END,
    input,
    index: 0,
    many: false,
  }));
  return [...wires(graph), ...ends];
}

/** Take wires away, those into the end of the graph too. */
export function unwire<G extends Graph>(graph: G, gone: readonly Wire[]): G {
  let changed = disconnect(
    graph,
    gone.filter(({ node }) => node !== OUTPUTS_END),
  );
  for (const { node, input } of gone) if (node === OUTPUTS_END) changed = putOutput(changed, input, null);
  return changed;
}

/**
 * Return which input of a node passes for which output: where a wire of type `given` can be led through it into what
 * takes `taken`. Null where it cannot.
 */
export function passage(
  catalogue: Catalogue,
  node: DocNode,
  spec: NodeSpec | undefined,
  given: string,
  taken: string,
): Passage | null {
  const into = inputsOf(node, spec);
  const out = outputsOf(node, spec);
  for (const exact of [true, false]) {
    const fits = (one: string, other: string): boolean => {
      const fit = judge(one, other, catalogue.types);
      return fit.ok && (!exact || !fit.conversion) && (exact ? parseName(one) === parseName(other) : true);
    };
    const input = into.find(({ type }) => fits(given, type));
    const output = out.find(({ type }) => fits(type, taken));
    if (input && output) return { input: input.name, output: output.name, many: input.many };
  }
  return null;
}

const parseName = (type: string): string => type.replace(/\?$/, "");

/** Return which input of a node stands in for its output when the node goes: the first of the very type, else a fit. */
export function passing(catalogue: Catalogue, document: Document, graph: Graph) {
  return (name: string, output: string): string | null => {
    const node = graph.nodes[name]!;
    const spec = specOf(catalogue, document, node.type);
    const type = outputsOf(node, spec).find((one) => one.name === output)?.type;
    if (type === undefined) return null;
    const wired = inputsOf(node, spec).filter((input) => node.inputs?.[input.name] !== undefined);
    const best =
      wired.find((input) => parseName(input.type) === parseName(type)) ??
      wired.find((input) => judge(input.type, type, catalogue.types).ok);
    return best?.name ?? null;
  };
}

/** Return the first input of a node that can take one more wire: one that it needs, else any; null where all have one. */
export function freeInput(node: DocNode, spec: NodeSpec | undefined): string | null {
  const free = inputsOf(node, spec).filter(({ name, many }) => many || node.inputs?.[name] === undefined);
  return (free.find(({ required }) => required) ?? free[0])?.name ?? null;
}

/** Return where a wire goes in: of a collapsed node, whose sockets lie one over the other, the first free one it fits. */
export function landing(catalogue: Catalogue, document: Document, graph: Graph, from: End, into: End): End {
  const node = graph.nodes[into.node];
  if (!node || !graph.view?.nodes?.[into.node]?.collapsed) return into;
  const fitting = inputsOf(node, specOf(catalogue, document, node.type))
    .filter(({ name, many }) => many || node.inputs?.[name] === undefined)
    .map(({ name }): End => ({ node: into.node, socket: name }))
    .find((end) => verdict(catalogue, document, graph, from, end).ok);
  return fitting ?? into;
}
