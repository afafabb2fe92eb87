import { expect, test } from "vitest";

import type { Catalogue, NodeSpec } from "./catalogue";
import type { Document } from "./document";
import { CATALOGUE } from "./fixtures";
import { PAINT, paintable, paintOver } from "./masking";

const spec = (id: string, inputs: readonly string[], outputs: readonly string[]): NodeSpec => {
  const socket = (type: string) => ({ name: type, type, title: type, description: "" });
  const [first] = Object.values(CATALOGUE.nodes);
  return {
    ...first!,
    id,
    inputs: inputs.map((type) => ({ ...first!.inputs[0]!, ...socket(type) })),
    outputs: outputs.map((type) => ({ ...first!.outputs[0]!, ...socket(type) })),
  };
};
const list = [
  spec(PAINT, ["image"], ["mask"]),
  spec("load", [], ["image"]),
  spec("cut", ["image"], ["mask"]),
  spec("grow", ["mask"], ["mask"]),
];
const catalogue: Catalogue = { ...CATALOGUE, nodes: Object.fromEntries(list.map((one) => [one.id, one])) };

const flow: Document = {
  graphgen: 1,
  nodes: {
    photo: { type: "load" },
    cut: { type: "cut", inputs: { image: "photo.image" } },
    grown: { type: "grow", inputs: { mask: "cut.mask" } },
    again: { type: "grow", inputs: { mask: "grown.mask" } },
  },
};
const paint = (document: Document) =>
  paintOver(catalogue, document, document, "photo.image", "painted", { x: 0, y: 0 }).nodes;

test("the painted mask takes the place of the one that comes from elsewhere, and what was made of that stays", () => {
  const nodes = paint(flow);
  expect(nodes.painted!.inputs).toEqual({ image: "photo.image" });
  expect(nodes.grown!.inputs).toEqual({ mask: "painted.mask" });
  expect(nodes.again!.inputs).toEqual({ mask: "grown.mask" });
});

test("of several masks none is put out of its place", () => {
  const other = { type: "cut", inputs: { image: "photo.image" } };
  const both = { ...flow, nodes: { ...flow.nodes, other, more: { type: "grow", inputs: { mask: "other.mask" } } } };
  const nodes = paint(both);
  expect([nodes.grown!.inputs, nodes.more!.inputs]).toEqual([{ mask: "cut.mask" }, { mask: "other.mask" }]);
});

test("only over a picture can a mask be painted", () => {
  expect([paintable(catalogue, flow, flow, "photo"), paintable(catalogue, flow, flow, "cut")]).toEqual(["image", null]);
});
