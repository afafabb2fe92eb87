import { chosenIds, rectsOf, chosenNodes } from "../canvas/chosen";
import { layOutGraph } from "../canvas/autolayout";
import { align, distribute, type Edge } from "../model/arrange";
import { editor } from "../model/editor";
import { move } from "../model/edits";
import type { Command } from "./command";

const EDGES: readonly (readonly [Edge, string | null])[] = [
  ["left", "Alt+Shift+ArrowLeft"],
  ["center", null],
  ["right", "Alt+Shift+ArrowRight"],
  ["top", "Alt+Shift+ArrowUp"],
  ["middle", null],
  ["bottom", "Alt+Shift+ArrowDown"],
];

const areSeveral = (count: number) => (): boolean => chosenIds().size >= count;

export const arrangeCommands: readonly Command[] = [
  {
    id: "layout",
    label: "autoLayout",
    group: "build",
    keys: ["Alt+l"],
    menu: ["canvas"],
    run: () => void layOutGraph(null),
  },
  {
    id: "layoutChosen",
    label: "layoutChosen",
    group: "build",
    keys: ["Alt+Shift+l"],
    isEnabled: () => chosenNodes().length > 1,
    menu: ["node"],
    run: () => void layOutGraph(new Set(chosenNodes())),
  },
  ...EDGES.map(([edge, key]): Command => ({
    id: `align-${edge}`,
    label: `align_${edge}`,
    group: "build",
    ...(key ? { keys: [key] } : {}),
    isEnabled: areSeveral(2),
    run: () => {
      const places = align(rectsOf(chosenIds()), edge);
      editor.getState().edit("align", (graph) => move(graph, places));
    },
  })),
  ...(["x", "y"] as const).map((axis): Command => ({
    id: `distribute-${axis}`,
    label: `distribute_${axis}`,
    group: "build",
    keys: [axis === "x" ? "Alt+Shift+h" : "Alt+Shift+v"],
    isEnabled: areSeveral(3),
    run: () => {
      const places = distribute(rectsOf(chosenIds()), axis);
      editor.getState().edit("distribute", (graph) => move(graph, places));
    },
  })),
];
