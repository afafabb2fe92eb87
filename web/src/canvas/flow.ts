/**
 * From the document to what React Flow draws. What did not change keeps its identity, so that it is not drawn again.
 */

import { type Edge, type Node, Position } from "@xyflow/react";

import { type Catalogue, type NodeSpec, outputsOf, specOf } from "../model/catalogue";
import {
  type DocNode,
  type Document,
  type Graph,
  type GroupView,
  type NodeView,
  type NoteView,
  type Point,
  type Subgraph,
  type Wire,
  wireKey,
} from "../model/document";
import { around } from "../model/arrange";
import { endOf, freeInput, givenAt, INPUTS_END, NEW, OUTPUTS_END, shownWires } from "../model/wiring";
import { END_WIDTH, endHeight, HEADER, layOut, type NodeLayout, SOCKET, WIDTH } from "./layout";

export type GraphNodeData = {
  readonly node: DocNode;
  readonly spec: NodeSpec | undefined;
  readonly view: NodeView | undefined;
  readonly layout: NodeLayout;
};
export type EndSocket = { readonly name: string; readonly type: string };
export type GraphNode = Node<GraphNodeData, "graph">;
export type GroupNode = Node<{ readonly group: GroupView }, "group_frame">;
export type NoteNode = Node<{ readonly note: NoteView }, "note">;
/** What comes into a subgraph, or what a graph gives: its sockets stand on the canvas like those of a node. */
export type EndNode = Node<{ readonly side: "inputs" | "outputs"; readonly sockets: readonly EndSocket[] }, "end">;
export type CanvasNode = GraphNode | GroupNode | NoteNode | EndNode;
export type WireData = { readonly wire: Wire; readonly type: string; readonly points: readonly Point[] };
export type WireEdge = Edge<WireData, "wire">;

/** The id of a socket on the canvas. */
export const inHandle = (name: string): string => `in:${name}`;
export const outHandle = (name: string): string => `out:${name}`;

/** Return the side and the name of a socket, given its id on the canvas. */
export function splitHandle(id: string | null | undefined): readonly ["in" | "out", string] {
  const text = id ?? "";
  return [text.startsWith("in:") ? "in" : "out", text.slice(text.indexOf(":") + 1)];
}

const HANDLE = 12;
const places = new WeakMap<DocNode, { spec: NodeSpec | undefined; view: NodeView | undefined; made: GraphNode }>();

/** Return the nodes of a graph as the canvas draws them; `inside` a subgraph with both of its ends. */
export function canvasNodes(catalogue: Catalogue, document: Document, graph: Graph, inside: boolean): CanvasNode[] {
  const found: CanvasNode[] = [];
  for (const group of graph.view?.groups ?? []) found.push(groupNode(group));
  for (const note of graph.view?.notes ?? []) found.push(noteNode(note));
  let unplaced = 0;
  for (const [name, node] of Object.entries(graph.nodes)) {
    const spec = specOf(catalogue, document, node.type);
    const view = graph.view?.nodes?.[name];
    if (!view) unplaced += 1;
    const known = places.get(node);
    if (view && known && known.spec === spec && known.view === view && known.made.id === name) found.push(known.made);
    else {
      const made = graphNode(name, node, spec, view, unplaced);
      places.set(node, { spec, view, made });
      found.push(made);
    }
  }
  const hasEnds = inside || Object.keys(graph.outputs ?? {}).length > 0;
  return hasEnds ? [...found, ...endNodes(catalogue, document, graph, inside, found)] : found;
}

/** Return the ends of a graph: they stand beside its nodes, unless the file says where. */
function endNodes(
  catalogue: Catalogue,
  document: Document,
  graph: Graph,
  inside: boolean,
  nodes: readonly CanvasNode[],
): CanvasNode[] {
  const found: CanvasNode[] = [];
  const box = around(nodes.filter(({ type }) => type === "graph").map(boxOf)) ?? { x: 0, y: 0, width: 0, height: 0 };
  if (inside) {
    const inputs = Object.entries((graph as Subgraph).inputs ?? {}).map(([name, { type }]) => ({ name, type }));
    found.push(endNode("inputs", inputs, graph.view?.inputs ?? { x: box.x - END_WIDTH - 90, y: box.y }));
  }
  if (inside || Object.keys(graph.outputs ?? {}).length) {
    const outputs = Object.entries(graph.outputs ?? {}).map(([name, { from }]) => ({
      name,
      type: givenAt(catalogue, document, graph, endOf(graph, from)) ?? "any",
    }));
    const [first] = Object.values(graph.outputs ?? {});
    const source = nodes.find(({ id }) => first && id === endOf(graph, first.from).node);
    const place = { x: box.x + box.width + 90, y: source?.position.y ?? box.y };
    found.push(endNode("outputs", outputs, graph.view?.outputs ?? place));
  }
  return found;
}

/** Return what a node is called on its card. */
export function titleOf({ node, spec, view }: GraphNodeData): string {
  return view?.title ?? spec?.title ?? node.type;
}

/** Return where a node lies and how large it is, as far as that is known without the browser. */
export function boxOf(node: CanvasNode) {
  const { width, height } = node.measured ?? {};
  return {
    ...node.position,
    width: width ?? node.width ?? WIDTH,
    height: height ?? node.height ?? HEADER,
  };
}

const ends = new Map<string, EndNode>();

