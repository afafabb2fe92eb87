/**
 * The workflow document: the JSON file itself, as an immutable value.
 *
 * In: what the server stores. Out: the same with parts replaced; nothing here is ever changed in place, so that two
 * documents can be told apart by identity, and undo is a list of documents. `view` belongs to the editor and changes no
 * result; everything else is the file format of docs/workflows.md.
 */

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };
export type Names<T> = Readonly<Record<string, T>>;
export type Mode = "mute" | "bypass" | "pin";

export interface MapClause {
  readonly over: readonly string[];
  readonly how?: "zip" | "product";
  readonly failures?: "stop" | "skip";
  readonly index?: string;
}

export interface LoopClause {
  readonly over?: readonly string[];
  readonly carry?: Names<string>;
  readonly times?: number;
  readonly while?: string;
  readonly at_most?: number;
  readonly collect?: readonly string[];
  readonly index?: string;
}

/** One node. `inputs` are wires, `"node.output"` or a list of them; `settings` are values. */
export interface DocNode {
  readonly type: string;
  readonly version?: number;
  readonly inputs?: Names<string | readonly string[]>;
  readonly settings?: Names<Json>;
  readonly mode?: Mode;
  readonly pinned?: Names<string>;
  readonly map?: MapClause;
  readonly loop?: LoopClause;
}

export interface Parameter {
  readonly sets: readonly string[];
  readonly description?: string;
}

export interface Output {
  readonly from: string;
  readonly description?: string;
}

export interface SubgraphInput {
  readonly type: string;
  readonly description?: string;
  readonly many?: boolean;
}

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** How a node is shown. Absent sizes are natural ones. */
export interface NodeView extends Point {
  readonly width?: number;
  readonly title?: string;
  readonly collapsed?: boolean;
  /** All settings are shown, not only the first ones and those that were changed. */
  readonly expanded?: boolean;
  /** What happens to seeds before each run, by setting; those that are not named stay. */
  readonly seeds?: Names<"increment" | "random">;
  readonly color?: string;
}

/** A frame around nodes: whatever lies in it moves along. */
export interface GroupView extends Point {
  readonly id: string;
  readonly title: string;
  readonly width: number;
  readonly height: number;
  readonly color?: string;
}

export interface NoteView extends Point {
  readonly id: string;
  readonly text: string;
  readonly width: number;
  readonly height: number;
}

/**
 * The editor's part of a graph. `wires` holds the points through which a wire is led (reroutes), by the socket it goes
 * into: `node.socket`, or `node.socket#2` for the third wire of a socket that takes many. `inputs` and `outputs` are the
 * places of a subgraph's two ends.
 */
export interface View {
  readonly nodes?: Names<NodeView>;
  readonly groups?: readonly GroupView[];
  readonly notes?: readonly NoteView[];
  readonly wires?: Names<readonly Point[]>;
  readonly inputs?: Point;
  readonly outputs?: Point;
}

/** What a workflow and a subgraph have in common: a graph that can be edited. */
export interface Graph {
  readonly description?: string;
  readonly parameters?: Names<Parameter>;
  readonly outputs?: Names<Output>;
  readonly nodes: Names<DocNode>;
  readonly view?: View;
}

export interface Subgraph extends Graph {
  readonly version?: number;
  readonly inputs?: Names<SubgraphInput>;
}

export interface Document extends Graph {
  readonly graphgen: number;
  readonly name?: string;
  readonly requires?: Names<string>;
  readonly subgraphs?: Names<Subgraph>;
}

/** Which graph of a document is meant: a subgraph by its name, or the workflow itself (null). */
export type Scope = string | null;

export const EMPTY: Document = { graphgen: 1, name: "", nodes: {} };
export const SUBGRAPH = "subgraph.";
/** The name under which a subgraph's nodes reach what comes in. */
export const INPUTS = "inputs";

/** Return the graph of a scope; the workflow itself where a subgraph is not there any more. */
export function graphOf(document: Document, scope: Scope): Graph | Subgraph {
  return (scope !== null && document.subgraphs?.[scope]) || document;
}

/** Return the document with the graph of a scope replaced. */
export function withGraph(document: Document, scope: Scope, graph: Graph): Document {
  if (scope === null || !document.subgraphs?.[scope]) return graph as Document;
  return { ...document, subgraphs: { ...document.subgraphs, [scope]: graph as Subgraph } };
}

/** Return the name of the subgraph that a node's type names, if it names one. */
export function subgraphName(type: string): string | null {
  return type.startsWith(SUBGRAPH) ? type.slice(SUBGRAPH.length) : null;
}

/** Split `"node.socket"`. A node's name has no dot. */
export function splitReference(reference: string): readonly [node: string, socket: string] {
  const dot = reference.indexOf(".");
  return dot < 0 ? [reference, ""] : [reference.slice(0, dot), reference.slice(dot + 1)];
}

/** List the wires of an input as they stand in the file, one or several. */
export function wiresOf(value: string | readonly string[] | undefined): readonly string[] {
  return value === undefined ? [] : typeof value === "string" ? [value] : value;
}

/** A wire: from an output, into an input; `index` counts the wires of an input that takes many. */
export interface Wire {
  readonly from: string;
  readonly node: string;
  readonly input: string;
  readonly index: number;
  readonly many: boolean;
}

/** List all wires of a graph, in the order of the file. */
export function wires(graph: Graph): Wire[] {
  const found: Wire[] = [];
  for (const [node, { inputs }] of Object.entries(graph.nodes)) {
    for (const [input, value] of Object.entries(inputs ?? {})) {
      wiresOf(value).forEach((from, index) =>
        found.push({ from, node, input, index, many: typeof value !== "string" }),
      );
    }
  }
  return found;
}

/** Return the key of a wire in `view.wires`, which is also its id on the canvas. */
export function wireKey(wire: { node: string; input: string; index: number; many: boolean }): string {
  return wire.many ? `${wire.node}.${wire.input}#${wire.index}` : `${wire.node}.${wire.input}`;
}

/** Return an object without some keys; the same object where none of them is there. */
export function without<T>(record: Names<T>, keys: Iterable<string>): Names<T> {
  const gone = new Set([...keys].filter((key) => key in record));
  return gone.size ? Object.fromEntries(Object.entries(record).filter(([key]) => !gone.has(key))) : record;
}
