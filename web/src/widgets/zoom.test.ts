import { expect, test } from "vitest";

import { zoomed } from "./zoom";

test("what the pointer is on stays under it, and a whole picture lies in the middle", () => {
  const whole = { scale: 1, x: 0, y: 0 };
  const near = zoomed(whole, 2, { x: 100, y: -40 });
  expect(near).toEqual({ scale: 2, x: -100, y: 40 });
  expect(zoomed(near, 2, { x: 100, y: -40 })).toEqual({ scale: 4, x: -300, y: 120 });
  expect(zoomed(near, 0.1, { x: 3, y: 3 })).toEqual(whole);
  expect(zoomed(whole, 1000, { x: 0, y: 0 }).scale).toBe(16);
});
