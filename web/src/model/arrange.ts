/** Places: what is next to what, what lies in what, aligning and spreading. All sizes are in the canvas's own units. */

import type { Names, Point } from "./document";

export interface Rect extends Point {
  readonly width: number;
  readonly height: number;
}

export type Direction = "left" | "right" | "up" | "down";
export type Edge = "left" | "center" | "right" | "top" | "middle" | "bottom";

const middle = ({ x, y, width, height }: Rect): Point => ({ x: x + width / 2, y: y + height / 2 });

/** Return the smallest rectangle around some; null where there are none. */
export function around(rects: Iterable<Rect>): Rect | null {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, width, height } of rects) {
    [left, top] = [Math.min(left, x), Math.min(top, y)];
    [right, bottom] = [Math.max(right, x + width), Math.max(bottom, y + height)];
  }
  return left === Infinity ? null : { x: left, y: top, width: right - left, height: bottom - top };
}

/** Tell whether the middle of a rectangle lies in another one. */
export function liesIn(inner: Rect, outer: Rect): boolean {
  const { x, y } = middle(inner);
  return x >= outer.x && x <= outer.x + outer.width && y >= outer.y && y <= outer.y + outer.height;
}

/** Return what is next in a direction: near, and rather straight ahead than aside; null at the edge. */
export function nextTo(rects: Names<Rect>, from: string, direction: Direction): string | null {
  const here = rects[from];
  if (!here) return null;
  const start = middle(here);
  let best: { name: string; distance: number } | null = null;
  for (const [name, rect] of Object.entries(rects)) {
    if (name === from) continue;
    const { x, y } = middle(rect);
    const [dx, dy] = [x - start.x, y - start.y];
    const ahead = { left: -dx, right: dx, up: -dy, down: dy }[direction];
    const aside = Math.abs(direction === "left" || direction === "right" ? dy : dx);
    if (ahead <= 0 || aside > ahead * 2) continue;
    const distance = ahead + aside * 2;
    if (!best || distance < best.distance) best = { name, distance };
  }
  return best?.name ?? null;
}

/** Return the first place at or below a rectangle at which it would lie on none of the others, `gap` away from each. */
export function freePlace(rects: Iterable<Rect>, { x, y, width, height }: Rect, gap: number): Point {
  const beside = [...rects].filter((one) => one.x < x + width + gap && x < one.x + one.width + gap);
  let place = y;
  for (const one of beside.sort((first, second) => first.y + first.height - second.y - second.height)) {
    if (one.y < place + height + gap && place < one.y + one.height + gap) place = one.y + one.height + gap;
  }
  return { x, y: place };
}

/** Return the places at which rectangles share an edge, or their middle: that of all of them together. */
export function align(rects: Names<Rect>, edge: Edge): Names<Point> {
  const all = around(Object.values(rects));
  if (!all) return {};
  return mapped(rects, ({ x, y, width, height }) => {
    switch (edge) {
      case "left":
        return { x: all.x, y };
      case "center":
        return { x: all.x + (all.width - width) / 2, y };
      case "right":
        return { x: all.x + all.width - width, y };
      case "top":
        return { x, y: all.y };
      case "middle":
        return { x, y: all.y + (all.height - height) / 2 };
      case "bottom":
        return { x, y: all.y + all.height - height };
    }
  });
}

/** Return the places at which there is as much room between each two; the first and the last stay. */
export function distribute(rects: Names<Rect>, axis: "x" | "y"): Names<Point> {
  const size = axis === "x" ? "width" : "height";
  const sorted = Object.entries(rects).sort(([, one], [, other]) => one[axis] - other[axis]);
  const [first, last] = [sorted[0]?.[1], sorted.at(-1)?.[1]];
  if (!first || !last || sorted.length < 3) return {};
  const filled = sorted.reduce((sum, [, rect]) => sum + rect[size], 0);
  const room = (last[axis] + last[size] - first[axis] - filled) / (sorted.length - 1);
  let at = first[axis];
  const places: Record<string, Point> = {};
  for (const [name, rect] of sorted) {
    places[name] = rounded({ x: rect.x, y: rect.y, [axis]: at });
    at += rect[size] + room;
  }
  return places;
}

function mapped(rects: Names<Rect>, place: (rect: Rect) => Point): Names<Point> {
  return Object.fromEntries(Object.entries(rects).map(([name, rect]) => [name, rounded(place(rect))]));
}

/** Return a place in whole units. */
export function rounded({ x, y }: Point): Point {
  return { x: Math.round(x), y: Math.round(y) };
}
