/** The canvas: the shown graph, drawn and changed by React Flow, which hands every change on to the document. */

import {
  type EdgeChange,
  type EdgeMouseHandler,
  type NodeMouseHandler,
  ReactFlow,
  SelectionMode,
  useStore,
} from "@xyflow/react";
import { type MouseEvent, type ReactElement, useEffect, useMemo, useState } from "react";

import { addPoint, tellChosen } from "../commands/build";
import type { About } from "../commands/command";
import { removeChosen } from "../commands/edit";
import { enterChosen } from "../commands/subgraph";
import { useSay } from "../i18n";
import { type Point, subgraphName } from "../model/document";
import { editor } from "../model/editor";
import { Breadcrumb } from "./Breadcrumb";
import { chooseWires } from "./chosen";
import { listenToClipboard } from "./clipboard";
import { ContextMenu } from "./ContextMenu";
import { EndCard } from "./EndCard";
import { distanceAt, FarContext } from "./far";
import { type CanvasNode, canvasEdges, canvasNodes, type WireEdge } from "./flow";
import { GroupFrame, NoteCard } from "./Frames";
import { stopsOf } from "./geometry";
import { GraphNodeCard } from "./GraphNodeCard";
import { Ground } from "./Ground";
import { useDocument, useEditor, useGraph, useStage, useStudio } from "./hooks";
import { MovingWires } from "./MovingWires";
import { Overview } from "./Overview";
import { Painting } from "./Painting";
import { Palette } from "./Palette";
import { placeMissing } from "./placing";
import { askForNode, focusCanvas, onCanvas, pointAt, stage } from "./stage";
import { useBoxSelection } from "./useBoxSelection";
import { useDrag } from "./useDrag";
import { useMotion } from "./useMotion";
import { useNodes } from "./useNodes";
import { type Pointed, usePointed } from "./usePointed";
import { movingCourses, useOnPage, useScene } from "./useScene";
import { FIT, useScopeView } from "./useScopeView";
import { pickUpWire, useWires } from "./useWires";
import { WireHint } from "./WireHint";
import { WireLine } from "./WireLine";

const NODE_TYPES = { graph: GraphNodeCard, group_frame: GroupFrame, note: NoteCard, end: EndCard };
const EDGE_TYPES = { wire: WireLine };
const KINDS: Readonly<Record<string, About>> = { graph: "node", group_frame: "group", note: "note", end: "end" };

export function Canvas(): ReactElement {
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const graph = useGraph();
  const inside = useEditor((state) => state.path.length > 0);
  const selected = useEditor((state) => state.selected);
  const palette = useStage((state) => state.palette);
  const menu = useStage((state) => state.menu);
  const isDrawing = useStage((state) => state.drawn !== null);
  const isBare = useStage((state) => state.isBare);
  const say = useSay();
  const distance = useStore((state) => distanceAt(state.transform[2]));
  // Until all of it is in view nothing is an element of the page: cards in view before that would be made for nothing.
  const [isFitted, setFitted] = useState(false);
  const isFar = distance !== "near" || !isFitted;

  const drawn = useMemo(() => canvasNodes(catalogue, document, graph, inside), [catalogue, document, graph, inside]);
  const wires = useMemo(() => canvasEdges(catalogue, document, graph, inside), [catalogue, document, graph, inside]);
  const { nodes, setNodes, onNodesChange, moving } = useNodes(drawn, selected);
  const led = useStage((state) => state.led);
  const scene = useScene(nodes, wires, moving, led, distance);
  const { pointed, find, ...pointing } = usePointed(scene.nodes, scene.courses);
  const shown = useOnPage(nodes, isFar, pointed.node, moving);
  const edges = useWiresOnPage(wires, pointed.wire, isFar);

  const wiring = useWires();
  const dragging = useDrag(setNodes);
  const boxing = useBoxSelection(nodes);
  useScopeView();
  useMotion();
  useEffect(() => void placeMissing(), [graph, catalogue]);
  useEffect(() => listenToClipboard(() => removeChosen(false)), []);
  useEffect(() => () => stage.setState({ flow: null, dialog: null, palette: null, menu: null }), []);

  return (
    <div
      className={["canvas", `canvas-${distance}`, isDrawing && "canvas-drawing", (isBare || !isFitted) && "canvas-bare"]
        .filter(Boolean)
        .join(" ")}
      data-testid="canvas"
      tabIndex={0}
      role="application"
      aria-label={say("canvas")}
      aria-describedby="canvas-help"
      onPointerMove={(event) => {
        pointAt({ x: event.clientX, y: event.clientY });
        pointing.onPointerMove(event);
      }}
      onPointerLeave={() => {
        pointAt(null);
        pointing.onPointerLeave();
      }}
      onMouseDownCapture={pickUpWire}
      onContextMenu={openMenu}
    >
      <p id="canvas-help" className="sr-only">
        {say("canvasHelp")}
      </p>
      <p className="sr-only" role="status">
        {tellChosen()}
      </p>
      <FarContext value={isFar}>
        <ReactFlow<CanvasNode, WireEdge>
          nodes={shown}
          edges={edges}
          nodeTypes={NODE_TYPES}
          edgeTypes={EDGE_TYPES}
          onInit={(flow) => {
            stage.setState({ flow });
            focusCanvas(); // now that keys find the nodes
            void (flow.getNodes().length ? flow.fitView(FIT) : Promise.resolve()).then(() => setFitted(true));
          }}
          onNodesChange={onNodesChange}
          onEdgesChange={onEdgesChange}
          {...wiring}
          {...dragging}
          {...boxing}
          onNodeDoubleClick={enterOnDouble}
          onNodeContextMenu={chooseNode}
          onEdgeContextMenu={chooseEdge}
          onEdgeDoubleClick={addPointThere}
          onEdgeClick={addPointByAlt}
          deleteKeyCode={null}
          disableKeyboardA11y
          nodesFocusable={false}
          edgesFocusable={false}
          selectionMode={SelectionMode.Partial}
          multiSelectionKeyCode={["Control", "Meta", "Shift"]}
          connectionRadius={24}
          reconnectRadius={12}
          onlyRenderVisibleElements
          minZoom={0.05}
          maxZoom={2.5}
          proOptions={{ hideAttribution: true }}
          zoomOnDoubleClick={false}
          onPaneClick={({ clientX: x, clientY: y }) => {
            stage.setState({ palette: null });
            focusCanvas();
            choosePainted(find({ x, y }));
          }}
          onDoubleClick={(event) => {
            if ((event.target as Element).classList.contains("react-flow__pane")) {
              askForNode({ x: event.clientX, y: event.clientY });
            }
          }}
        >
          <Ground />
          <Painting scene={scene} />
          {moving.size > 0 && <MovingWires courses={movingCourses(nodes, wires, moving)} />}
          <Overview nodes={nodes} />
          <WireHint />
        </ReactFlow>
      </FarContext>
      <Breadcrumb />
      {palette && <Palette request={palette} onClose={() => stage.setState({ palette: null })} />}
      {menu && <ContextMenu at={menu.at} about={menu.about} />}
      {!Object.keys(graph.nodes).length && <p className="canvas-hint">{say("emptyCanvas")}</p>}
    </div>
  );
}

