import { expect, test } from "vitest";

import type { Document } from "./document";
import { CATALOGUE } from "./fixtures";
import { joinsOf, joinWith } from "./joining";
import { landing, verdict } from "./wiring";

const document: Document = {
  graphgen: 1,
  nodes: {
    made: { type: "make.image" },
    soft: { type: "images.blur", inputs: { image: "made.image" } },
    cut: { type: "images.cut" },
    shape: { type: "make.mask" },
    all: { type: "images.batch", inputs: { images: ["soft.image"] } },
    kept: { type: "files.save", inputs: { image: "all.image" } },
  },
};
const listed = (name: string) =>
  joinsOf(CATALOGUE, document, document, name).map(
    ({ from, into }) => `${from.node}.${from.socket} > ${into.node}.${into.socket}`,
  );

test("what a node needs comes first, by what is of the very type, then what it may have, then what it gives", () => {
  const found = listed("cut");
  expect(found.slice(0, 3)).toEqual(["made.image > cut.image", "soft.image > cut.image", "all.image > cut.image"]);
  expect(found).toContain("shape.mask > cut.image");
  expect(found.indexOf("shape.mask > cut.mask")).toBeLessThan(found.indexOf("cut.inside > all.images"));
  expect(found).not.toContain("cut.inside > soft.image"); // it has one
});

test("no wire closes a circle, is there already, or is one that would be refused", () => {
  expect(listed("soft")).not.toContain("all.image > soft.image");
  expect(listed("all")).not.toContain("soft.image > all.images");
  for (const name of Object.keys(document.nodes)) {
    for (const { from, into } of joinsOf(CATALOGUE, document, document, name)) {
      expect(verdict(CATALOGUE, document, document, from, into).ok).toBe(true);
    }
  }
});

test("a wire that is dropped on a collapsed node goes into the first free input that it fits", () => {
  const view = { nodes: { cut: { x: 0, y: 0, collapsed: true } } };
  const wired = {
    ...document,
    view,
    nodes: { ...document.nodes, cut: { type: "images.cut", inputs: { image: "made.image" } } },
  };
  const end = { node: "cut", socket: "image" };
  const shape = { node: "shape", socket: "mask" };
  expect(landing(CATALOGUE, wired, wired, shape, end)).toEqual({ node: "cut", socket: "mask" });
  expect(landing(CATALOGUE, wired, wired, { node: "soft", socket: "image" }, end)).toEqual(end);
  expect(landing(CATALOGUE, document, document, shape, end)).toEqual(end);
});

test("of the wires to another node the likeliest is chosen: into the node, else out of it", () => {
  const graph: Document = {
    graphgen: 1,
    nodes: { made: { type: "make.image" }, soft: { type: "images.blur" }, saved: { type: "files.save" } },
  };
  const ends = (name: string, other: string) => {
    const join = joinWith(CATALOGUE, graph, graph, name, other);
    return join && [join.from.node, join.into.node, join.into.socket];
  };
  expect(ends("soft", "made")).toEqual(["made", "soft", "image"]);
  expect(ends("made", "soft")).toEqual(["made", "soft", "image"]);
  expect(ends("saved", "gone")).toBeNull();
});
