/**
 * Make a subgraph of a part of a graph. What is computed stays the same: the types of its sockets are those of the wires
 * that cross its border, and the graph's own parameters reach the settings inside through it.
 */

import { around } from "./arrange";
import { type Catalogue } from "./catalogue";
import {
  type DocNode,
  type Document,
  type Graph,
  graphOf,
  INPUTS,
  type Names,
  type Output,
  type Parameter,
  type Scope,
  splitReference,
  SUBGRAPH,
  type Subgraph,
  type SubgraphInput,
  subgraphName,
  type Wire,
  withGraph,
  wires,
} from "./document";
import { keepWires, mapOutputs, mapTargets, removeFrames, removeNodes, renameNode, upstream } from "./edits";
import { partOf } from "./fragment";
import { freeName } from "./names";
import { fits, parseType } from "./types";
import { givenAt, takenAt } from "./wiring";

export type Made =
  | { readonly ok: true; readonly document: Document; readonly node: string }
  | { readonly ok: false; readonly reason: "nothingToWrap" | "wrapCircle" | "wrapNoOutput" };

const GAP = 320;

/** Make a subgraph of nodes; the groups and notes among `ids` go into it too. */
export function makeSubgraph(
  catalogue: Catalogue,
  document: Document,
  scope: Scope,
  ids: ReadonlySet<string>,
  wanted: string,
): Made {
  let whole = graphOf(document, scope);
  let names = new Set([...ids].filter((id) => id in whole.nodes));
  if (!names.size) return { ok: false, reason: "nothingToWrap" };
  if (comesBack(whole, names)) return { ok: false, reason: "wrapCircle" };
  if (names.has(INPUTS)) {
    const other = freeName("input", whole.nodes); // inside, this name is that of what comes in
    whole = renameNode(whole, INPUTS, other);
    names = new Set([...names].map((name) => (name === INPUTS ? other : name)));
  }
  const border = crossing(catalogue, document, whole, names);
  if (!border.outputs.length) return { ok: false, reason: "wrapNoOutput" };
  const title = freeName(wanted, document.subgraphs ?? {});
  const node = freeName(title, { ...whole.nodes, ...(scope === null ? {} : { [INPUTS]: true }) });
  const inside = interior(whole, names, ids, border);
  const outside = exterior(whole, names, ids, border, node, title);
  const rest = withGraph(document, scope, outside);
  return { ok: true, document: { ...rest, subgraphs: { ...rest.subgraphs, [title]: inside } }, node };
}

/** Tell whether a way out of some nodes leads back into them. */
function comesBack(graph: Graph, names: ReadonlySet<string>): boolean {
  const fed = wires(graph).filter(({ node, from }) => names.has(node) && !names.has(splitReference(from)[0]));
  const before = upstream(
    graph,
    fed.map(({ from }) => splitReference(from)[0]),
  );
  return [...names].some((name) => before.has(name));
}

interface Border {
  /** What comes in: by where it came from, under which name. */
  readonly inputs: ReadonlyMap<string, { readonly name: string; readonly input: SubgraphInput }>;
  /** What goes out: from where, under which name. */
  readonly outputs: readonly { readonly from: string; readonly name: string }[];
  /** The settings that the graph's own parameters set, by the name of each. */
  readonly parameters: Names<Parameter>;
}

function crossing(catalogue: Catalogue, document: Document, graph: Graph, names: ReadonlySet<string>): Border {
  const isInner = (from: string): boolean => names.has(splitReference(from)[0]);
  const all = wires(graph);
  const parameters: Record<string, Parameter> = {};
  for (const [name, parameter] of Object.entries(graph.parameters ?? {})) {
    const sets = parameter.sets.filter(isInner);
    if (sets.length) parameters[name] = { ...parameter, sets };
  }
  const sockets: Record<string, unknown> = { ...parameters };
  const inputs = new Map<string, { name: string; input: SubgraphInput }>();
  for (const { from, input } of all.filter((wire) => names.has(wire.node) && !isInner(wire.from))) {
    if (inputs.has(from)) continue;
    const name = freeName(input, sockets);
    sockets[name] = true;
    const fed = all.filter((wire) => wire.from === from && names.has(wire.node));
    inputs.set(from, { name, input: { type: borderType(catalogue, document, graph, from, fed) } });
  }
  const used = [
    ...all.filter((wire) => !names.has(wire.node)).map(({ from }) => from),
    ...Object.values(graph.outputs ?? {}).map(({ from }) => from),
  ].filter(isInner);
  const given: Record<string, unknown> = {};
  const outputs = [...new Set(used.length ? used : looseOutputs(catalogue, document, graph, names))].map((from) => {
    const name = freeName(splitReference(from)[1], given);
    given[name] = true;
    return { from, name };
  });
  return { inputs, outputs, parameters };
}

