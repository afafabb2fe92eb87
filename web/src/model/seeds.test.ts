import { expect, test } from "vitest";

import type { Catalogue, SettingSchema } from "./catalogue";
import type { Graph } from "./document";
import { advanceSeeds, randomSeed, setPolicy } from "./seeds";

const seed: SettingSchema = { type: "integer", minimum: 0, maximum: 2 ** 53 - 1, default: 5 };
const catalogue = {
  graphgen: "",
  types: { ancestors: {}, conversions: [] },
  nodes: { "noise.gaussian": { settings: { properties: { seed } } } },
} as unknown as Catalogue;
const graph: Graph = { nodes: { noise: { type: "noise.gaussian" } }, view: { nodes: { noise: { x: 0, y: 0 } } } };

test("a seed stays, counts on, or is thrown", () => {
  expect(advanceSeeds(graph, catalogue)).toBe(graph);
  const counting = setPolicy(graph, "noise", "seed", "increment");
  const once = advanceSeeds(counting, catalogue);
  expect(once.nodes.noise!.settings).toEqual({ seed: 6 });
  expect(advanceSeeds(once, catalogue).nodes.noise!.settings).toEqual({ seed: 7 });
  const thrown = advanceSeeds(setPolicy(graph, "noise", "seed", "random"), catalogue);
  expect(thrown.nodes.noise!.settings!.seed).not.toBe(5);
  expect(setPolicy(counting, "noise", "seed", "fixed").view).toEqual(graph.view);
});

test("the largest seed is followed by the smallest, and chance stays inside", () => {
  const last: Graph = { nodes: { noise: { type: "noise.gaussian", settings: { seed: 2 ** 53 - 1 } } } };
  const counting = setPolicy(last, "noise", "seed", "increment");
  expect(advanceSeeds(counting, catalogue).nodes.noise!.settings).toEqual({ seed: 0 });
  for (let i = 0; i < 200; i += 1) {
    const value = randomSeed({ type: "integer", minimum: 3, maximum: 9 });
    expect(value).toBeGreaterThanOrEqual(3);
    expect(value).toBeLessThanOrEqual(9);
  }
});

test("a wired seed is left alone", () => {
  const wired: Graph = { nodes: { noise: { type: "noise.gaussian", inputs: { seed: "a.int" } } } };
  const counting = setPolicy(wired, "noise", "seed", "increment");
  expect(advanceSeeds(counting, catalogue)).toBe(counting);
});
