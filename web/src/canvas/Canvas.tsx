/** The canvas: the shown graph, drawn and changed by React Flow, which hands every change on to the document. */

import {
  applyNodeChanges,
  Background,
  type Connection,
  type EdgeChange,
  type FinalConnectionState,
  MiniMap,
  type NodeChange,
  type OnNodeDrag,
  ReactFlow,
  useReactFlow,
  useStore,
} from "@xyflow/react";
import { type ReactElement, useCallback, useEffect, useMemo, useState } from "react";

import { isTyping } from "../commands/command";
import { useSay } from "../i18n";
import { labelOf } from "../model/catalogue";
import type { Point } from "../model/document";
import { connect, disconnect, move, removeNodes } from "../model/edits";
import { documentOf, editor, shownGraph } from "../model/editor";
import { studio } from "../session/studio";
import { notify } from "../session/notices";
import { verdict } from "./connecting";
import { type CanvasNode, canvasEdges, canvasNodes, type WireEdge } from "./flow";
import { GraphNodeCard } from "./GraphNodeCard";
import { useDocument, useEditor, useGraph, useStudio } from "./hooks";
import { Palette, type PaletteRequest } from "./Palette";
import { WireLine } from "./WireLine";

const NODE_TYPES = { graph: GraphNodeCard };
const EDGE_TYPES = { wire: WireLine };
/** Below this zoom nodes show their outlines and titles alone. */
const FAR = 0.35;

export function Canvas(): ReactElement {
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const graph = useGraph();
  const selected = useEditor((state) => state.selected);
  const say = useSay();
  const flow = useReactFlow<CanvasNode, WireEdge>();
  const [asked, setAsked] = useState<PaletteRequest | null>(null);
  const far = useStore((state) => state.transform[2] < FAR);

  const drawn = useMemo(() => canvasNodes(catalogue, document, graph), [catalogue, document, graph]);
  const edges = useMemo(() => canvasEdges(catalogue, document, graph), [catalogue, document, graph]);
  // What is being dragged lives here until it is let go; then the document has it.
  const [nodes, setNodes] = useState<CanvasNode[]>(drawn);
  const [shown, setShown] = useState({ drawn, selected });
  if (shown.drawn !== drawn || shown.selected !== selected) {
    setShown({ drawn, selected });
    setNodes(taken(nodes, drawn, selected));
  }

  const onNodesChange = useCallback((changes: NodeChange<CanvasNode>[]) => {
    setNodes((before) => applyNodeChanges(changes, before));
    const chosen = changes.filter((change) => change.type === "select");
    if (chosen.length) {
      const after = new Set(editor.getState().selected);
      for (const { id, selected: on } of chosen) on ? after.add(id) : after.delete(id);
      editor.getState().select(after);
    }
  }, []);

  const onNodeDragStop: OnNodeDrag<CanvasNode> = useCallback((_event, _node, dragged) => {
    const places = Object.fromEntries(dragged.map(({ id, position }) => [id, rounded(position)]));
    editor.getState().edit("move", (one) => move(one, places));
  }, []);

  const onConnect = useCallback((connection: Connection) => {
    const ends = endsOf(connection);
    const state = editor.getState();
    const judged = verdict(studio.getState().catalogue, documentOf(state), shownGraph(state), ends.from, ends.into);
    if (!judged.ok) return;
    state.edit("connect", (one) =>
      connect(one, `${ends.from.node}.${ends.from.output}`, ends.into.node, ends.into.input, judged.many),
    );
  }, []);

  const isValid = useCallback((connection: Connection | WireEdge) => {
    const state = editor.getState();
    const ends = endsOf(connection);
    return verdict(studio.getState().catalogue, documentOf(state), shownGraph(state), ends.from, ends.into).ok;
  }, []);

  const onConnectEnd = useCallback(
    (event: MouseEvent | TouchEvent, state: FinalConnectionState) => {
      if (state.isValid || !state.fromHandle || !state.fromNode) return;
      const at = pointOf(event);
      if (state.toHandle) {
        refuse(state);
        return;
      }
      const [side, socket] = splitHandle(state.fromHandle.id);
      setAsked({ at, place: flow.screenToFlowPosition(at), wire: { node: state.fromNode.id, side, socket } });
    },
    [flow],
  );

  const onDelete = useCallback(({ nodes: gone, edges: cut }: { nodes: CanvasNode[]; edges: WireEdge[] }) => {
    editor.getState().edit("delete", (one) =>
      removeNodes(
        disconnect(
          one,
          cut.flatMap(({ data }) => (data ? [data.wire] : [])),
        ),
        gone.map(({ id }) => id),
      ),
    );
  }, []);

  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event.target) || event.key !== "Tab" || event.shiftKey) return;
      event.preventDefault();
      const at = { x: window.innerWidth / 2, y: window.innerHeight / 3 };
      setAsked({ at, place: flow.screenToFlowPosition(at), wire: null });
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [flow]);

  return (
    <div className={far ? "canvas canvas-far" : "canvas"} data-testid="canvas">
      <ReactFlow<CanvasNode, WireEdge>
        nodes={nodes}
        edges={edges}
        nodeTypes={NODE_TYPES}
        edgeTypes={EDGE_TYPES}
        onNodesChange={onNodesChange}
        onEdgesChange={ignoreEdges}
        onNodeDragStop={onNodeDragStop}
        onConnect={onConnect}
        onConnectEnd={onConnectEnd}
        isValidConnection={isValid}
        onDelete={onDelete}
        deleteKeyCode={["Delete", "Backspace"]}
        onlyRenderVisibleElements
        minZoom={0.05}
        maxZoom={2.5}
        fitView
        proOptions={{ hideAttribution: true }}
        zoomOnDoubleClick={false}
        onPaneClick={() => setAsked(null)}
        onDoubleClick={(event) => {
          if (!(event.target as Element).classList.contains("react-flow__pane")) return;
          const at = { x: event.clientX, y: event.clientY };
          setAsked({ at, place: flow.screenToFlowPosition(at), wire: null });
        }}
        aria-label={say("canvas")}
      >
        <Background gap={24} />
        <MiniMap pannable zoomable />
      </ReactFlow>
      {asked && <Palette request={asked} onClose={() => setAsked(null)} />}
      {!Object.keys(graph.nodes).length && <p className="canvas-hint">{say("emptyCanvas")}</p>}
    </div>
  );
}

