import { expect, test } from "vitest";

import { type Document, type DocNode } from "./document";
import { changedSince } from "./recipe";

const RAN: Document = {
  graphgen: 1,
  nodes: {
    noise: { type: "make.noise", settings: { seed: 1 } },
    shape: { type: "subgraph.bend", inputs: { image: "noise.image" } },
    save: { type: "images.save", inputs: { image: "shape.image" } },
    other: { type: "images.solid" },
  },
  subgraphs: {
    bend: {
      inputs: { image: { type: "image" } },
      outputs: { image: { from: "out.image" } },
      nodes: {
        first: { type: "images.curves", inputs: { image: "inputs.image" } },
        out: { type: "images.curves", inputs: { image: "first.image" } },
        aside: { type: "images.solid" },
      },
    },
  },
};

const withNode = (name: string, node: DocNode): Document => ({ ...RAN, nodes: { ...RAN.nodes, [name]: node } });
const names = (now: Document, scope: string | null = null) => [...changedSince(RAN, now, scope)].toSorted();

test("what is only shown otherwise is not changed", () => {
  expect(names({ ...structuredClone(RAN), view: { nodes: { noise: { x: 1, y: 2 } } } })).toEqual([]);
});

test("a node is changed with all that takes from it", () => {
  const now = withNode("noise", { type: "make.noise", settings: { seed: 2 } });
  expect(names(now)).toEqual(["noise", "save", "shape"]);
  expect(names(now, "bend")).toEqual(["aside", "first", "out"]);
});

test("a change inside a subgraph is told of it, and inside of what follows", () => {
  const bend = RAN.subgraphs!.bend!;
  const now = {
    ...RAN,
    subgraphs: { bend: { ...bend, nodes: { ...bend.nodes, out: { ...bend.nodes.out!, mode: "mute" as const } } } },
  };
  expect(names(now)).toEqual(["save", "shape"]);
  expect(names(now, "bend")).toEqual(["out"]);
});
