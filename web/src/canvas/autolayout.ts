/**
 * Automatic layout by ELK, in a worker: layered from left to right, with the real sizes of nodes and the real places of
 * their sockets, groups kept together. The worker is loaded when it is first needed.
 */

import type { ElkExtendedEdge, ElkNode, ELK } from "elkjs/lib/elk-api";

import { around, liesIn, type Rect, rounded } from "../model/arrange";
import { type Names, type Point, splitReference, without } from "../model/document";
import { editor, shownGraph } from "../model/editor";
import { move, putGroup } from "../model/edits";
import { INPUTS_END, OUTPUTS_END } from "../model/wiring";
import { notify } from "../session/notices";
import { boxOf, type CanvasNode, shownEdges, type WireEdge } from "./flow";
import { glide, stage } from "./stage";
import { FIT } from "./useScopeView";

const GAP = "48";
const OPTIONS = {
  "elk.algorithm": "layered",
  "elk.direction": "RIGHT",
  "elk.hierarchyHandling": "INCLUDE_CHILDREN",
  "elk.layered.spacing.nodeNodeBetweenLayers": "96",
  "elk.spacing.nodeNode": GAP,
  "elk.spacing.componentComponent": "72",
  "elk.layered.nodePlacement.strategy": "NETWORK_SIMPLEX",
  "elk.layered.considerModelOrder.strategy": "NODES_AND_EDGES",
  "elk.layered.crossingMinimization.greedySwitch.type": "TWO_SIDED",
  "elk.aspectRatio": "1.8",
};
const GROUP_PADDING = "[top=60,left=24,bottom=24,right=24]";
const LAYERS: Readonly<Record<string, string>> = { [INPUTS_END]: "FIRST", [OUTPUTS_END]: "LAST" };

let engine: Promise<ELK> | null = null;

async function start(): Promise<ELK> {
  const [{ default: Engine }, { default: workerUrl }] = await Promise.all([
    import("elkjs/lib/elk-api.js"),
    import("elkjs/lib/elk-worker.min.js?url"),
  ]);
  return new Engine({ workerUrl });
}

/** Lay the shown graph out, or some of its nodes; their left upper corner stays where it is. */
export async function layOutGraph(names: ReadonlySet<string> | null): Promise<void> {
  const { flow } = stage.getState();
  if (!flow) return;
  const before = shownGraph(editor.getState());
  const nodes = flow.getNodes().filter(({ id, type }) => !names || (names.has(id) && type === "graph"));
  const corner = around(nodes.map(boxOf));
  if (!corner) return;
  try {
    const laid = await layOut(nodes, shownEdges());
    if (shownGraph(editor.getState()).nodes !== before.nodes) return; // something else was done meanwhile
    put(laid, corner);
    if (!names) window.setTimeout(() => void flow.fitView({ ...FIT, ...glide() }), 60);
  } catch (error) {
    notify("error", "failed", { why: error instanceof Error ? error.message : String(error) });
  }
}

/** Return where ELK puts nodes, and how large their groups become, by ids. Throws where the worker cannot be loaded. */
export async function layOut(nodes: readonly CanvasNode[], edges: readonly WireEdge[]): Promise<Names<Rect>> {
  try {
    engine ??= start();
    return rectsOf(await (await engine).layout(elkGraph(nodes, edges)));
  } catch (error) {
    engine = null; // the next time, it is loaded anew
    throw error;
  }
}

function rectsOf(laid: ElkNode): Names<Rect> {
  const rects: Record<string, Rect> = {};
  const collect = (node: ElkNode, from: Point) => {
    for (const child of node.children ?? []) {
      const at = { x: from.x + (child.x ?? 0), y: from.y + (child.y ?? 0) };
      rects[child.id] = { ...at, width: child.width ?? 0, height: child.height ?? 0 };
      collect(child, at);
    }
  };
  collect(laid, { x: 0, y: 0 });
  return rects;
}

/** Write a graph as ELK reads it: sockets are ports at fixed places, groups are nodes with nodes inside. */
export function elkGraph(nodes: readonly CanvasNode[], edges: readonly WireEdge[]): ElkNode {
  const groups = nodes.filter(({ type }) => type === "group_frame");
  const groupOf = (rect: Rect) => groups.find((group) => liesIn(rect, boxOf(group)));
  const inside = new Map<string, ElkNode[]>(groups.map(({ id }) => [id, []]));
  const top: ElkNode[] = [];
  for (const node of nodes) {
    if (node.type === "group_frame") continue;
    const home = groupOf(boxOf(node));
    (home ? inside.get(home.id)! : top).push(elkNode(node));
  }
  for (const { id } of groups) {
    const children = inside.get(id)!;
    if (children.length) top.push({ id, children, layoutOptions: { "elk.padding": GROUP_PADDING } });
  }
  const known = new Set(nodes.map(({ id }) => id));
  const wires = edges
    .filter(({ source, target }) => known.has(source) && known.has(target))
    .map(({ id, source, sourceHandle, target, targetHandle }): ElkExtendedEdge => ({
      id,
      sources: [`${source}|${sourceHandle}`],
      targets: [`${target}|${targetHandle}`],
    }));
  return { id: "graph", layoutOptions: OPTIONS, children: top, edges: wires };
}

function elkNode(node: CanvasNode): ElkNode {
  const { width, height } = boxOf(node);
  const layer = LAYERS[node.id];
  return {
    id: node.id,
    width,
    height,
    ports: (node.handles ?? []).map(({ id, type, y }) => ({
      id: `${node.id}|${id}`,
      x: type === "target" ? 0 : width,
      y: y + 6,
      width: 0,
      height: 0,
    })),
    layoutOptions: {
      "elk.portConstraints": "FIXED_POS",
      ...(layer ? { "elk.layered.layering.layerConstraint": layer } : {}),
    },
  };
}

/** Take the places that ELK found; points of wires that it moved would lead nowhere sensible and go. */
function put(rects: Names<Rect>, corner: Point): void {
  const box = around(Object.values(rects));
  if (!box) return;
  const by = { x: corner.x - box.x, y: corner.y - box.y };
  const places = Object.fromEntries(
    Object.entries(rects).map(([id, { x, y }]) => [id, rounded({ x: x + by.x, y: y + by.y })] as const),
  );
  editor.getState().edit("layout", (graph) => {
    let changed = move(graph, places);
    for (const group of changed.view?.groups ?? []) {
      const size = rects[group.id];
      if (size) {
        const sized = { ...group, width: Math.round(size.width), height: Math.round(size.height) };
        changed = putGroup(changed, group.id, sized);
      }
    }
    const routes = changed.view?.wires;
    if (!routes) return changed;
    const gone = Object.keys(routes).filter((key) => splitReference(key)[0] in rects);
    return { ...changed, view: { ...changed.view, wires: without(routes, gone) } };
  });
}
