/** The courses of all wires over the canvas: for painting them, and for finding the one under the pointer. */

import type { Rect } from "../model/arrange";
import type { Point } from "../model/document";
import { colorOf } from "./colors";
import { areSameHandles, type CanvasNode, type WireEdge } from "./flow";
import { distanceTo, reach, stopsOf } from "./geometry";

/** Where a wire runs, in its colour. */
export interface Course {
  readonly edge: WireEdge;
  readonly color: string;
  readonly stops: readonly Point[];
  /** What no part of it leaves. */
  readonly box: Rect;
}

interface Known {
  readonly source: CanvasNode;
  readonly target: CanvasNode;
  readonly course: Course;
}

const known = new WeakMap<WireEdge, Known>();

/** Return the courses of wires between nodes; those with an end that is not there have none. */
export function coursesOf(edges: readonly WireEdge[], nodes: readonly CanvasNode[]): readonly Course[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return edges.flatMap((edge) => {
    const [source, target] = [byId.get(edge.source), byId.get(edge.target)];
    if (!source || !target) return [];
    const before = known.get(edge);
    if (before && isPlaced(before.source, source) && isPlaced(before.target, target)) return [before.course];
    const stops = stopsOf(edge, byId);
    if (stops.length < 2) return [];
    const course = { edge, color: colorOf(edge.data?.type ?? "any"), stops, box: boxAround(stops) };
    known.set(edge, { source, target, course });
    return [course];
  });
}

const isPlaced = (before: CanvasNode, now: CanvasNode): boolean =>
  before === now || (before.position === now.position && areSameHandles(before, now));

function boxAround(stops: readonly Point[]): Rect {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [index, { x, y }] of stops.entries()) {
    const [before, after] = [stops[index - 1], stops[index + 1]];
    const [into, out] = [before ? reach(before, { x, y }) : 0, after ? reach({ x, y }, after) : 0];
    [left, right] = [Math.min(left, x - into), Math.max(right, x + out)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  return { x: left, y: top, width: right - left, height: bottom - top };
}

/** Return the wire that passes nearest to a place, not farther away than `tolerance`; null where none does. */
export function wireAt(courses: readonly Course[], place: Point, tolerance: number): string | null {
  let best: { id: string; distance: number } | null = null;
  for (const { edge, stops, box } of courses) {
    const isFar =
      place.x < box.x - tolerance ||
      place.x > box.x + box.width + tolerance ||
      place.y < box.y - tolerance ||
      place.y > box.y + box.height + tolerance;
    if (isFar) continue;
    const distance = distanceTo(stops, place);
    if (distance <= tolerance && (!best || distance < best.distance)) best = { id: edge.id, distance };
  }
  return best?.id ?? null;
}
