import { expect, test } from "vitest";

import { isCovered, isWorn, type Seen } from "./painted";

const seen = (x: number, y: number, zoom: number): Seen => ({ transform: [x, y, zoom], width: 1000, height: 600 });

test("a picture covers what is seen until its margin is used up, on each side", () => {
  const once = seen(100, 50, 1);
  for (const [x, y] of [
    [100, 50],
    [356, 50],
    [-156, 50],
    [100, 306],
    [100, -206],
  ] as const)
    expect(isCovered(once, seen(x, y, 1), 256)).toBe(true);
  for (const [x, y] of [
    [357, 50],
    [-157, 50],
    [100, 307],
    [100, -207],
  ] as const)
    expect(isCovered(once, seen(x, y, 1), 256)).toBe(false);
});

test("nearer, a picture covers more; from farther away less, and not all", () => {
  const about = (zoom: number) => seen(500 - 400 * zoom, 300 - 250 * zoom, zoom); // around the same place
  expect(isCovered(about(1), about(4), 0)).toBe(true);
  expect(isCovered(about(1), about(0.9), 0)).toBe(false);
  expect(isCovered(about(1), about(0.9), 100)).toBe(true);
  expect(isCovered(about(1), about(0.5), 256)).toBe(false);
});

test("at rest a picture is painted anew where it is unsharp or has moved far", () => {
  const once = seen(0, 0, 0.5);
  expect(isWorn(once, seen(40, -30, 0.5), 128)).toBe(false);
  expect(isWorn(once, seen(140, 0, 0.5), 128)).toBe(true);
  expect(isWorn(once, seen(0, 0, 0.6), 128)).toBe(true);
  expect(isWorn(once, seen(0.5, 0, 0.5), 128)).toBe(true);
});
