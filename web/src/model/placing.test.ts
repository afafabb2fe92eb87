import { expect, test } from "vitest";

import type { Document } from "./document";
import { islands, placeNodes, roomFor, unplaced } from "./placing";

const node = { type: "images.solid" };
const DOCUMENT: Document = {
  graphgen: 1,
  nodes: { one: node, two: node },
  subgraphs: { inner: { nodes: { one: node } } },
  view: { nodes: { one: { x: 1, y: 2, title: "First" } } },
};
const PLACES = { one: { x: 9, y: 9 }, two: { x: 8, y: 8 }, gone: { x: 7, y: 7 } };

test("only nodes without a place get one, in the graph that is meant", () => {
  expect(unplaced(DOCUMENT)).toEqual(["two"]);
  const placed = placeNodes(DOCUMENT, null, PLACES);
  expect(placed.view).toEqual({ nodes: { one: { x: 1, y: 2, title: "First" }, two: { x: 8, y: 8 } } });
  expect(placed.subgraphs).toBe(DOCUMENT.subgraphs);
  expect(placeNodes(placed, null, PLACES)).toBe(placed);
  expect(placeNodes(DOCUMENT, "inner", PLACES).subgraphs!.inner!.view).toEqual({ nodes: { one: { x: 9, y: 9 } } });
  expect(placeNodes(DOCUMENT, "gone", PLACES)).toBe(DOCUMENT);
});

test("what wires join is one island, whichever way they lead", () => {
  const found = islands(
    ["a", "b", "c", "d", "e"],
    [
      ["a", "b"],
      ["c", "b"],
      ["e", "elsewhere"],
      ["elsewhere", "d"],
    ],
  );
  expect(found.map((one) => [...one].sort())).toEqual([["a", "b", "c"], ["d"], ["e"]]);
});

test("there is room beside what something new is wired to, and on nothing else", () => {
  const size = { width: 100, height: 50 };
  const left = { x: 0, y: 10, ...size };
  const right = { x: 150, y: 0, width: 100, height: 400 };
  expect(roomFor(size, [], [], [], 20)).toEqual({ x: 0, y: 0 });
  expect(roomFor(size, [left], [], [left], 20)).toEqual({ x: 140, y: 10 });
  expect(roomFor(right, [left], [], [left], 20), "wherever it lies now").toEqual({ x: 140, y: 10 });
  expect(roomFor(size, [left], [right], [left, right], 20)).toEqual({ x: 140, y: 420 });
  expect(roomFor(size, [], [left], [left, right], 20)).toEqual({ x: -140, y: 10 });
  expect(roomFor(size, [], [], [left, right], 20)).toEqual({ x: 0, y: 420 });
});
