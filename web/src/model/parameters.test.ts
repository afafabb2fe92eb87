import { expect, test } from "vitest";

import type { Catalogue } from "./catalogue";
import type { Document } from "./document";
import { demote, fields, moveParameter, promote, renameParameter, setParameter } from "./parameters";

const steps = { type: "integer", minimum: 1, default: 20, description: "How many steps to take." };
const catalogue = {
  graphgen: "",
  types: { ancestors: {}, conversions: [] },
  nodes: { "schedules.default": { settings: { properties: { steps } }, inputs: [], outputs: [], wireable: [] } },
} as unknown as Catalogue;
const document: Document = {
  graphgen: 1,
  nodes: { one: { type: "schedules.default" }, two: { type: "schedules.default", settings: { steps: 4 } } },
};

test("a setting becomes a parameter under its own name, the next one under its node's", () => {
  const once = promote(document, "one", "steps");
  const twice = promote(once, "two", "steps");
  expect(twice.parameters).toEqual({ steps: { sets: ["one.steps"] }, two_steps: { sets: ["two.steps"] } });
  expect(promote(twice, "two", "steps")).toBe(twice);
  expect(demote(twice, "one", "steps").parameters).toEqual({ two_steps: { sets: ["two.steps"] } });
});

test("fields show the setting's value and limits, and set all that the parameter sets", () => {
  const both: Document = { ...document, parameters: { steps: { sets: ["two.steps", "one.steps"] } } };
  const [field] = fields(catalogue, both, both);
  expect(field).toMatchObject({ name: "steps", value: 4, schema: steps, description: "How many steps to take." });
  const set = setParameter(both, field!, 9);
  expect([set.nodes.one!.settings, set.nodes.two!.settings]).toEqual([{ steps: 9 }, { steps: 9 }]);
});

test("a parameter of a loop sets how often it goes round", () => {
  const loop: Document = {
    graphgen: 1,
    nodes: { again: { type: "schedules.default", loop: { times: 3 } } },
    parameters: { times: { sets: ["again.loop.times"] } },
  };
  const [field] = fields(catalogue, loop, loop);
  expect(field!.value).toBe(3);
  expect(setParameter(loop, field!, 5).nodes.again!.loop).toEqual({ times: 5 });
});

test("names and order change, nothing else does", () => {
  const both = promote(promote(document, "one", "steps"), "two", "steps");
  expect(Object.keys(moveParameter(both, "two_steps", -1).parameters!)).toEqual(["two_steps", "steps"]);
  expect(moveParameter(both, "two_steps", 1)).toBe(both);
  expect(Object.keys(renameParameter(both, "steps", "detail").parameters!)).toEqual(["detail", "two_steps"]);
  expect(renameParameter(both, "steps", "two_steps")).toBe(both);
  expect(renameParameter(both, "steps", "no name")).toBe(both);
});
