/**
 * Which nodes are made differently than they were: what a node says of a run holds only as long as its recipe does.
 *
 * In: the document that ran, and the document now. Out: the names of the nodes of a graph that were changed, or that
 * take from one that was. Where a node stands or how it is called on the canvas is no part of its recipe.
 */

import {
  type Document,
  graphOf,
  type Graph,
  type Names,
  type Scope,
  splitReference,
  subgraphName,
  wiresOf,
} from "./document";
import { same } from "./merge";

/** Return the nodes of a graph whose recipe is not the one that ran; those that are new are among them. */
export function changedSince(ran: Document, now: Document, scope: Scope): ReadonlySet<string> {
  if (scope !== null && isUseChanged(ran, now, scope)) return new Set(Object.keys(graphOf(now, scope).nodes));
  return changedIn(graphOf(ran, scope), graphOf(now, scope), changedSubgraphs(ran, now));
}

function changedIn(ran: Graph, now: Graph, subgraphs: ReadonlySet<string>): ReadonlySet<string> {
  const taking = new Map<string, string[]>();
  const found = new Set<string>();
  for (const [name, node] of Object.entries(now.nodes)) {
    if (!same(node, ran.nodes[name]) || subgraphs.has(subgraphName(node.type) ?? "")) found.add(name);
    for (const from of Object.values(node.inputs ?? {}).flatMap(wiresOf)) {
      const [source] = splitReference(from);
      taking.set(source, [...(taking.get(source) ?? []), name]);
    }
  }
  for (const name of found) for (const after of taking.get(name) ?? []) found.add(after); // a set goes on over what is added
  return found;
}

/** Tell whether a subgraph is used otherwise than it was: with other settings, or on what is made differently. */
function isUseChanged(ran: Document, now: Document, scope: string): boolean {
  const inside = changedSubgraphs(ran, now);
  inside.delete(scope); // what lies in it tells of itself
  const graphs: Names<Graph> = { "": now, ...now.subgraphs };
  return Object.entries(graphs).some(([name, graph]) => {
    const before = name ? ran.subgraphs?.[name] : ran;
    const changed = changedIn(before ?? { nodes: {} }, graph, inside);
    return Object.entries(graph.nodes).some(([node, { type }]) => subgraphName(type) === scope && changed.has(node));
  });
}

/** Return the subgraphs that were changed, or use one that was. */
function changedSubgraphs(ran: Document, now: Document): Set<string> {
  const all = Object.entries(now.subgraphs ?? {});
  const found = new Set(all.filter(([name, graph]) => isOther(ran.subgraphs?.[name], graph)).map(([name]) => name));
  for (const changed of found) {
    for (const [name, { nodes }] of all) {
      if (Object.values(nodes).some(({ type }) => subgraphName(type) === changed)) found.add(name);
    }
  }
  return found;
}

function isOther(ran: Graph | undefined, now: Graph): boolean {
  return !ran || !same({ ...ran, view: undefined }, { ...now, view: undefined });
}
