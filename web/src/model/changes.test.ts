import { expect, test } from "vitest";

import { changesBetween, valuesOf } from "./changes";
import type { Document } from "./document";

const before: Document = {
  graphgen: 1,
  nodes: {
    one: { type: "a.b", settings: { x: 1, y: 2 } },
    two: { type: "a.b", inputs: { image: "one.image" } },
  },
  subgraphs: { inner: { nodes: { deep: { type: "a.b" } } } },
};

test("what is the same is not told", () => {
  expect(changesBetween(before, structuredClone(before))).toEqual([]);
});

test("nodes are told with what of them changed", () => {
  const after: Document = {
    ...before,
    name: "New",
    nodes: {
      one: { type: "a.b", settings: { x: 1, y: 3, z: 4 }, mode: "mute" },
      three: { type: "a.b" },
    },
    subgraphs: { inner: { nodes: { deep: { type: "a.c" } } }, other: { nodes: {} } },
  };
  expect(changesBetween(before, after)).toEqual([
    { kind: "changed", node: "", parts: ["name"] },
    { kind: "changed", node: "one", parts: ["y", "z", "mode"] },
    { kind: "removed", node: "two", parts: [] },
    { kind: "added", node: "three", parts: [] },
    { kind: "changed", node: "inner/deep", parts: ["type"] },
    { kind: "added", node: "other", parts: [] },
  ]);
});

test("a setting or wire is told with what it was and is", () => {
  const after: Document = {
    ...before,
    nodes: {
      one: { type: "a.b", settings: { x: 5, text: "long ".repeat(20) } },
      two: { type: "a.b", inputs: { image: "three.image" } },
    },
    subgraphs: { inner: { nodes: { deep: { type: "a.b", settings: { list: [1, 2] } } } } },
  };
  const told = (node: string, part: string) => valuesOf(before, after, node, part);
  expect(told("one", "x")).toEqual(["1", "5"]);
  expect(told("one", "y")).toEqual(["2", "—"]);
  expect(told("two", "image")).toEqual(["one.image", "three.image"]);
  expect(told("inner/deep", "list")).toEqual(["—", "[1,2]"]);
  expect(told("one", "text")?.[1]).toHaveLength(40);
  expect(told("one", "mode")).toBeNull();
});
