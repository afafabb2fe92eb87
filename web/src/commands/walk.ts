import { allRects, chosenIds, withMembers } from "../canvas/chosen";
import { glide, stage } from "../canvas/stage";
import { type Direction, nextTo } from "../model/arrange";
import { wiresOf, splitReference, type Names, type Point } from "../model/document";
import { editor, shownGraph } from "../model/editor";
import { move, upstream } from "../model/edits";
import { closedTo } from "../model/wiring";
import type { Command } from "./command";

const STEP = 8;
const DIRECTIONS: readonly (readonly [Direction, "ArrowLeft" | "ArrowRight" | "ArrowUp" | "ArrowDown", Point])[] = [
  ["left", "ArrowLeft", { x: -1, y: 0 }],
  ["right", "ArrowRight", { x: 1, y: 0 }],
  ["up", "ArrowUp", { x: 0, y: -1 }],
  ["down", "ArrowDown", { x: 0, y: 1 }],
];

/** Choose the nearest node in a direction; to the sides, rather one that is wired to the node. */
function walk(direction: Direction): void {
  const state = editor.getState();
  const graph = shownGraph(state);
  const rects = Object.fromEntries(Object.entries(allRects()).filter(([id]) => id in graph.nodes));
  const here = [...state.selected].find((id) => rects[id]);
  const names = here === undefined ? [] : wiredOn(direction, here);
  const wired: Names<(typeof rects)[string]> =
    here === undefined
      ? {}
      : Object.fromEntries([here, ...names].flatMap((id) => (rects[id] ? [[id, rects[id]]] : [])));
  const next =
    here === undefined
      ? Object.keys(rects).sort((one, other) => rects[one]!.x - rects[other]!.x)[0]
      : (nextTo(wired, here, direction) ?? nextTo(rects, here, direction));
  if (next == null) return;
  state.select([next]);
  show(next);
}

/** List what a node is wired to, on the side that lies in a direction. */
function wiredOn(direction: Direction, name: string): readonly string[] {
  const { nodes } = shownGraph(editor.getState());
  const sources = (node: string) =>
    Object.values(nodes[node]?.inputs ?? {}).flatMap((value) => wiresOf(value).map((from) => splitReference(from)[0]));
  if (direction === "left") return sources(name);
  return direction === "right" ? Object.keys(nodes).filter((other) => sources(other).includes(name)) : [];
}

/** Bring a node into view, if it is not. */
export function show(name: string): void {
  const { flow } = stage.getState();
  const rect = allRects()[name];
  const box = document.querySelector(".canvas")?.getBoundingClientRect();
  if (!flow || !rect || !box) return;
  const corner = flow.flowToScreenPosition(rect);
  const end = flow.flowToScreenPosition({ x: rect.x + rect.width, y: rect.y + rect.height });
  const isSeen = corner.x >= box.left && corner.y >= box.top && end.x <= box.right && end.y <= box.bottom;
  if (!isSeen) {
    const middle = { x: rect.x + rect.width / 2, y: rect.y + rect.height / 2 };
    void flow.setCenter(middle.x, middle.y, { zoom: flow.getZoom(), ...glide() });
  }
}

function nudge({ x, y }: Point, step: number): void {
  const rects = allRects();
  const places = Object.fromEntries(
    [...withMembers(chosenIds())].flatMap((id) =>
      rects[id] ? [[id, { x: Math.round(rects[id].x + x * step), y: Math.round(rects[id].y + y * step) }]] : [],
    ),
  );
  editor.getState().edit("move", (graph) => move(graph, places), "nudge");
}

const isAnythingChosen = (): boolean => chosenIds().size > 0;

function selectAlong(side: "in" | "out"): void {
  const state = editor.getState();
  const graph = shownGraph(state);
  const chosen = [...chosenIds()].filter((id) => id in graph.nodes);
  const found =
    side === "in" ? upstream(graph, chosen) : new Set(chosen.flatMap((id) => [...closedTo(graph, id, "in")]));
  state.select(found);
}

export const walkCommands: readonly Command[] = [
  ...DIRECTIONS.map(([direction, key]): Command => ({
    id: `walk-${direction}`,
    label: `walk_${direction}`,
    group: "view",
    keys: [key],
    onCanvas: true,
    run: () => walk(direction),
  })),
  ...DIRECTIONS.map(([direction, key, way]): Command => ({
    id: `nudge-${direction}`,
    label: `nudge_${direction}`,
    group: "edit",
    keys: [`Shift+${key}`],
    onCanvas: true,
    isEnabled: isAnythingChosen,
    run: () => nudge(way, STEP),
  })),
  {
    id: "selectUpstream",
    label: "selectUpstream",
    group: "edit",
    keys: ["u"],
    onCanvas: true,
    isEnabled: isAnythingChosen,
    run: () => selectAlong("in"),
  },
  {
    id: "selectDownstream",
    label: "selectDownstream",
    group: "edit",
    keys: ["d"],
    onCanvas: true,
    isEnabled: isAnythingChosen,
    run: () => selectAlong("out"),
  },
];