function endNode(side: "inputs" | "outputs", sockets: readonly EndSocket[], position: Point): EndNode {
  const id = side === "inputs" ? INPUTS_END : OUTPUTS_END;
  const known = ends.get(id);
  const key = JSON.stringify([sockets, position]);
  if (known && JSON.stringify([known.data.sockets, known.position]) === key) return known;
  const rows = [...sockets.map(({ name }) => name), NEW];
  const made: EndNode = {
    id,
    type: "end",
    position: { x: position.x, y: position.y },
    data: { side, sockets },
    width: END_WIDTH,
    measured: { width: END_WIDTH, height: endHeight(rows.length) },
    handles: rows.map((name, index) => ({
      id: side === "inputs" ? outHandle(name) : inHandle(name),
      type: side === "inputs" ? ("source" as const) : ("target" as const),
      position: side === "inputs" ? Position.Right : Position.Left,
      x: (side === "inputs" ? END_WIDTH : 0) - HANDLE / 2,
      y: HEADER + SOCKET * (index + 0.5) - HANDLE / 2,
      width: HANDLE,
      height: HANDLE,
    })),
    dragHandle: ".node-header",
  };
  ends.set(id, made);
  return made;
}

function graphNode(
  name: string,
  node: DocNode,
  spec: NodeSpec | undefined,
  view: NodeView | undefined,
  unplaced: number,
): GraphNode {
  const layout = layOut(node, spec, view);
  const width = view?.width ?? WIDTH;
  return {
    id: name,
    type: "graph",
    position: view ? { x: view.x, y: view.y } : { x: (unplaced % 8) * (WIDTH + 40), y: Math.floor(unplaced / 8) * 260 },
    data: { node, spec, view, layout },
    width,
    measured: { width, height: layout.height },
    handles: handlesOf(node, spec, layout, width),
    dragHandle: ".node-header",
  };
}

function handlesOf(node: DocNode, spec: NodeSpec | undefined, layout: NodeLayout, width: number) {
  const box = { width: HANDLE, height: HANDLE };
  const into = (name: string, y: number) => ({
    id: inHandle(name),
    type: "target" as const,
    position: Position.Left,
    x: -HANDLE / 2,
    y: y - HANDLE / 2,
    ...box,
  });
  const out = (name: string, y: number) => ({
    id: outHandle(name),
    type: "source" as const,
    position: Position.Right,
    x: width - HANDLE / 2,
    y: y - HANDLE / 2,
    ...box,
  });
  if (!layout.rows.length) {
    return [
      ...collapsedInputs(node, spec).map((name) => into(name, layout.height / 2)),
      ...outputsOf(node, spec).map(({ name }) => out(name, layout.height / 2)),
    ];
  }
  return layout.rows.flatMap((row) => {
    const y = row.y + row.height / 2;
    if (row.kind === "sockets") {
      return [...(row.input ? [into(row.input.name, y)] : []), ...(row.output ? [out(row.output.name, y)] : [])];
    }
    return row.kind === "setting" && row.wireable ? [into(row.name, y)] : [];
  });
}

/** Tell whether two nodes have the same sockets at the same places. */
export function areSameHandles({ handles: one = [] }: CanvasNode, { handles: other = [] }: CanvasNode): boolean {
  if (one === other) return true;
  if (one.length !== other.length) return false;
  return one.every(({ id, x, y }, index) => {
    const handle = other[index]!;
    return id === handle.id && x === handle.x && y === handle.y;
  });
}

/** List the inputs that a collapsed node shows: those with a wire, and one that is free for another. */
export function collapsedInputs(node: DocNode, spec: NodeSpec | undefined): readonly string[] {
  const free = freeInput(node, spec);
  return [...new Set([...Object.keys(node.inputs ?? {}), ...(free === null ? [] : [free])])];
}

function groupNode(group: GroupView): GroupNode {
  const { id, x, y, width, height } = group;
  return {
    id,
    type: "group_frame",
    position: { x, y },
    data: { group },
    width,
    height,
    zIndex: -1,
    dragHandle: ".group-title",
  };
}

function noteNode(note: NoteView): NoteNode {
  const { id, x, y, width, height } = note;
  return { id, type: "note", position: { x, y }, data: { note }, width, height, dragHandle: ".note-grip" };
}

let drawnWires: ReadonlyMap<string, WireEdge> = new Map();

/** Return the wires of a graph as the canvas draws them. */
export function canvasEdges(catalogue: Catalogue, document: Document, graph: Graph, inside: boolean): WireEdge[] {
  const drawn = new Map<string, WireEdge>();
  for (const wire of shownWires(graph)) {
    const end = endOf(graph, wire.from);
    if (end.node === INPUTS_END ? !inside : !graph.nodes[end.node]) continue;
    const type = givenAt(catalogue, document, graph, end) ?? "any";
    const id = wireKey(wire);
    const points = graph.view?.wires?.[id] ?? NO_POINTS;
    const known = drawnWires.get(id);
    const isSame = known?.data?.wire.from === wire.from && known.data.type === type && known.data.points === points;
    drawn.set(
      id,
      isSame
        ? known
        : {
            id,
            type: "wire",
            source: end.node,
            sourceHandle: outHandle(end.socket),
            target: wire.node,
            targetHandle: inHandle(wire.input),
            data: { wire, type, points },
          },
    );
  }
  drawnWires = drawn;
  return [...drawn.values()];
}

/** Return the wires as they were made last: all of them, also where the canvas shows them as one drawing. */
export const shownEdges = (): readonly WireEdge[] => [...drawnWires.values()];

const NO_POINTS: readonly Point[] = [];
