import { expect, test } from "vitest";

import { editor } from "./editor";

test("who leaves a subgraph finds chosen the node through which it was entered", () => {
  const part = { nodes: {}, inputs: {}, outputs: {} };
  const nodes = { one: { type: "subgraph.part" }, other: { type: "subgraph.part" }, lone: { type: "images.solid" } };
  editor.getState().open({ graphgen: 1, nodes, subgraphs: { part } });
  editor.getState().select(["other"]);
  editor.getState().enter("part");
  expect([...editor.getState().selected]).toEqual([]);
  editor.getState().leave(0);
  expect([...editor.getState().selected]).toEqual(["other"]);
  editor.getState().select(["lone"]);
  editor.getState().enter("part");
  editor.getState().leave(0);
  expect([...editor.getState().selected]).toEqual(["one"]);
});
