import { expect, test } from "vitest";

import { outlineOf } from "./outline";

const node = (inputs: Record<string, string | string[]> = {}) => ({ type: "a.b", inputs });

test("each node comes after what it needs, with what it takes and gives", () => {
  const graph = {
    nodes: { last: node({ a: "mid.x", b: ["first.x", "first.x"] }), mid: node({ a: "first.x" }), first: node() },
  };
  expect(outlineOf(graph)).toEqual([
    { name: "first", takes: [], gives: ["last", "mid"] },
    { name: "mid", takes: [{ input: "a", from: "first.x" }], gives: ["last"] },
    {
      name: "last",
      takes: [
        { input: "a", from: "mid.x" },
        { input: "b", from: "first.x" },
        { input: "b", from: "first.x" },
      ],
      gives: [],
    },
  ]);
});

test("circles and wires from nowhere leave no node out", () => {
  const graph = { nodes: { one: node({ a: "two.x" }), two: node({ a: "one.x" }), three: node({ a: "gone.x" }) } };
  expect(outlineOf(graph).map(({ name }) => name)).toEqual(["three", "one", "two"]);
});
