/** A graph read aloud: its nodes in the order in which they work, each with what it takes and what takes it. */

import { type Graph, splitReference, wires } from "./document";

export interface OutlineEntry {
  readonly name: string;
  /** What comes in, `node.output`, by the input it goes into. */
  readonly takes: readonly { readonly input: string; readonly from: string }[];
  /** The nodes to which it gives something, each once. */
  readonly gives: readonly string[];
}

/** List a graph's nodes, each after all that it needs; those of a circle come last, as they stand in the file. */
export function outlineOf(graph: Graph): readonly OutlineEntry[] {
  const names = Object.keys(graph.nodes);
  const takes = new Map(names.map((name) => [name, [] as { input: string; from: string }[]]));
  const gives = new Map(names.map((name) => [name, new Set<string>()]));
  for (const { from, node, input } of wires(graph)) {
    takes.get(node)!.push({ input, from });
    gives.get(splitReference(from)[0])?.add(node);
  }
  const open = new Map(
    names.map((name) => [
      name,
      new Set(
        takes.get(name)!.flatMap(({ from }) => (gives.has(splitReference(from)[0]) ? [splitReference(from)[0]] : [])),
      ),
    ]),
  );
  const order: string[] = names.filter((name) => !open.get(name)!.size);
  for (const name of order) {
    for (const next of gives.get(name)!) {
      const left = open.get(next)!;
      if (left.delete(name) && !left.size) order.push(next);
    }
  }
  const placed = new Set(order);
  return [...order, ...names.filter((name) => !placed.has(name))].map((name) => ({
    name,
    takes: takes.get(name)!,
    gives: [...gives.get(name)!],
  }));
}