/** Return the wires that are elements of the page, not only painted: what is done to wires is done to those. */
function useWiresOnPage(wires: readonly WireEdge[], pointed: string | null, isFar: boolean): WireEdge[] {
  const chosen = useStage((state) => state.wires);
  const spliced = useStage((state) => state.spliced);
  const led = useStage((state) => state.led);
  return useMemo(
    () =>
      wires.flatMap((wire) => {
        const { id, data } = wire;
        if (chosen.has(id)) return [{ ...wire, selected: true }];
        const hasPoints = !isFar && !!data?.points.length;
        return id === pointed || id === spliced || id === led || hasPoints ? [wire] : [];
      }),
    [wires, chosen, pointed, spliced, led, isFar],
  );
}

/** Choose what was pressed where it is only painted: by a finger, which does not point before it presses. */
function choosePainted({ node, wire }: Pointed): void {
  if (node !== null) editor.getState().select([node]);
  if (wire !== null) chooseWires([wire]);
}

function onEdgesChange(changes: EdgeChange<WireEdge>[]): void {
  const chosen = changes.filter((change) => change.type === "select");
  if (!chosen.length) return;
  const after = new Set(stage.getState().wires);
  for (const { id, selected: on } of chosen) on ? after.add(id) : after.delete(id);
  stage.setState({ wires: after });
}

const enterOnDouble: NodeMouseHandler<CanvasNode> = (event, node) => {
  if (node.type !== "graph" || (event.target as Element).closest("input, textarea, select, button")) return;
  if (subgraphName(node.data.node.type) !== null) enterChosen();
};

const chooseNode: NodeMouseHandler<CanvasNode> = (_event, { id }) => {
  if (!editor.getState().selected.has(id)) editor.getState().select([id]);
};

const chooseEdge: EdgeMouseHandler<WireEdge> = (event, edge) => {
  if (event.shiftKey) addPointThere(event, edge);
  if (!stage.getState().wires.has(edge.id)) chooseWires([edge.id]);
};

const addPointThere: EdgeMouseHandler<WireEdge> = (event, edge) => {
  const nodes = new Map(
    stage
      .getState()
      .flow?.getNodes()
      .map((node) => [node.id, node]),
  );
  const stops = stopsOf(edge, nodes);
  if (stops.length > 1) addPoint(edge.id, stops, onCanvas({ x: event.clientX, y: event.clientY }));
};

const addPointByAlt: EdgeMouseHandler<WireEdge> = (event, edge) => {
  if (event.altKey) addPointThere(event, edge);
};

/** Open the menu of what lies under the pointer, or, asked for by a key, of what is chosen. */
function openMenu(event: MouseEvent): void {
  const target = event.target as Element;
  if (target.closest("input, textarea, select, dialog, .context-menu, .palette")) return;
  event.preventDefault();
  if (event.shiftKey && target.closest(".react-flow__edge")) return; // that has put a point there
  const { flow, wires } = stage.getState();
  const { selected } = editor.getState();
  const node = flow?.getNode(target.closest<HTMLElement>(".react-flow__node")?.dataset.id ?? "");
  const byKey = target.classList.contains("canvas");
  const [only] = selected;
  const first = byKey && only !== undefined ? flow?.getNode(only) : undefined;
  let about: About = "canvas";
  let at: Point = { x: event.clientX, y: event.clientY };
  if (node) about = KINDS[node.type] ?? "node";
  else if (target.closest(".react-flow__edge")) about = "wire";
  else if (target.closest(".react-flow__nodesselection") || (byKey && selected.size > 1)) about = "node";
  else if (first) about = KINDS[first.type] ?? "node";
  else if (byKey && wires.size) about = "wire";
  if (first && flow) at = flow.flowToScreenPosition({ x: first.position.x + 24, y: first.position.y + 24 });
  stage.setState({ menu: { at, about } });
}
