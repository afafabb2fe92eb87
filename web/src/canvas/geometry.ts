/** The course of wires over the canvas: where their ends lie, curves between their points, what lies near them. */

import { getBezierPath, Position } from "@xyflow/react";

import type { Rect } from "../model/arrange";
import type { Point } from "../model/document";
import type { CanvasNode, WireEdge } from "./flow";

/** Return where a socket lies; null where the node has none of that id. */
function socketAt(node: CanvasNode | undefined, id: string | null | undefined): Point | null {
  const handle = node?.handles?.find((one) => one.id === id);
  if (!node || !handle) return null;
  return {
    x: node.position.x + handle.x + (handle.width ?? 0) / 2,
    y: node.position.y + handle.y + (handle.height ?? 0) / 2,
  };
}

/** Return the points that a wire passes, its ends included. */
export function stopsOf(edge: WireEdge, nodes: ReadonlyMap<string, CanvasNode>): readonly Point[] {
  const from = socketAt(nodes.get(edge.source), edge.sourceHandle);
  const into = socketAt(nodes.get(edge.target), edge.targetHandle);
  return from && into ? [from, ...(edge.data?.points ?? []), into] : [];
}

/** Draw a wire through its stops, as the path of an SVG. */
export function pathThrough(stops: readonly Point[]): string {
  let path = "";
  for (let part = 0; part + 1 < stops.length; part += 1) {
    const [from, to] = [stops[part]!, stops[part + 1]!];
    path += getBezierPath({
      sourceX: from.x,
      sourceY: from.y,
      sourcePosition: Position.Right,
      targetX: to.x,
      targetY: to.y,
      targetPosition: Position.Left,
    })[0];
  }
  return path;
}

/** How far the handles of a curve lie from its ends, as for React Flow's own curves. */
export function reach(from: Point, to: Point): number {
  const distance = to.x - from.x;
  return distance >= 0 ? distance / 2 : 6.25 * Math.sqrt(-distance);
}

/** Return points along the curve from one stop to the next, both included. */
function along(from: Point, to: Point, count: number): Point[] {
  const bend = reach(from, to);
  return Array.from({ length: count + 1 }, (_, index) => {
    const t = index / count;
    const [a, b, c, d] = [(1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t ** 2, t ** 3];
    return {
      x: a * from.x + b * (from.x + bend) + c * (to.x - bend) + d * to.x,
      y: (a + b) * from.y + (c + d) * to.y,
    };
  });
}

/** Return between which of its stops a wire passes nearest to a place: the number of the stop before. */
export function nearestPart(stops: readonly Point[], place: Point): number {
  let best = { part: 0, distance: Infinity };
  for (let part = 0; part + 1 < stops.length; part += 1) {
    for (const { x, y } of along(stops[part]!, stops[part + 1]!, 24)) {
      const distance = (x - place.x) ** 2 + (y - place.y) ** 2;
      if (distance < best.distance) best = { part, distance };
    }
  }
  return best.part;
}

/** Return how far a place is from a wire, led through its stops. */
export function distanceTo(stops: readonly Point[], place: Point): number {
  let best = Infinity;
  for (let part = 0; part + 1 < stops.length; part += 1) {
    const course = along(stops[part]!, stops[part + 1]!, 24);
    for (let at = 0; at + 1 < course.length; at += 1) {
      best = Math.min(best, distanceToLine(course[at]!, course[at + 1]!, place));
    }
  }
  return best;
}

function distanceToLine(from: Point, to: Point, { x, y }: Point): number {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const along = ((x - from.x) * dx + (y - from.y) * dy) / (dx * dx + dy * dy || 1);
  const t = Math.min(1, Math.max(0, along));
  return Math.hypot(x - from.x - t * dx, y - from.y - t * dy);
}

/** Return the middle of a wire. */
export function middleOf(stops: readonly Point[]): Point {
  const part = Math.floor((stops.length - 2) / 2);
  return along(stops[part]!, stops[part + 1]!, 2)[1]!;
}

/** Tell whether a wire passes over a rectangle. */
export function passesOver(stops: readonly Point[], rect: Rect): boolean {
  const [left, right] = [rect.x, rect.x + rect.width];
  const [top, bottom] = [rect.y, rect.y + rect.height];
  for (let part = 0; part + 1 < stops.length; part += 1) {
    const [from, to] = [stops[part]!, stops[part + 1]!];
    const bend = reach(from, to);
    if (Math.max(from.x + bend, to.x) < left || Math.min(from.x, to.x - bend) > right) continue;
    if (Math.max(from.y, to.y) < top || Math.min(from.y, to.y) > bottom) continue;
    const crosses = along(from, to, 40).some(({ x, y }) => x >= left && x <= right && y >= top && y <= bottom);
    if (crosses) return true;
  }
  return false;
}
