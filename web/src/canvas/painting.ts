/** Painting on a canvas what need not be an element of the page: wires, and nodes seen from afar. */

import type { Rect } from "../model/arrange";
import type { Course } from "./courses";
import type { Distance } from "./far";
import { boxOf, type CanvasNode, type GraphNode, titleOf } from "./flow";
import { reach } from "./geometry";
import type { Ink } from "./ink";
import type { Standing } from "./standing";

export interface Scene {
  readonly courses: readonly Course[];
  /** The nodes to paint: none from near by, where they are elements. */
  readonly nodes: readonly CanvasNode[];
  readonly distance: Distance;
}

/** How many nodes and wires were painted. */
export interface Painted {
  readonly nodes: number;
  readonly wires: number;
}

/** Paint the part of a scene that lies in a rectangle; the brush draws in the units of the graph. */
export function paintScene(
  brush: CanvasRenderingContext2D,
  scene: Scene,
  standings: ReadonlyMap<string, Standing>,
  part: Rect,
  ink: Ink,
): Painted {
  const courses = scene.courses.filter(({ box }) => meets(box, part));
  const nodes = scene.nodes.filter((node): node is GraphNode => node.type === "graph" && meets(boxOf(node), part));
  paintWires(brush, courses, scene.distance, ink);
  brush.font = `600 ${TITLE.size}px ${getComputedStyle(brush.canvas).fontFamily}`;
  for (const node of nodes) paintCard(brush, node, standings.get(node.id), scene.distance, ink);
  return { nodes: nodes.length, wires: courses.length };
}

function meets(box: Rect, part: Rect): boolean {
  const isBeside = box.x > part.x + part.width || part.x > box.x + box.width;
  return !isBeside && box.y <= part.y + part.height && part.y <= box.y + box.height;
}

/** A title's letters, lines and place on its card, as the style sheet has them. */
const TITLE = { size: 32, line: 36.8, left: 18, top: 16 };
const WIRE: Readonly<Record<Distance, number>> = { near: 2, far: 5, remote: 9 };

function paintWires(brush: CanvasRenderingContext2D, courses: readonly Course[], distance: Distance, ink: Ink): void {
  brush.lineWidth = WIRE[distance];
  for (const { color, stops } of courses) {
    brush.strokeStyle = ink(color);
    brush.beginPath();
    brush.moveTo(stops[0]!.x, stops[0]!.y);
    for (let part = 0; part + 1 < stops.length; part += 1) {
      const [from, to] = [stops[part]!, stops[part + 1]!];
      const bend = reach(from, to);
      brush.bezierCurveTo(from.x + bend, from.y, to.x - bend, to.y, to.x, to.y);
    }
    brush.stroke();
  }
}

const BORDERS: Readonly<Record<string, string>> = {
  failed: "var(--bad)",
  running: "var(--accent)",
  done: "var(--good)",
  cached: "var(--good)",
};
const BORDER: Readonly<Record<Distance, number>> = { near: 1, far: 4, remote: 8 };
const CHOSEN: Readonly<Record<Distance, number>> = { near: 2, far: 10, remote: 30 };
const RADIUS = 8;

/** Paint what FarCard draws. */
function paintCard(
  brush: CanvasRenderingContext2D,
  node: GraphNode,
  standing: Standing | undefined,
  distance: Distance,
  ink: Ink,
): void {
  const box = boxOf(node);
  const color = node.data.view?.color;
  if (node.selected) fillRounded(brush, box, CHOSEN[distance], ink("var(--accent)"));
  fillRounded(brush, box, 0, ink(color === undefined ? "var(--raised)" : headOf(color)));
  paintBorder(brush, box, BORDER[distance], isOff(node), ink(borderOf(node, standing)));
  if (distance === "far") paintTitle(brush, titleOf(node.data), box, ink("var(--text)"));
}

const headOf = (hue: string): string => `color-mix(in srgb, hsl(${hue} 65% 55%) 28%, var(--raised))`;
const isOff = ({ data: { node } }: GraphNode): boolean => node.mode === "mute" || node.mode === "bypass";

function borderOf({ data: { node } }: GraphNode, standing: Standing | undefined): string {
  if (node.mode === "bypass") return "var(--warning)";
  if (standing?.kind === "wrong") return "var(--bad)";
  return BORDERS[standing?.status ?? ""] ?? "var(--line)";
}

function paintBorder(brush: CanvasRenderingContext2D, box: Rect, wide: number, isDashed: boolean, color: string): void {
  brush.lineWidth = wide;
  brush.strokeStyle = color;
  brush.setLineDash(isDashed ? [wide * 3, wide * 2] : []);
  brush.beginPath();
  brush.roundRect(box.x + wide / 2, box.y + wide / 2, box.width - wide, box.height - wide, RADIUS - wide / 2);
  brush.stroke();
  brush.setLineDash([]);
}

function fillRounded(brush: CanvasRenderingContext2D, box: Rect, wider: number, color: string): void {
  brush.fillStyle = color;
  brush.beginPath();
  brush.roundRect(box.x - wider, box.y - wider, box.width + 2 * wider, box.height + 2 * wider, RADIUS + wider);
  brush.fill();
}

function paintTitle(brush: CanvasRenderingContext2D, title: string, box: Rect, color: string): void {
  brush.fillStyle = color;
  const { fontBoundingBoxAscent: up, fontBoundingBoxDescent: down } = brush.measureText(title);
  const lines = linesOf(title, box.width - 2 * TITLE.left, (text) => brush.measureText(text).width);
  for (const [index, text] of lines.entries()) {
    const top = TITLE.top + index * TITLE.line;
    if (top + TITLE.line / 2 > box.height) return;
    brush.fillText(text, box.x + TITLE.left, box.y + top + (TITLE.line - up - down) / 2 + up);
  }
}

/** Break a text into lines of a width: between words, and within those that are longer. */
export function linesOf(text: string, width: number, widthOf: (text: string) => number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/(?<=[\s-])/)) {
    if (line && widthOf((line + word).trimEnd()) > width) {
      lines.push(line.trimEnd());
      line = "";
    }
    line += word;
    while (widthOf(line.trimEnd()) > width && line.trimEnd().length > 1) {
      let count = line.length - 1;
      while (count > 1 && widthOf(line.slice(0, count)) > width) count -= 1;
      lines.push(line.slice(0, count));
      line = line.slice(count);
    }
  }
  return line.trimEnd() ? [...lines, line.trimEnd()] : lines;
}
