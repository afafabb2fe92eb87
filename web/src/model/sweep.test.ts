import { expect, test } from "vitest";

import { CATALOGUE } from "./fixtures";
import type { Document } from "./document";
import { queued } from "./runs";
import { parseValues, pictureOfVariation, pictureSources } from "./sweep";

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