/** Take over what the document has now; what is the same stays the same, so that it is not drawn again. */
function taken(
  before: readonly CanvasNode[],
  drawn: readonly CanvasNode[],
  selected: ReadonlySet<string>,
): CanvasNode[] {
  const known = new Map(before.map((node) => [node.id, node]));
  return drawn.map((node) => {
    const old = known.get(node.id);
    const chosen = selected.has(node.id);
    if (old && old.data === node.data && old.position === node.position && !!old.selected === chosen) return old;
    return { ...node, selected: chosen, ...(old?.measured ? { measured: old.measured } : {}) } as CanvasNode;
  });
}

function ignoreEdges(_changes: EdgeChange<WireEdge>[]): void {
  // wires are chosen and removed through the document; React Flow's own bookkeeping of them is not needed
}

function endsOf({
  source,
  target,
  sourceHandle,
  targetHandle,
}: Pick<Connection, "source" | "target"> & { sourceHandle?: string | null; targetHandle?: string | null }) {
  return {
    from: { node: source, output: splitHandle(sourceHandle)[1] },
    into: { node: target, input: splitHandle(targetHandle)[1] },
  };
}

function splitHandle(id: string | null | undefined): readonly ["in" | "out", string] {
  const text = id ?? "";
  return [text.startsWith("in:") ? "in" : "out", text.slice(text.indexOf(":") + 1)];
}

/** Say why a wire that was let go over a socket cannot be. */
function refuse({ fromNode, fromHandle, toNode, toHandle }: FinalConnectionState): void {
  if (!fromNode || !fromHandle || !toNode || !toHandle) return;
  const state = editor.getState();
  const [one, other] = [
    { node: fromNode.id, socket: splitHandle(fromHandle.id)[1] },
    { node: toNode.id, socket: splitHandle(toHandle.id)[1] },
  ];
  const [from, into] = fromHandle.type === "source" ? [one, other] : [other, one];
  const judged = verdict(
    studio.getState().catalogue,
    documentOf(state),
    shownGraph(state),
    { node: from.node, output: from.socket },
    { node: into.node, input: into.socket },
  );
  if (judged.ok || judged.reason === "gone") return;
  notify("warning", judged.reason, { from: labelOf(judged.from), into: labelOf(judged.into) });
}

function rounded({ x, y }: Point): Point {
  return { x: Math.round(x), y: Math.round(y) };
}

function pointOf(event: MouseEvent | TouchEvent): Point {
  const { clientX: x, clientY: y } = "changedTouches" in event ? event.changedTouches[0]! : event;
  return { x, y };
}
