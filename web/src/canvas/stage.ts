/**
 * What the canvas shows beyond the document: the chosen wires, what is open above it, the wire that is being drawn.
 * Commands act on it; nothing of it is saved or undone.
 */

import type { ReactFlowInstance } from "@xyflow/react";
import { createStore } from "zustand/vanilla";

import type { Point } from "../model/document";
import { editor, scopeOf } from "../model/editor";
import type { About } from "../commands/command";
import { isCalm } from "../session/preferences";
import type { CanvasNode, WireEdge } from "./flow";

/** The end of a wire that is being drawn: of which node, on which side, its socket and type. */
export interface DrawnWire {
  readonly node: string;
  readonly side: "in" | "out";
  readonly socket: string;
  readonly type: string;
  /** The nodes into which it would close a circle. */
  readonly circle: ReadonlySet<string>;
}

export interface PaletteRequest {
  /** Where on the screen. */
  readonly at: Point;
  /** Where on the canvas. */
  readonly place: Point;
  readonly wire: { readonly node: string; readonly side: "in" | "out"; readonly socket: string } | null;
  /** The node in whose place the chosen one goes; null where it is a new one. */
  readonly replaces: string | null;
}

export type StageDialog = "commands" | "connect" | "shortcuts" | "rename" | "face" | "subgraphs";

export interface Stage {
  readonly flow: ReactFlowInstance<CanvasNode, WireEdge> | null;
  readonly palette: PaletteRequest | null;
  /** Where the menu of what can be done to the selection is open. */
  readonly menu: { readonly at: Point; readonly about: About } | null;
  readonly dialog: StageDialog | null;
  /** The chosen wires, by their keys. */
  readonly wires: ReadonlySet<string>;
  readonly drawn: DrawnWire | null;
  /** The wire into which the dragged node would be put. */
  readonly spliced: string | null;
  /** The wire an end of which is being led elsewhere. */
  readonly led: string | null;
  readonly minimap: boolean;
  /** Whether the shown graph has no places yet, and is about to get them. */
  readonly isBare: boolean;
}

const MINIMAP = "graphgen-minimap";

export const stage = createStore<Stage>()(() => ({
  flow: null,
  palette: null,
  menu: null,
  dialog: null,
  wires: new Set(),
  drawn: null,
  spliced: null,
  led: null,
  minimap: localStorage.getItem(MINIMAP) !== "off",
  isBare: false,
}));

/** Show the small map or hide it, now and for the next time. */
export function toggleMinimap(): void {
  const minimap = !stage.getState().minimap;
  localStorage.setItem(MINIMAP, minimap ? "on" : "off");
  stage.setState({ minimap });
}

editor.subscribe((state, before) => {
  if (scopeOf(state) !== scopeOf(before)) stage.setState({ wires: new Set(), palette: null, menu: null, drawn: null });
});

let pointer: Point | null = null;

/** Remember where the pointer is over the canvas; null where it left. */
export function pointAt(place: Point | null): void {
  pointer = place;
}

const BESIDE = 64;

/**
 * Return a place on the screen where something new may appear: at the pointer; without one to the right of what is
 * chosen, else in the middle of the canvas.
 */
export function placeForNew(): Point {
  if (pointer) return pointer;
  const { flow } = stage.getState();
  const chosen = [...editor.getState().selected].flatMap((id) => flow?.getNode(id) ?? []);
  const last = chosen.at(-1);
  if (flow && last) {
    const right = last.position.x + (last.measured?.width ?? last.width ?? 0) + BESIDE;
    return flow.flowToScreenPosition({ x: right, y: last.position.y });
  }
  const box = document.querySelector(".canvas")?.getBoundingClientRect();
  return box ? { x: box.x + box.width / 2, y: box.y + box.height / 3 } : { x: 0, y: 0 };
}

/** Return where on the canvas a place on the screen is. */
export function onCanvas(at: Point): Point {
  const place = stage.getState().flow?.screenToFlowPosition(at) ?? at;
  return { x: Math.round(place.x), y: Math.round(place.y) };
}

/** Ask for a node to put down. */
export function askForNode(at: Point, wire: PaletteRequest["wire"] = null): void {
  stage.setState({ palette: { at, place: onCanvas(at), wire, replaces: null }, menu: null });
}

/** Ask for a node to put in the place of another one. */
export function askToReplace(at: Point, name: string): void {
  stage.setState({ palette: { at, place: onCanvas(at), wire: null, replaces: name }, menu: null });
}

/** Give the keyboard back to the canvas. */
export function focusCanvas(): void {
  document.querySelector<HTMLElement>(".canvas")?.focus({ preventScroll: true });
}

/** How many drawings may pass until something new is on the canvas. */
const PATIENCE = 20;

/** Put the keyboard into the first field of something on the canvas, as soon as it is drawn. */
export function focusField(id: string, patience = PATIENCE): void {
  const card = document.querySelector(`.react-flow__node[data-id="${CSS.escape(id)}"]`);
  const field = card?.querySelector<HTMLElement>("input, textarea, select, button");
  field?.focus({ preventScroll: true });
  if ((!field || document.activeElement !== field) && patience)
    requestAnimationFrame(() => focusField(id, patience - 1));
}

/** Milliseconds in which the view goes from one place to another; none for people who want nothing to move. */
export function glide(): { readonly duration: number } {
  return { duration: isCalm() ? 0 : 150 };
}
