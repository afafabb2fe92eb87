import { expect, test } from "vitest";

import { evaluate } from "./arithmetic";

test.each([
  ["7", 7],
  ["-0.5", -0.5],
  ["1024/2+8", 520],
  ["2*(3+4)", 14],
  ["2^3^2", 512],
  ["-2^2", -4],
  ["50%", 0.5],
  ["1,5", 1.5],
  ["1e-3", 0.001],
  [" 3 - -2 ", 5],
])("%s is %d", (text, value) => {
  expect(evaluate(text)).toBeCloseTo(value, 12);
});

test.each(["", "abc", "1+", "(2", "2)", "1 2", "alert(1)", "1/0", "..", "1.2.3"])("%s is no number", (text) => {
  expect(evaluate(text)).toBeNull();
});
