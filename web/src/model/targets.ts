/** What the nodes of the shown graph are called in a run, where subgraphs are written out: `large/detailed`. */

import { type Document, type DocNode, type Graph, type Scope, splitReference, subgraphName } from "./document";

/**
 * Return the names by which a run can be asked for nodes. A subgraph stands for the nodes that give its outputs; a node
 * inside a map or a loop for the whole of it, whose items have no names before it runs.
 */
export function runNames(document: Document, scope: Scope, names: Iterable<string>): readonly string[] {
  const wanted = [...names];
  const found = new Set<string>();
  for (const use of uses(document, scope)) {
    if (use.zone) found.add(use.name);
    else for (const name of wanted) for (const one of expand(document, use.graph, use.name, name)) found.add(one);
  }
  return [...found];
}

/** Return what a node of a graph is called in a run, of its uses in the first; null where its subgraph is not used. */
export function nameInRuns(document: Document, scope: Scope, name: string): string | null {
  const [use] = uses(document, scope);
  if (!use) return null;
  return use.zone ? `${use.name}/${name}` : use.name + name;
}

interface Use {
  readonly graph: Graph;
  /** How the names of its nodes begin; of a zone its own name. */
  readonly name: string;
  readonly zone: boolean;
}

/** List where a graph is used: the workflow itself once, a subgraph wherever a node stands for it. */
function uses(document: Document, scope: Scope, graph: Graph = document, before = ""): readonly Use[] {
  if (scope === null) return [{ graph: document, name: "", zone: false }];
  return Object.entries(graph.nodes).flatMap(([name, node]) => {
    const inner = document.subgraphs?.[subgraphName(node.type) ?? ""];
    if (!inner) return [];
    const isIt = subgraphName(node.type) === scope;
    if (isZone(node)) {
      const within = isIt || uses(document, scope, inner).length > 0;
      return within ? [{ graph: inner, name: before + name, zone: true }] : [];
    }
    if (isIt) return [{ graph: inner, name: `${before}${name}/`, zone: false }];
    return uses(document, scope, inner, `${before}${name}/`);
  });
}

function expand(document: Document, graph: Graph, before: string, name: string): readonly string[] {
  const node = graph.nodes[name];
  if (!node) return [];
  const inner = isZone(node) ? undefined : document.subgraphs?.[subgraphName(node.type) ?? ""];
  if (!inner) return [before + name];
  const outputs = Object.values(inner.outputs ?? {}).map(({ from }) => splitReference(from)[0]);
  const ends = outputs.length ? outputs : Object.keys(inner.nodes);
  return ends.flatMap((end) => expand(document, inner, `${before}${name}/`, end));
}

function isZone(node: DocNode): boolean {
  return node.map !== undefined || node.loop !== undefined;
}
