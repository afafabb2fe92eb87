import { expect, test } from "vitest";

import type { Document } from "./document";
import { nameInRuns, runNames } from "./targets";

const DOCUMENT: Document = {
  graphgen: 1,
  nodes: {
    plain: { type: "images.solid" },
    one: { type: "subgraph.outer" },
    two: { type: "subgraph.inner" },
    each: { type: "subgraph.inner", map: { over: ["width"] } },
  },
  subgraphs: {
    outer: { nodes: { in: { type: "subgraph.inner" } }, outputs: { picture: { from: "in.image" } } },
    inner: {
      nodes: { solid: { type: "images.solid" }, cut: { type: "images.cut" } },
      outputs: { image: { from: "cut.image" } },
    },
  },
};

test.each([
  [null, ["plain"], ["plain"]],
  [null, ["one"], ["one/in/cut"]],
  [null, ["each", "gone"], ["each"]],
  ["outer", ["in"], ["one/in/cut"]],
  ["inner", ["solid"], ["one/in/solid", "two/solid", "each"]],
] as const)("in %s, %s are asked for as %s", (scope, names, expected) => {
  expect(runNames(DOCUMENT, scope, names)).toEqual(expected);
});

test.each([
  [null, "one", "one"],
  ["outer", "in", "one/in"],
  ["inner", "solid", "one/in/solid"],
  ["gone", "solid", null],
] as const)("in %s, %s itself is called %s", (scope, name, expected) => {
  expect(nameInRuns(DOCUMENT, scope, name)).toBe(expected);
});

test("a node in a subgraph that is used in a map alone is named as a part of that", () => {
  const { one: _one, two: _two, ...nodes } = DOCUMENT.nodes;
  expect(nameInRuns({ ...DOCUMENT, nodes }, "inner", "solid")).toBe("each/solid");
});
