import { expect, test } from "vitest";

import { addPoint, type CurvePoint, movePoint, removePoint, valueAt } from "./curve";

// scipy.interpolate.PchipInterpolator([0, .25, .6, 1], [0, .5, .55, 1]) at 0, .1, .25, .3, .5, .8, 1
const POINTS: readonly CurvePoint[] = [
  [0, 0],
  [0.25, 0.5],
  [0.6, 0.55],
  [1, 1],
];

test("the curve is the one that scipy draws", () => {
  const values = [0.0, 0.269133407, 0.5, 0.511535208, 0.53308907, 0.705021062, 1.0];
  [0, 0.1, 0.25, 0.3, 0.5, 0.8, 1].forEach((x, i) => expect(valueAt(POINTS, x)).toBeCloseTo(values[i]!, 8));
});

test("two points are a line, and a peak does not overshoot", () => {
  expect(
    valueAt(
      [
        [0, 0.2],
        [1, 0.8],
      ],
      0.25,
    ),
  ).toBeCloseTo(0.35000000000000003, 12);
  const peak: readonly CurvePoint[] = [
    [0, 0],
    [0.5, 1],
    [1, 0],
  ];
  expect(valueAt(peak, 0.25)).toBeCloseTo(0.75, 12);
  for (let x = 0; x <= 1; x += 0.01) expect(valueAt(peak, x)).toBeLessThanOrEqual(1);
});

test("points keep their order and stay inside", () => {
  const added = addPoint([[0, 0], [1, 1]], 0.5, 0.7); // prettier-ignore
  expect(added).toEqual([[0, 0], [0.5, 0.7], [1, 1]]); // prettier-ignore
  expect(movePoint(added, 1, 2, -1)[1]).toEqual([0.99, 0]);
  expect(movePoint(added, 0, 0.9, 0.5)[0]).toEqual([0.49, 0.5]);
  expect(removePoint(added, 1)).toEqual([[0, 0], [1, 1]]); // prettier-ignore
  expect(removePoint([[0, 0], [1, 1]], 0)).toHaveLength(2); // prettier-ignore
});
