import { type KeyboardEvent, type PointerEvent, type ReactElement, useRef } from "react";

import { useSay } from "../i18n";
import type { Json } from "../model/document";
import { addPoint, type CurvePoint, movePoint, removePoint, valueAt } from "../model/curve";
import type { FieldProps } from "./Setting";

const SAMPLES = 48;
const STEP = 0.02;
/** What a point is drawn of: lines without a length, whose round ends stay round however the curve is stretched. */
const DOTS = ["curve-reach", "curve-rim", "curve-dot"] as const;

/** Edit a curve: drag its points, double-click for another one; arrows move the point that has the focus. */
export function CurveField({ id, label, schema, value, invalid, onChange }: FieldProps<readonly Json[]>): ReactElement {
  const say = useSay();
  const box = useRef<SVGSVGElement>(null);
  const held = useRef<number | null>(null);
  const points = pointsOf(value);
  const change = (next: readonly CurvePoint[]) => onChange(next as unknown as readonly Json[]);
  const placeOf = (event: { clientX: number; clientY: number }): CurvePoint => {
    const { left, top, width, height } = box.current!.getBoundingClientRect();
    return [(event.clientX - left) / width, 1 - (event.clientY - top) / height];
  };
  const onPointerDown = (index: number) => (event: PointerEvent<SVGElement>) => {
    event.stopPropagation();
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    held.current = index;
  };
  const onPointerMove = (event: PointerEvent) => {
    if (held.current !== null) change(movePoint(points, held.current, ...placeOf(event)));
  };
  const onKeyDown = (index: number) => (event: KeyboardEvent) => {
    const [x, y] = points[index]!;
    const moves: Readonly<Record<string, CurvePoint>> = {
      ArrowLeft: [x - STEP, y],
      ArrowRight: [x + STEP, y],
      ArrowUp: [x, y + STEP],
      ArrowDown: [x, y - STEP],
    };
    const to = moves[event.key];
    if (to) change(movePoint(points, index, ...to));
    else if (event.key === "Delete" || event.key === "Backspace") change(removePoint(points, index));
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const line = Array.from({ length: SAMPLES + 1 }, (_, i) => `${i / SAMPLES},${1 - valueAt(points, i / SAMPLES)}`);
  return (
    <div className="field field-curve" title={schema.description}>
      <span className="field-label" id={`${id}-label`}>
        {label}
      </span>
      <div className={invalid ? "nodrag curve-frame curve-wrong" : "nodrag curve-frame"}>
        <svg
          ref={box}
          id={id}
          role="group"
          aria-labelledby={`${id}-label`}
          className="curve"
          viewBox="0 0 1 1"
          preserveAspectRatio="none"
          onDoubleClick={(event) => change(addPoint(points, ...placeOf(event)))}
          onPointerMove={onPointerMove}
          onPointerUp={() => {
            held.current = null;
          }}
        >
          <path d="M0 1L1 0M0.25 0V1M0.5 0V1M0.75 0V1M0 0.25H1M0 0.5H1M0 0.75H1" className="curve-grid" />
          <polyline points={line.join(" ")} className="curve-line" />
          {points.map(([x, y], index) => (
            <g
              key={index}
              className="curve-point"
              tabIndex={0}
              role="slider"
              aria-label={say("curvePoint", { number: index + 1 })}
              aria-valuenow={y}
              aria-valuemin={0}
              aria-valuemax={1}
              aria-valuetext={`${x}, ${y}`}
              onPointerDown={onPointerDown(index)}
              onDoubleClick={(event) => {
                event.stopPropagation();
                change(removePoint(points, index));
              }}
              onKeyDown={onKeyDown(index)}
            >
              {DOTS.map((dot) => (
                <path key={dot} d={`M${x} ${1 - y}h0`} className={dot} />
              ))}
            </g>
          ))}
        </svg>
      </div>
    </div>
  );
}

function pointsOf(value: readonly Json[]): readonly CurvePoint[] {
  const points = value.filter((one): one is [number, number] => Array.isArray(one) && one.length === 2);
  return points.length >= 2
    ? points
    : [
        [0, 0],
        [1, 1],
      ];
}