/** The type that a socket of the border declares: what it feeds where that is one type as it is, else what feeds it. */
function borderType(
  catalogue: Catalogue,
  document: Document,
  graph: Graph,
  from: string,
  fed: readonly Wire[],
): string {
  const [node, socket] = splitReference(from);
  const given = givenAt(catalogue, document, graph, { node, socket }) ?? "any";
  const taken = new Set(
    fed.map((wire) => takenAt(catalogue, document, graph, { node: wire.node, socket: wire.input })?.type ?? "any"),
  );
  const [only] = taken;
  const asItIs = taken.size === 1 && fits(parseType(given), parseType(only!), catalogue.types);
  return asItIs && parseType(only!).name !== "any" ? only! : given;
}

/** Where nothing leads out, what nothing inside uses is what the part gives. */
function looseOutputs(catalogue: Catalogue, document: Document, graph: Graph, names: ReadonlySet<string>): string[] {
  const used = new Set(wires(graph).map(({ from }) => from));
  return [...names].flatMap((name) =>
    outputNames(catalogue, document, graph.nodes[name]!)
      .map((output) => `${name}.${output}`)
      .filter((from) => !used.has(from)),
  );
}

function outputNames(catalogue: Catalogue, document: Document, node: DocNode): readonly string[] {
  const name = subgraphName(node.type);
  if (name !== null) return Object.keys(document.subgraphs?.[name]?.outputs ?? {});
  return catalogue.nodes[node.type]?.outputs.map((output) => output.name) ?? [];
}

function interior(graph: Graph, names: ReadonlySet<string>, ids: ReadonlySet<string>, border: Border): Subgraph {
  const nodes = Object.fromEntries(Object.entries(graph.nodes).filter(([name]) => names.has(name)));
  const led = keepWires({ nodes, view: partOf(graph.view ?? {}, nodes) }, ({ from }) => {
    const entry = border.inputs.get(from);
    return entry ? `${INPUTS}.${entry.name}` : from;
  });
  const box = around(Object.values(led.view?.nodes ?? {}).map(({ x, y }) => ({ x, y, width: 0, height: 0 })));
  const chosen = <T extends { id: string }>(items: readonly T[] | undefined) => items?.filter(({ id }) => ids.has(id));
  const [groups, notes] = [chosen(graph.view?.groups), chosen(graph.view?.notes)];
  return {
    inputs: Object.fromEntries([...border.inputs.values()].map(({ name, input }) => [name, input])),
    ...(Object.keys(border.parameters).length ? { parameters: border.parameters } : {}),
    outputs: Object.fromEntries(border.outputs.map(({ from, name }): [string, Output] => [name, { from }])),
    nodes: led.nodes,
    view: {
      ...led.view,
      ...(groups?.length ? { groups } : {}),
      ...(notes?.length ? { notes } : {}),
      ...(box ? { inputs: { x: box.x - GAP, y: box.y }, outputs: { x: box.x + box.width + GAP, y: box.y } } : {}),
    },
  };
}

function exterior(
  graph: Graph,
  names: ReadonlySet<string>,
  ids: ReadonlySet<string>,
  border: Border,
  node: string,
  title: string,
): Graph {
  const given = new Map(border.outputs.map(({ from, name }) => [from, `${node}.${name}`]));
  const source = (from: string): string => given.get(from) ?? from;
  const led = keepWires(graph, (wire) => (names.has(wire.node) ? wire.from : source(wire.from)));
  const inputs = Object.fromEntries([...border.inputs].map(([from, { name }]) => [name, from]));
  const faced = mapTargets(
    { ...led, ...(led.outputs ? { outputs: mapOutputs(led.outputs, source) } : {}) },
    (target) => (names.has(splitReference(target)[0]) ? `${node}.${parameterName(border, target)}` : target),
  );
  const places = [...names].flatMap((name) => graph.view?.nodes?.[name] ?? []);
  const box = around(places.map(({ x, y }) => ({ x, y, width: 0, height: 0 }))) ?? { x: 0, y: 0, width: 0, height: 0 };
  const rest = removeFrames(removeNodes(faced, names), ids);
  const stands: DocNode = { type: SUBGRAPH + title, ...(border.inputs.size ? { inputs } : {}) };
  return {
    ...rest,
    ...(rest.parameters ? { parameters: once(rest.parameters) } : {}),
    nodes: { ...rest.nodes, [node]: stands },
    view: {
      ...rest.view,
      nodes: {
        ...rest.view?.nodes,
        [node]: { x: Math.round(box.x + box.width / 2), y: Math.round(box.y + box.height / 2) },
      },
    },
  };
}

function parameterName(border: Border, target: string): string {
  return Object.entries(border.parameters).find(([, { sets }]) => sets.includes(target))![0];
}

/** A parameter that set several settings of the part sets one of its face now. */
function once(parameters: Names<Parameter>): Names<Parameter> {
  return Object.fromEntries(
    Object.entries(parameters).map(([name, one]) => [name, { ...one, sets: [...new Set(one.sets)] }]),
  );
}
