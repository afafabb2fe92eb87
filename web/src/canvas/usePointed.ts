/** What lies under the pointer. What is only painted becomes an element of the page there, that can be pressed and dragged. */

import { useStoreApi } from "@xyflow/react";
import { type PointerEvent, useState } from "react";
import { flushSync } from "react-dom";

import type { Point } from "../model/document";
import { type Course, wireAt } from "./courses";
import { boxOf, type CanvasNode } from "./flow";

export interface Pointed {
  readonly node: string | null;
  readonly wire: string | null;
}

const NOTHING: Pointed = { node: null, wire: null };
/** How far beside a wire it is still hit, in pixels of the screen. */
const TOLERANCE = 8;

/** Return what the pointer is on, and how to find what is at a place; `nodes` and `courses` are those that are painted. */
export function usePointed(nodes: readonly CanvasNode[], courses: readonly Course[]) {
  const store = useStoreApi();
  const [pointed, setPointed] = useState(NOTHING);
  const find = ({ x, y }: Point): Pointed => {
    const { transform, domNode } = store.getState();
    const [left, top, zoom] = transform;
    const box = domNode!.getBoundingClientRect();
    const place = { x: (x - box.x - left) / zoom, y: (y - box.y - top) / zoom };
    const node = nodeAt(nodes, place);
    return node === null ? { node, wire: wireAt(courses, place, TOLERANCE / zoom) } : { node, wire: null };
  };
  const point = (next: Pointed) => {
    // at once: the press that may come next has to meet the element
    if (next.node !== pointed.node || next.wire !== pointed.wire) flushSync(() => setPointed(next));
  };
  const onPointerMove = ({ target, buttons, clientX, clientY }: PointerEvent) => {
    const over = target as Element;
    if (buttons || over.closest(".react-flow__edge")) return;
    const isCard = over.closest<HTMLElement>(".react-flow__node");
    const isPainted = over.closest(".react-flow__pane") && (!isCard || isCard.dataset.id === pointed.node);
    point(isPainted ? find({ x: clientX, y: clientY }) : NOTHING);
  };
  return { pointed, find, onPointerMove, onPointerLeave: () => point(NOTHING) };
}

/** Return the uppermost node at a place of the graph. */
function nodeAt(nodes: readonly CanvasNode[], place: Point): string | null {
  for (let index = nodes.length - 1; index >= 0; index -= 1) {
    const node = nodes[index]!;
    const { x, y, width, height } = boxOf(node);
    const isIn = place.x >= x && place.x <= x + width && place.y >= y && place.y <= y + height;
    if (isIn && node.type === "graph") return node.id;
  }
  return null;
}
