/** What changed between two documents, node by node, for people to read. */

import type { DocNode, Document, Graph } from "./document";
import { same } from "./merge";

export interface Change {
  readonly kind: "added" | "removed" | "changed";
  /** The node, with the subgraphs that it lies in before it: `refine/sample`; empty for the workflow itself. */
  readonly node: string;
  /** What of it: its settings, sockets and the like by name. Empty where all of it is new or gone. */
  readonly parts: readonly string[];
}

/** List what was done to get from one document to another. */
export function changesBetween(before: Document, after: Document): readonly Change[] {
  const found = graphChanges(before, after, "");
  const names = new Set([...Object.keys(before.subgraphs ?? {}), ...Object.keys(after.subgraphs ?? {})]);
  for (const name of names) {
    const [old, now] = [before.subgraphs?.[name], after.subgraphs?.[name]];
    if (old && now) found.push(...graphChanges(old, now, `${name}/`));
    else found.push({ kind: now ? "added" : "removed", node: name, parts: [] });
  }
  return found;
}

/**
 * Say in a few signs what a setting or wire of a node was and is; null for what is no single value. A node in a subgraph
 * is given with that before it: `refine/sample`.
 */
export function valuesOf(
  before: Document,
  after: Document,
  node: string,
  part: string,
): readonly [before: string, after: string] | null {
  const [old, now] = [before, after].map((one) => valueIn(one, node, part));
  return old === undefined && now === undefined ? null : [shortly(old), shortly(now)];
}

function valueIn(document: Document, place: string, part: string): unknown {
  const [name, within] = place.split("/").reverse() as [string, string?];
  const node = (within === undefined ? document : document.subgraphs?.[within])?.nodes[name];
  return node?.settings?.[part] ?? node?.inputs?.[part];
}

const LONGEST = 40;

function shortly(value: unknown): string {
  if (value === undefined) return "—";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length > LONGEST ? `${text.slice(0, LONGEST - 1)}…` : text;
}

/** Name the places that differ between two documents: settings as `node.setting`, nodes, and parts of the workflow. */
export function placesOf(before: Document, after: Document): readonly string[] {
  return changesBetween(before, after).flatMap(({ node, parts }) =>
    parts.length ? parts.map((part) => (node ? `${node}.${part}` : part)) : [node],
  );
}

/** What of a graph is told beside its nodes. */
const FACE = ["name", "description", "parameters", "outputs", "inputs", "view"] as const;

function graphChanges(before: Graph, after: Graph, within: string): Change[] {
  const found: Change[] = [];
  const face = FACE.filter((key) => !same(keysOf(before)[key], keysOf(after)[key]));
  if (face.length) found.push({ kind: "changed", node: within.slice(0, -1), parts: face });
  for (const name of new Set([...Object.keys(before.nodes), ...Object.keys(after.nodes)])) {
    const [old, now] = [before.nodes[name], after.nodes[name]];
    const node = within + name;
    if (!old || !now) found.push({ kind: now ? "added" : "removed", node, parts: [] });
    else if (!same(old, now)) found.push({ kind: "changed", node, parts: partsChanged(keysOf(old), keysOf(now)) });
  }
  return found;
}

type Keys = Readonly<Record<string, unknown>>;
const keysOf = (value: Graph | DocNode): Keys => value as unknown as Keys;

/** Name settings and inputs by themselves, anything else of a node by its key. */
function partsChanged(old: Keys, now: Keys): readonly string[] {
  const parts: string[] = [];
  for (const key of new Set([...Object.keys(old), ...Object.keys(now)])) {
    if (same(old[key], now[key])) continue;
    if (key !== "settings" && key !== "inputs") {
      parts.push(key);
      continue;
    }
    const [one, other] = [(old[key] ?? {}) as Keys, (now[key] ?? {}) as Keys];
    const names = new Set([...Object.keys(one), ...Object.keys(other)]);
    parts.push(...[...names].filter((name) => !same(one[name], other[name])));
  }
  return parts;
}
