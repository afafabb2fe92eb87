import { expect, test } from "vitest";

import { align, around, distribute, freePlace, liesIn, nextTo, type Rect } from "./arrange";

const box = (x: number, y: number, width = 10, height = 10): Rect => ({ x, y, width, height });
const cross = { here: box(0, 0), right: box(100, 5), far: box(300, 0), below: box(0, 50), aside: box(60, 200) };

test("the next one is the nearest that lies ahead", () => {
  expect(nextTo(cross, "here", "right")).toBe("right");
  expect(nextTo(cross, "right", "right")).toBe("far");
  expect(nextTo(cross, "here", "down")).toBe("below");
  expect(nextTo(cross, "far", "left")).toBe("right");
  expect(nextTo(cross, "here", "left")).toBeNull();
  expect(nextTo(cross, "gone", "left")).toBeNull();
});

test("aligned rectangles share the edge of all of them together", () => {
  const two = { one: box(0, 0, 10, 20), other: box(30, 50, 40, 10) };
  expect(align(two, "right")).toEqual({ one: { x: 60, y: 0 }, other: { x: 30, y: 50 } });
  expect(align(two, "bottom")).toEqual({ one: { x: 0, y: 40 }, other: { x: 30, y: 50 } });
  expect(align(two, "middle")).toEqual({ one: { x: 0, y: 20 }, other: { x: 30, y: 25 } });
});

test("distributed rectangles have as much room between each two", () => {
  const places = distribute({ a: box(0, 0), c: box(90, 0), b: box(20, 0, 30) }, "x");
  expect(places).toEqual({ a: { x: 0, y: 0 }, b: { x: 35, y: 0 }, c: { x: 90, y: 0 } });
});

test("what is around, and what lies in it", () => {
  expect(around([box(0, 0), box(20, 30)])).toEqual(box(0, 0, 30, 40));
  expect(around([])).toBeNull();
  expect(liesIn(box(8, 8), box(0, 0, 20, 20))).toBe(true);
  expect(liesIn(box(18, 8), box(0, 0, 20, 20))).toBe(false);
});

test("a free place lies on nothing: the one that was asked for, else below what is there", () => {
  const there = [box(0, 0), box(0, 14), box(40, 0), box(0, 100)];
  expect(freePlace(there, box(60, 0), 5)).toEqual({ x: 60, y: 0 });
  expect(freePlace(there, box(5, 5), 5)).toEqual({ x: 5, y: 29 });
  expect(freePlace(there, box(5, 90, 10, 60), 5)).toEqual({ x: 5, y: 115 });
});
