import { expect, test } from "vitest";

import type { Document } from "./document";
import { runNames } from "./targets";

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
