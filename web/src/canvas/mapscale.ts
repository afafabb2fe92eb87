/** From the canvas to the small map of it. */

import type { ReactFlowState } from "@xyflow/react";

import type { Rect } from "../model/arrange";

/** A place p of the canvas lies on the map at x + p.x·by, y + p.y·by. */
export interface MapScale {
  readonly x: number;
  readonly y: number;
  readonly by: number;
}

const EDGE = 6;

/** Return the scale at which a part of the canvas fills a map of some size, in its middle and not up to the edge. */
export function scaleOf(part: Rect, size: { readonly width: number; readonly height: number }): MapScale {
  const by = Math.min((size.width - 2 * EDGE) / part.width, (size.height - 2 * EDGE) / part.height);
  return {
    x: (size.width - part.width * by) / 2 - part.x * by,
    y: (size.height - part.height * by) / 2 - part.y * by,
    by,
  };
}

/** Return the part of the canvas that is seen. */
export function seenBy({ transform: [x, y, zoom], width, height }: ReactFlowState): Rect {
  return { x: -x / zoom, y: -y / zoom, width: width / zoom, height: height / zoom };
}
