/** Nodes without a place, as programs write them: which these are, what hangs together, and where there is room for it. */

import { around, freePlace, type Rect } from "./arrange";
import { type Document, type Graph, graphOf, type Names, type Point, type Scope, withGraph } from "./document";

/** List the nodes of a graph that have no place. */
export function unplaced(graph: Graph): readonly string[] {
  const places = graph.view?.nodes ?? {};
  return Object.keys(graph.nodes).filter((name) => !places[name]);
}

/** Give those nodes of a graph their places that have none; the same document where there are none. */
export function placeNodes(document: Document, scope: Scope, places: Names<Point>): Document {
  if (scope !== null && !document.subgraphs?.[scope]) return document;
  const graph = graphOf(document, scope);
  const found = unplaced(graph).flatMap((name) => (places[name] ? [[name, places[name]] as const] : []));
  if (!found.length) return document;
  const nodes = { ...graph.view?.nodes, ...Object.fromEntries(found) };
  return withGraph(document, scope, { ...graph, view: { ...graph.view, nodes } });
}

/** Sort names into those that wires join, at whatever distance; wires to other names count for nothing. */
export function islands(
  names: readonly string[],
  wires: readonly (readonly [from: string, into: string])[],
): readonly ReadonlySet<string>[] {
  const next = new Map<string, string[]>(names.map((name) => [name, []]));
  for (const [from, into] of wires) {
    if (!next.has(from) || !next.has(into)) continue;
    next.get(from)!.push(into);
    next.get(into)!.push(from);
  }
  const seen = new Set<string>();
  return names.flatMap((name) => {
    if (seen.has(name)) return [];
    const island = new Set<string>();
    const open = [name];
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      if (seen.has(one)) continue;
      seen.add(one);
      island.add(one);
      open.push(...next.get(one)!);
    }
    return [island];
  });
}

/**
 * Return where there is room for something new: right of what leads into it, else left of what it leads into, else below
 * all there is. It lies on nothing else, `gap` away from each.
 */
export function roomFor(
  { width, height }: { readonly width: number; readonly height: number },
  sources: readonly Rect[],
  targets: readonly Rect[],
  all: readonly Rect[],
  gap: number,
): Point {
  const beside = sources.length ? sources : targets;
  const box = around(all);
  if (!box) return { x: 0, y: 0 };
  if (!beside.length) return { x: box.x, y: box.y + box.height + gap };
  const x = sources.length
    ? Math.max(...sources.map((one) => one.x + one.width)) + 2 * gap
    : Math.min(...targets.map((one) => one.x)) - width - 2 * gap;
  return freePlace(all, { x, y: Math.min(...beside.map((one) => one.y)), width, height }, gap);
}
