/**
 * Places for nodes that have none, as soon as they are shown: a file that was written by hand or by a program is laid out,
 * nodes that were added to one are put beside what they are wired to. That is no edit: nothing is saved for it.
 */

import { around, rounded } from "../model/arrange";
import { outputsOf } from "../model/catalogue";
import type { Names, Point } from "../model/document";
import { documentOf, editor, scopeOf, shownGraph } from "../model/editor";
import { islands, placeNodes, roomFor, unplaced } from "../model/placing";
import { notify } from "../session/notices";
import { studio } from "../session/studio";
import { complete, workspace } from "../session/workspace";
import { layOut } from "./autolayout";
import { boxOf, canvasEdges, type CanvasNode, canvasNodes, type WireEdge } from "./flow";
import { stage } from "./stage";
import { FIT } from "./useScopeView";

const GAP = 48;
/** What a card needs below its rows once it has run: a line, and a picture where it gives one. */
const LINE = 24;
const PICTURE = 190;
const DRAWN = /\b(image|mask)\b/;

let isPlacing = false;

/** Give the nodes of the shown graph places that have none, if there are any. */
export async function placeMissing(): Promise<void> {
  if (isPlacing) return;
  isPlacing = true;
  while (unplaced(shownGraph(editor.getState())).length) await placeShown();
  isPlacing = false;
  stage.setState({ isBare: false });
}

async function placeShown(): Promise<void> {
  const state = editor.getState();
  const [document, scope, graph] = [documentOf(state), scopeOf(state), shownGraph(state)];
  const { opened } = workspace.getState();
  const { catalogue } = studio.getState();
  const inside = state.path.length > 0;
  const nodes = canvasNodes(catalogue, document, graph, inside);
  const isBare = !Object.keys(graph.nodes).some((name) => graph.view?.nodes?.[name]);
  stage.setState({ isBare });
  const drawn = Object.fromEntries(nodes.map(({ id, position }) => [id, rounded(position)]));
  let places: Names<Point> = drawn;
  try {
    const missing = new Set(unplaced(graph));
    const edges = canvasEdges(catalogue, document, graph, inside);
    places = { ...drawn, ...(await placesFor(nodes.map(grown), edges, missing, isBare)) };
  } catch (error) {
    notify("error", "failed", { why: error instanceof Error ? error.message : String(error) });
  }
  if (workspace.getState().opened !== opened) return;
  complete((one) => placeNodes(one, scope, places));
  if (isBare) window.setTimeout(() => void stage.getState().flow?.fitView(FIT)); // they are drawn with the next frame
}

/** Reserve what a card will need once its node has run. */
function grown(node: CanvasNode): CanvasNode {
  if (node.type !== "graph" || !node.data.layout.rows.length) return node;
  const { width, height } = boxOf(node);
  const isDrawn = outputsOf(node.data.node, node.data.spec).some(({ type }) => DRAWN.test(type));
  return { ...node, measured: { width, height: height + LINE + (isDrawn ? PICTURE : 0) } };
}

/** Return places for nodes: all together where the graph has none yet, else in the parts that hang together. */
async function placesFor(
  nodes: readonly CanvasNode[],
  edges: readonly WireEdge[],
  missing: ReadonlySet<string>,
  isBare: boolean,
): Promise<Names<Point>> {
  const others = nodes.filter(({ id, type }) => type !== "end" && !missing.has(id));
  const there = new Map(others.map((node) => [node.id, boxOf(node)]));
  const found: Record<string, Point> = {};
  const wires = edges.map(({ source, target }) => [source, target] as const);
  for (const part of isBare ? [missing] : islands([...missing], wires)) {
    const rects = await layOut(
      nodes.filter(({ id }) => part.has(id)),
      edges,
    );
    const box = around(Object.values(rects));
    if (!box) continue;
    const near = (ids: readonly string[]) => ids.flatMap((id) => there.get(id) ?? []);
    const sources = near(wires.filter(([, into]) => part.has(into)).map(([from]) => from));
    const targets = near(wires.filter(([from]) => part.has(from)).map(([, into]) => into));
    const at = roomFor(box, sources, targets, [...there.values()], GAP);
    for (const [id, rect] of Object.entries(rects)) {
      const place = { x: rect.x - box.x + at.x, y: rect.y - box.y + at.y };
      there.set(id, { ...rect, ...place });
      found[id] = rounded(place);
    }
  }
  return found;
}
