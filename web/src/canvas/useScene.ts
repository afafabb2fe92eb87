/** What of the graph is painted, and what is an element of the page: that which is pointed at, chosen or moved. */

import { useMemo, useState } from "react";

import { type Course, coursesOf } from "./courses";
import type { Distance } from "./far";
import { areSameHandles, type CanvasNode, type WireEdge } from "./flow";
import type { Scene } from "./painting";

const NOTHING: readonly CanvasNode[] = [];

/** Return what is painted. Wires that are `lifted`, those of moving nodes and the nodes themselves are left out. */
export function useScene(
  nodes: readonly CanvasNode[],
  edges: readonly WireEdge[],
  moving: ReadonlySet<string>,
  lifted: string | null,
  distance: Distance,
): Scene {
  const isFar = distance !== "near";
  const still = useSteady(moving.size ? nodes.filter(({ id }) => !moving.has(id)) : nodes, isFar);
  const lying = useMemo(
    () => edges.filter(({ id, source, target }) => id !== lifted && !moving.has(source) && !moving.has(target)),
    [edges, lifted, moving],
  );
  const courses = useMemo(() => coursesOf(lying, still), [lying, still]);
  return useMemo(() => ({ courses, nodes: isFar ? still : NOTHING, distance }), [courses, still, distance, isFar]);
}

/** Return the nodes as they were before for as long as a picture of them would be the same. */
function useSteady(nodes: readonly CanvasNode[], isFar: boolean): readonly CanvasNode[] {
  const [steady, setSteady] = useState(nodes);
  if (steady === nodes) return steady;
  const isSame = steady.length === nodes.length && steady.every((node, index) => looksLike(node, nodes[index]!, isFar));
  if (!isSame) setSteady(nodes);
  return isSame ? steady : nodes;
}

function looksLike(one: CanvasNode, other: CanvasNode, isFar: boolean): boolean {
  if (one === other) return true;
  const isPlaced = one.id === other.id && one.position === other.position && areSameHandles(one, other);
  const isDrawn = one.data === other.data && !!one.selected === !!other.selected && one.measured === other.measured;
  return isPlaced && (!isFar || isDrawn);
}

/** Return the courses of the wires of moving nodes, as those lie now. */
export function movingCourses(
  nodes: readonly CanvasNode[],
  edges: readonly WireEdge[],
  moving: ReadonlySet<string>,
): readonly Course[] {
  if (!moving.size) return [];
  return coursesOf(
    edges.filter(({ source, target }) => moving.has(source) || moving.has(target)),
    nodes,
  );
}

const absent = new WeakMap<CanvasNode, CanvasNode>();

/** Return nodes as React Flow is given them: from afar only those that are pointed at or move are on the page. */
export function useOnPage(
  nodes: CanvasNode[],
  isFar: boolean,
  pointed: string | null,
  moving: ReadonlySet<string>,
): CanvasNode[] {
  return useMemo(() => {
    if (!isFar) return nodes;
    return nodes.map((node) => {
      const isThere = node.type !== "graph" || node.id === pointed || moving.has(node.id);
      return isThere ? node : withoutCard(node);
    });
  }, [nodes, isFar, pointed, moving]);
}

function withoutCard(node: CanvasNode): CanvasNode {
  const known = absent.get(node);
  if (known) return known;
  const made = { ...node, hidden: true };
  absent.set(node, made);
  return made;
}
