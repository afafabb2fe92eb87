/** Dragging: groups take along what lies in them, and a node that is dropped on a wire is put into it. */

import type { OnNodeDrag } from "@xyflow/react";
import { type Dispatch, type SetStateAction, useCallback, useRef } from "react";

import { type Rect, rounded } from "../model/arrange";
import { specOf } from "../model/catalogue";
import { type Graph, type Point, type Wire, wireKey } from "../model/document";
import { isUsed, move, type Passage, splice } from "../model/edits";
import { documentOf, editor, shownGraph } from "../model/editor";
import { endOf, givenAt, OUTPUTS_END, passage, takenAt, verdict } from "../model/wiring";
import { studio } from "../session/studio";
import { withMembers } from "./chosen";
import { boxOf, type CanvasNode, shownEdges } from "./flow";
import { passesOver, stopsOf } from "./geometry";
import { stage } from "./stage";

interface Drag {
  /** The dragged nodes by name with the places they began at, those in dragged groups too. */
  readonly start: ReadonlyMap<string, Point>;
  /** Those that React Flow does not move by itself. */
  readonly members: ReadonlySet<string>;
}

/** A wire into which a node can be put, and the sockets of the node through which it is led then. */
interface Splice {
  readonly wire: Wire;
  readonly way: Passage;
}

export function useDrag(setNodes: Dispatch<SetStateAction<CanvasNode[]>>) {
  const drag = useRef<Drag | null>(null);
  const into = useRef<Splice | null>(null);

  const onNodeDragStart: OnNodeDrag<CanvasNode> = useCallback((_event, _node, dragged) => {
    const all = withMembers(dragged.map(({ id }) => id));
    const own = new Set(dragged.map(({ id }) => id));
    const nodes = stage.getState().flow?.getNodes() ?? [];
    drag.current = {
      start: new Map(nodes.filter(({ id }) => all.has(id)).map(({ id, position }) => [id, position])),
      members: new Set([...all].filter((id) => !own.has(id))),
    };
  }, []);

  const onNodeDrag: OnNodeDrag<CanvasNode> = useCallback(
    (_event, node, dragged) => {
      const by = wayOf(drag.current, node);
      const members = drag.current?.members;
      if (by && members?.size) {
        setNodes((nodes) =>
          nodes.map((one) => {
            const from = members.has(one.id) ? drag.current?.start.get(one.id) : undefined;
            return from ? { ...one, position: { x: from.x + by.x, y: from.y + by.y } } : one;
          }),
        );
      }
      into.current = dragged.length === 1 ? wireUnder(node) : null;
      stage.setState({ spliced: into.current ? wireKey(into.current.wire) : null });
    },
    [setNodes],
  );

  const onNodeDragStop: OnNodeDrag<CanvasNode> = useCallback((_event, node, dragged) => {
    const by = wayOf(drag.current, node);
    const places: Record<string, Point> = {};
    for (const { id, position } of dragged) places[id] = rounded(position);
    for (const id of drag.current?.members ?? []) {
      const from = drag.current?.start.get(id);
      if (from && by) places[id] = rounded({ x: from.x + by.x, y: from.y + by.y });
    }
    const spliced = into.current;
    editor.getState().edit(spliced ? "splice" : "move", (graph) => {
      const moved = move(graph, places);
      return spliced ? splice(moved, spliced.wire, node.id, spliced.way) : moved;
    });
    drag.current = into.current = null;
    stage.setState({ spliced: null });
  }, []);

  return { onNodeDragStart, onNodeDrag, onNodeDragStop };
}

function wayOf(drag: Drag | null, { id, position }: CanvasNode): Point | null {
  const from = drag?.start.get(id);
  return from ? { x: position.x - from.x, y: position.y - from.y } : null;
}

/** Return the wire that passes under a node which nothing is wired to yet, and could be led through it. */
function wireUnder(dragged: CanvasNode): Splice | null {
  const { flow } = stage.getState();
  const state = editor.getState();
  const [document, graph] = [documentOf(state), shownGraph(state)];
  const { catalogue } = studio.getState();
  const node = graph.nodes[dragged.id];
  if (!flow || !node || isWired(graph, dragged.id)) return null;
  const spec = specOf(catalogue, document, node.type);
  const nodes = new Map(flow.getNodes().map((one) => [one.id, one]));
  const rect: Rect = boxOf(dragged);
  for (const edge of shownEdges()) {
    const wire = edge.data?.wire;
    if (!wire || wire.node === OUTPUTS_END || !passesOver(stopsOf(edge, nodes), rect)) continue;
    const [from, to] = [endOf(graph, wire.from), { node: wire.node, socket: wire.input }];
    const given = givenAt(catalogue, document, graph, from);
    const taken = takenAt(catalogue, document, graph, to);
    const way = given && taken ? passage(catalogue, node, spec, given, taken.type) : null;
    if (!way || !verdict(catalogue, document, graph, from, { node: dragged.id, socket: way.input }).ok) continue;
    return { wire, way };
  }
  return null;
}

function isWired(graph: Graph, name: string): boolean {
  return Object.keys(graph.nodes[name]?.inputs ?? {}).length > 0 || isUsed(graph, name);
}
