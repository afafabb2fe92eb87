/** Which wires could be made at a node: every one that fits, so that one can be chosen without a pointer. */

import { type Catalogue, inputsOf, outputsOf, specOf } from "./catalogue";
import type { Document, Graph, Subgraph } from "./document";
import { judge } from "./types";
import { closedTo, type End, INPUTS_END, lostAtFace, takes, type Taking } from "./wiring";

/** A wire that could be made. */
export interface Join {
  readonly from: End;
  readonly into: End;
  /** What goes through it. */
  readonly type: string;
  readonly taken: Taking;
}

interface Rated extends Join {
  readonly rank: number;
}

/** List the wires that a node could be given, the likely ones first: into its free sockets, then out of it. */
export function joinsOf(catalogue: Catalogue, document: Document, graph: Graph, name: string): readonly Join[] {
  const [before, after] = [closedTo(graph, name, "out"), closedTo(graph, name, "in")];
  const others = Object.keys(graph.nodes).filter((other) => other !== name);
  const given = (node: string) => givenBy(catalogue, document, graph, node);
  const taken = (node: string) => takenBy(catalogue, document, graph, node);
  const sources = [...others.filter((other) => !after.has(other)).flatMap(given), ...givenFromOutside(graph)];
  const into = taken(name).flatMap((end) => sources.map((from) => ({ from, end })));
  const free = others.filter((other) => !before.has(other)).flatMap(taken);
  const out = given(name).flatMap((from) => free.map((end) => ({ from, end })));
  const rated = [...into, ...out].flatMap(({ from: { type, ...from }, end: { taking, isNeeded, ...end } }): Rated[] => {
    const fit = judge(type, taking.type, catalogue.types);
    if (!fit.ok || wiredFrom(graph, end).includes(`${from.node}.${from.socket}`)) return [];
    if (lostAtFace(document, graph, from, end)) return [];
    const rank =
      (end.node === name ? 0 : 8) + (taking.isSetting ? 4 : 0) + (fit.conversion ? 2 : 0) + (isNeeded ? 0 : 1);
    return [{ from, into: end, type, taken: taking, rank }];
  });
  return rated.sort((one, other) => one.rank - other.rank);
}

function wiredFrom(graph: Graph, { node, socket }: End): readonly string[] {
  const value = graph.nodes[node]?.inputs?.[socket];
  return typeof value === "string" ? [value] : (value ?? []);
}

function givenBy(catalogue: Catalogue, document: Document, graph: Graph, node: string) {
  const one = graph.nodes[node]!;
  return outputsOf(one, specOf(catalogue, document, one.type)).map(({ name, type }) => ({ node, socket: name, type }));
}

function givenFromOutside(graph: Graph) {
  const inputs = Object.entries((graph as Subgraph).inputs ?? {});
  return inputs.map(([socket, { type }]) => ({ node: INPUTS_END, socket, type }));
}

/** List the sockets of a node that can take one more wire. */
function takenBy(catalogue: Catalogue, document: Document, graph: Graph, node: string) {
  const one = graph.nodes[node]!;
  const spec = specOf(catalogue, document, one.type);
  const inputs = inputsOf(one, spec);
  const sockets = [...inputs.map(({ name }) => name), ...(spec?.wireable ?? [])];
  return sockets.flatMap((socket) => {
    const taking = takes(one, spec, socket);
    if (!taking || (!taking.many && one.inputs?.[socket] !== undefined)) return [];
    return [{ node, socket, taking, isNeeded: inputs.some(({ name, required }) => name === socket && required) }];
  });
}

/** Return the likeliest wire between a node and another one: rather into its sockets than out of it; null for none. */
export function joinWith(
  catalogue: Catalogue,
  document: Document,
  graph: Graph,
  name: string,
  other: string,
): Join | null {
  const joins = joinsOf(catalogue, document, graph, name);
  return joins.find(({ from, into }) => from.node === other || into.node === other) ?? null;
}
