/** How long a picture of a part of the canvas can stand for what is seen now. */

import type { Transform } from "@xyflow/react";

/** What was seen of the canvas: how it lay under a window of some size, in pixels of the screen. */
export interface Seen {
  readonly transform: Transform;
  readonly width: number;
  readonly height: number;
}

/** Return where the corner of what was seen once lies in what is seen now. */
function cornerOf(once: Seen, now: Seen): readonly [number, number] {
  const by = now.transform[2] / once.transform[2];
  return [now.transform[0] - once.transform[0] * by, now.transform[1] - once.transform[1] * by];
}

/** Return how far what is seen now lies within what was seen once, at its nearest edge; negative where it leaves it. */
function within(once: Seen, now: Seen): number {
  const by = now.transform[2] / once.transform[2];
  const [left, top] = cornerOf(once, now);
  return Math.min(-left, -top, left + once.width * by - now.width, top + once.height * by - now.height);
}

/** Tell whether a picture of what was seen, and of a margin around it, still covers what is seen now. */
export function isCovered(once: Seen, now: Seen, margin: number): boolean {
  return within(once, now) + margin * (now.transform[2] / once.transform[2]) >= 0;
}

const isBetweenPixels = (at: number): boolean => Math.abs(at - Math.round(at)) > 0.02;

/** Tell whether such a picture should be painted anew while nothing else happens: it is unsharp, or has moved far. */
export function isWorn(once: Seen, now: Seen, far: number): boolean {
  if (once.transform[2] !== now.transform[2] || within(once, now) < -far) return true;
  return cornerOf(once, now).some(isBetweenPixels);
}
