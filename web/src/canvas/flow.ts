/**
 * From the document to what React Flow draws. What did not change keeps its identity, so that it is not drawn again.
 */

import { type Edge, type Node, Position } from "@xyflow/react";

import { type Catalogue, inputsOf, type NodeSpec, outputsOf, settingType, specOf } from "../model/catalogue";
import {
  type DocNode,
  type Document,
  type Graph,
  type GroupView,
  type NodeView,
  type NoteView,
  type Point,
  splitReference,
  type Wire,
  wireKey,
  wires,
} from "../model/document";
import { layOut, type NodeLayout, WIDTH } from "./layout";

export type GraphNodeData = {
  readonly node: DocNode;
  readonly spec: NodeSpec | undefined;
  readonly view: NodeView | undefined;
  readonly layout: NodeLayout;
};
export type GraphNode = Node<GraphNodeData, "graph">;
export type GroupNode = Node<{ readonly group: GroupView }, "group_frame">;
export type NoteNode = Node<{ readonly note: NoteView }, "note">;
export type CanvasNode = GraphNode | GroupNode | NoteNode;
export type WireData = { readonly wire: Wire; readonly type: string; readonly points: readonly Point[] };
export type WireEdge = Edge<WireData, "wire">;

/** The id of a socket on the canvas. */
export const inHandle = (name: string): string => `in:${name}`;
export const outHandle = (name: string): string => `out:${name}`;

const HANDLE = 12;
const places = new WeakMap<DocNode, { spec: NodeSpec | undefined; view: NodeView | undefined; made: GraphNode }>();

/** Return the nodes of a graph as the canvas draws them. */
export function canvasNodes(catalogue: Catalogue, document: Document, graph: Graph): CanvasNode[] {
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
  return found;
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
    initialHeight: layout.height,
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
    const wired = Object.keys(node.inputs ?? {});
    return [
      ...wired.map((name) => into(name, layout.height / 2)),
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

/** Return the wires of a graph as the canvas draws them. */
export function canvasEdges(catalogue: Catalogue, document: Document, graph: Graph): WireEdge[] {
  return wires(graph).flatMap((wire) => {
    const [source, output] = splitReference(wire.from);
    const node = graph.nodes[source];
    if (!node) return [];
    const spec = specOf(catalogue, document, node.type);
    const type = outputsOf(node, spec).find(({ name }) => name === output)?.type ?? "any";
    const id = wireKey(wire);
    return [
      {
        id,
        type: "wire" as const,
        source,
        sourceHandle: outHandle(output),
        target: wire.node,
        targetHandle: inHandle(wire.input),
        data: { wire, type, points: graph.view?.wires?.[id] ?? [] },
      },
    ];
  });
}

/** Return the type and the manner of what a node takes under a name, be it an input or a setting. */
export function takes(
  node: DocNode,
  spec: NodeSpec | undefined,
  name: string,
): { readonly type: string; readonly many: boolean } | null {
  const input = inputsOf(node, spec).find((one) => one.name === name);
  if (input) return { type: input.type, many: input.many };
  const schema = spec?.settings.properties?.[name];
  return schema && spec?.wireable.includes(name) ? { type: settingType(schema), many: false } : null;
}
