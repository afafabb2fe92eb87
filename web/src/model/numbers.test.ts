import { expect, test } from "vitest";

import { allows, clamp, moveBy, stepOf } from "./numbers";

test("steps follow the schema, then the kind and the range", () => {
  expect(stepOf({ type: "number", widget: { kind: "slider", step: 0.5 } })).toBe(0.5);
  expect(stepOf({ type: "integer" })).toBe(1);
  expect(stepOf({ type: "number", minimum: 0, maximum: 1 })).toBe(0.01);
  expect(stepOf({ type: "number", minimum: 0, maximum: 100 })).toBe(0.1);
  expect(stepOf({ type: "number" })).toBe(0.1);
});

test("values stay inside what is allowed, and free of rounding dust", () => {
  expect(clamp(1.4, { type: "integer", minimum: 1 })).toBe(1);
  expect(clamp(-3, { type: "integer", minimum: 0 })).toBe(0);
  expect(clamp(9, { type: "number", maximum: 1 })).toBe(1);
  expect(moveBy(0.1, 2, { type: "number" })).toBe(0.3);
  expect(moveBy(0.7, 1, { type: "number", maximum: 1, minimum: 0 })).toBe(0.71);
  expect(moveBy(7, -1, { type: "integer", minimum: 7 })).toBe(7);
  expect(moveBy(512, 1, { type: "integer", multipleOf: 8 }, 10)).toBe(592);
  expect(moveBy(3, 1, { type: "integer" }, 0.1)).toBe(4);
});

test("what may be as it is counts while it is typed", () => {
  const whole = { type: "integer", minimum: 1, maximum: 64 };
  expect([0, 1, 64, 65, 2.5].map((value) => allows(whole, value))).toEqual([false, true, true, false, false]);
  expect([0, 0.1].map((value) => allows({ type: "number", exclusiveMinimum: 0 }, value))).toEqual([false, true]);
});
