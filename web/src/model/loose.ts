/** Nodes that a run leaves out, since no output and no file of the workflow needs them. */

import type { CardPlan } from "./cards";
import { type Document, graphOf, type Names, type Scope } from "./document";
import { closedTo } from "./wiring";

/**
 * List the nodes of a graph that a plan of it does not know: nothing takes what they give. Those that are muted or
 * bypassed, and what lies behind a muted one, say so themselves. Of a subgraph that is not planned node by node, as in
 * a zone, nothing is known.
 */
export function looseNodes(document: Document, scope: Scope, planned: Names<CardPlan>): ReadonlySet<string> {
  const graph = graphOf(document, scope);
  const names = Object.keys(graph.nodes);
  if (scope !== null && !names.some((name) => planned[name])) return new Set();
  const muted = names.filter((name) => graph.nodes[name]!.mode === "mute");
  const behind = new Set(muted.flatMap((name) => [...closedTo(graph, name, "in")]));
  return new Set(names.filter((name) => !planned[name] && !graph.nodes[name]!.mode && !behind.has(name)));
}
