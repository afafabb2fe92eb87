import { expect, test } from "vitest";

import { scaleOf } from "./mapscale";

test("a part of the canvas lies in the middle of its map, as large as fits", () => {
  const { x, y, by } = scaleOf({ x: -100, y: 50, width: 940, height: 100 }, { width: 200, height: 150 });
  expect(by).toBe(0.2);
  expect([x + -100 * by, x + 840 * by]).toEqual([6, 194]);
  expect([y + 50 * by, y + 150 * by]).toEqual([65, 85]);
});
