import { expect, test } from "vitest";

import { CATALOGUE } from "./fixtures";
import type { Graph } from "./document";
import { forgetNode, missingNodes, removeSetting, replaceType, straysOf } from "./strays";

const GRAPH: Graph = {
  nodes: {
    make: { type: "make.image", version: 3, settings: { width: 8, nope: 1 }, inputs: { odd: "blur.image" } },
    blur: { type: "images.blur", inputs: { image: "make.nothing", radius: "ghost.value" } },
    alien: { type: "no.such", settings: { radius: 3, other: 1 }, inputs: { image: "make.image" } },
  },
  outputs: { picture: { from: "ghost.image" }, other: { from: "blur.image" } },
  parameters: { one: { sets: ["make.nope", "ghost.size"] }, two: { sets: ["ghost.size"] } },
};
const specFor = (type: string) => CATALOGUE.nodes[type];

test("settings and wires that fit nothing are found, and can be taken away", () => {
  const found = straysOf(GRAPH, "make", specFor, null);
  expect([found.settings, found.wires.map(({ input }) => input)]).toEqual([["nope"], ["odd"]]);
  expect(straysOf(GRAPH, "blur", specFor, null).wires.map(({ from }) => from)).toEqual(["make.nothing", "ghost.value"]);
  expect(straysOf(GRAPH, "alien", specFor, null)).toEqual({ settings: [], wires: [] });
  const cured = removeSetting(GRAPH, "make", "nope");
  expect(cured.nodes.make!.settings).toEqual({ width: 8 });
  expect(cured.parameters!.one!.sets).toEqual(["ghost.size"]);
});

test("what names a missing node is taken away with one step", () => {
  expect(missingNodes(GRAPH, null)).toEqual(["ghost"]);
  const cured = forgetNode(GRAPH, "ghost");
  expect(missingNodes(cured, null)).toEqual([]);
  expect(cured.nodes.blur!.inputs).toEqual({ image: "make.nothing" });
  expect([cured.outputs, cured.parameters]).toEqual([
    { other: { from: "blur.image" } },
    { one: { sets: ["make.nope"] } },
  ]);
  const inner: Graph = { nodes: { blur: { type: "images.blur", inputs: { image: "inputs.image" } } } };
  expect([missingNodes(inner, "part"), straysOf(inner, "blur", specFor, "part").wires]).toEqual([[], []]);
});

test("a node of an unknown type becomes another one, and keeps what fits it", () => {
  const { alien } = replaceType(GRAPH, "alien", CATALOGUE.nodes["images.blur"]!, 1).nodes;
  expect(alien).toEqual({
    type: "images.blur",
    version: 1,
    settings: { radius: 3 },
    inputs: { image: "make.image" },
  });
});
