import { Position } from "@xyflow/react";
import { expect, test } from "vitest";

import { coursesOf, wireAt } from "./courses";
import type { CanvasNode, WireEdge } from "./flow";

function node(id: string, x: number, y: number): CanvasNode {
  const box = { width: 12, height: 12 };
  return {
    id,
    type: "end",
    position: { x, y },
    data: { side: "inputs", sockets: [] },
    handles: [
      { id: "in:a", type: "target", position: Position.Left, x: -6, y: 14, ...box },
      { id: "out:a", type: "source", position: Position.Right, x: 94, y: 14, ...box },
    ],
  };
}

function wire(source: string, target: string): WireEdge {
  return { id: `${target}.a`, type: "wire", source, target, sourceHandle: "out:a", targetHandle: "in:a" };
}

const NODES = [node("one", 0, 0), node("two", 300, 0), node("three", -400, 200)];
const EDGES = [wire("one", "two"), wire("two", "three"), wire("one", "gone")];

test("each wire between nodes that are there has a course in a box that it does not leave", () => {
  const [ahead, back] = coursesOf(EDGES, NODES);
  expect(coursesOf(EDGES, NODES)).toHaveLength(2);
  expect(ahead!.stops).toEqual([
    { x: 100, y: 20 },
    { x: 300, y: 20 },
  ]);
  expect(ahead!.box).toMatchObject({ y: 20, height: 0 });
  expect(back!.box.x).toBeLessThan(-400);
  expect(back!.box.x + back!.box.width).toBeGreaterThan(400);
});

test("a course is the same until an end of it moves", () => {
  const [ahead, back] = coursesOf(EDGES, NODES);
  const moved = [NODES[0]!, NODES[1]!, { ...NODES[2]!, position: { x: 0, y: 900 } }];
  const [again, other] = coursesOf(EDGES, moved);
  expect(again).toBe(ahead);
  expect(other).not.toBe(back);
  expect(other!.stops.at(-1)).toEqual({ x: 0, y: 920 });
});

test("the nearest wire is found, if it is near enough", () => {
  const courses = coursesOf(EDGES, NODES);
  expect(wireAt(courses, { x: 200, y: 26 }, 8)).toBe("two.a");
  expect(wireAt(courses, { x: 200, y: 30 }, 8)).toBeNull();
  expect(wireAt(courses, { x: 0, y: 120 }, 8)).toBe("three.a");
  expect(wireAt(courses, { x: 0, y: 400 }, 8)).toBeNull();
});
