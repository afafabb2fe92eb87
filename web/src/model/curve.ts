/**
 * Tone curves: points from (0, 0) to (1, 1), joined by a cubic that never overshoots (Fritsch and Carlson, 1980), the
 * same that the node images.curves computes.
 */

export type CurvePoint = readonly [x: number, y: number];

/** Return the slopes at the points. */
function slopes(points: readonly CurvePoint[]): number[] {
  const steps = points.slice(1).map(([x], i) => x - points[i]![0]);
  const rises = points.slice(1).map(([, y], i) => (y - points[i]![1]) / steps[i]!);
  const inner = rises.slice(1).map((rise, i) => {
    const before = rises[i]!;
    if (before * rise <= 0) return 0;
    const [left, right] = [steps[i]!, steps[i + 1]!];
    const [first, second] = [2 * right + left, right + 2 * left];
    return (first + second) / (first / before + second / rise);
  });
  return [
    edge(steps[0]!, steps[1], rises[0]!, rises[1]),
    ...inner,
    edge(steps.at(-1)!, steps.at(-2), rises.at(-1)!, rises.at(-2)),
  ];
}

/** Return the slope at an end: that of a parabola through three points, as far as it keeps the shape. */
function edge(step: number, next: number | undefined, rise: number, after: number | undefined): number {
  if (next === undefined || after === undefined) return rise;
  const slope = ((2 * step + next) * rise - step * after) / (step + next);
  if (slope * rise <= 0) return 0;
  return rise * after <= 0 && Math.abs(slope) > 3 * Math.abs(rise) ? 3 * rise : slope;
}

/** Return the curve's value; before the first point and after the last it stays level. */
export function valueAt(points: readonly CurvePoint[], x: number): number {
  const [first, last] = [points[0]!, points.at(-1)!];
  if (points.length < 2 || x <= first[0]) return first[1];
  if (x >= last[0]) return last[1];
  const at = points.findIndex(([px]) => px > x) - 1;
  const [[x0, y0], [x1, y1]] = [points[at]!, points[at + 1]!];
  const inclines = slopes(points);
  const [width, t] = [x1 - x0, (x - x0) / (x1 - x0)];
  const [m0, m1] = [inclines[at]! * width, inclines[at + 1]! * width];
  return (1 + 2 * t) * (1 - t) ** 2 * y0 + t * (1 - t) ** 2 * m0 + t ** 2 * (3 - 2 * t) * y1 + t ** 2 * (t - 1) * m1;
}

const GAP = 0.01;

/** Put a point in, keeping the order. */
export function addPoint(points: readonly CurvePoint[], x: number, y: number): readonly CurvePoint[] {
  if (points.some(([px]) => Math.abs(px - x) < GAP)) return points;
  return [...points, [round(x), round(y)] as const].sort(([a], [b]) => a - b);
}

/** Move a point, between its neighbours and inside the square. */
export function movePoint(points: readonly CurvePoint[], index: number, x: number, y: number): readonly CurvePoint[] {
  const least = index === 0 ? 0 : points[index - 1]![0] + GAP;
  const most = index === points.length - 1 ? 1 : points[index + 1]![0] - GAP;
  const moved: CurvePoint = [round(Math.min(Math.max(x, least), most)), round(Math.min(Math.max(y, 0), 1))];
  return points.map((point, i) => (i === index ? moved : point));
}

/** Take a point out; the last two stay. */
export function removePoint(points: readonly CurvePoint[], index: number): readonly CurvePoint[] {
  return points.length <= 2 ? points : points.filter((_, i) => i !== index);
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
