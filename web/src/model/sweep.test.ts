import { expect, test } from "vitest";

import { labelOf } from "./catalogue";
import { CATALOGUE } from "./fixtures";
import type { Document } from "./document";
import { queued } from "./runs";
import { gridOf, parseValues, pictureOfVariation, pictureSources } from "./sweep";

test.each([
  ["1..4", "integer", [1, 2, 3, 4]],
  ["4..1", "integer", [4, 3, 2, 1]],
  ["1..10:4", "integer", [1, 5, 9]],
  ["0.2..0.6:0.2", "number", [0.2, 0.4, 0.6]],
  ["-1..1", "integer", [-1, 0, 1]],
  ["8, 12,20", "integer", [8, 12, 20]],
  ["1..2, 7", "integer", [1, 2, 7]],
  ["true, false", "boolean", [true, false]],
  ["a fox, a hen", "string", ["a fox", "a hen"]],
  ["a fox, red\na hen", "string", ["a fox, red", "a hen"]],
])("%s as %s is %j", (text, type, values) => {
  expect(parseValues(text, { type })).toEqual({ ok: true, values });
});

test.each([
  ["", "integer"],
  ["1.5", "integer"],
  ["many", "number"],
  ["1..100000", "integer"],
  ["1..4:0", "integer"],
  ["yes", "boolean"],
])("%s is no %s", (text, type) => {
  expect(parseValues(text, { type })).toEqual({ ok: false });
});

test("choices are those of the setting", () => {
  const schema = { type: "string", enum: ["fast", "fine"] };
  expect(parseValues("fast, fine", schema)).toEqual({ ok: true, values: ["fast", "fine"] });
  expect(parseValues("fast, slow", schema)).toEqual({ ok: false });
});

test("the picture of a variation is what goes into the node that saves, out of subgraphs too", () => {
  const document: Document = {
    graphgen: 1,
    nodes: {
      draw: { type: "subgraph.draw" },
      save: { type: "files.save", inputs: { image: "draw.picture" } },
    },
    outputs: { files: { from: "save.files" } },
    subgraphs: { draw: { nodes: { made: { type: "make.image" } }, outputs: { picture: { from: "made.image" } } } },
  };
  const sources = pictureSources(CATALOGUE, document);
  expect(sources).toEqual([{ node: "draw/made", output: "image" }]);
  const variation = { variation: 2, parameters: {}, nodes: { "draw/made": "draw/made@2", save: "save@2" } };
  const run = { ...queued("r"), nodes: { "draw/made@2": { status: "done" as const, digests: { image: "d" } } } };
  expect(pictureOfVariation(run, variation, sources)).toBe("d");
  expect(pictureOfVariation(queued("r"), variation, sources)).toBeNull();
});

test("a sweep over one parameter is a row, over two a table, over more one with named rows", () => {
  const asked = (axes: Readonly<Record<string, readonly number[]>>) => gridOf({ axes, how: "product" }, labelOf);
  const one = asked({ width: [8, 16] });
  expect(one.columns.map(({ label }) => label)).toEqual(["Width: 8", "Width: 16"]);
  expect(one.rows).toEqual([{ label: "", values: {} }]);
  const two = asked({ seed: [1, 2], width: [8, 16] });
  expect(two.corner).toBe("Seed ╲ Width");
  expect(two.rows.map(({ label }) => label)).toEqual(["1", "2"]);
  expect(two.columns[1]).toEqual({ label: "16", values: { width: 16 } });
  const three = asked({ seed: [1, 2], steps: [4, 5], width: [8] });
  expect(three.rows.map(({ label }) => label)).toEqual([
    "Seed: 1, Steps: 4",
    "Seed: 1, Steps: 5",
    "Seed: 2, Steps: 4",
    "Seed: 2, Steps: 5",
  ]);
});

test("values that go together are columns", () => {
  const grid = gridOf({ axes: { seed: [1, 2], width: [8, 16] }, how: "zip" }, labelOf);
  expect(grid.columns).toEqual([
    { label: "Seed: 1, Width: 8", values: { seed: 1, width: 8 } },
    { label: "Seed: 2, Width: 16", values: { seed: 2, width: 16 } },
  ]);
  expect(grid.rows).toHaveLength(1);
});
