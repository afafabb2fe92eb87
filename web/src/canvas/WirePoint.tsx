/** A point that a wire is led through: dragged with the pointer or the arrow keys, taken away by Delete or a double click. */

import type { KeyboardEvent, PointerEvent, ReactElement } from "react";

import { useSay } from "../i18n";
import { rounded } from "../model/arrange";
import type { Point } from "../model/document";
import { routeWire } from "../model/edits";
import { editor } from "../model/editor";
import { onCanvas } from "./stage";

interface WirePointProps {
  readonly wire: string;
  readonly points: readonly Point[];
  readonly index: number;
  readonly color: string;
}

const STEP = 8;
const KEYS: Readonly<Record<string, Point>> = {
  ArrowLeft: { x: -STEP, y: 0 },
  ArrowRight: { x: STEP, y: 0 },
  ArrowUp: { x: 0, y: -STEP },
  ArrowDown: { x: 0, y: STEP },
};

export function WirePoint({ wire, points, index, color }: WirePointProps): ReactElement {
  const say = useSay();
  const { x, y } = points[index]!;
  const lead = (to: Point) => {
    const led = points.map((point, at) => (at === index ? rounded(to) : point));
    editor.getState().edit("route", (graph) => routeWire(graph, wire, led), `route ${wire} ${index}`);
  };
  const remove = () => {
    const left = points.filter((_, at) => at !== index);
    editor.getState().edit("route", (graph) => routeWire(graph, wire, left));
  };
  const onDrag = (event: PointerEvent) => {
    if (event.currentTarget.hasPointerCapture(event.pointerId)) lead(onCanvas({ x: event.clientX, y: event.clientY }));
  };
  const onKey = (event: KeyboardEvent) => {
    const step = KEYS[event.key];
    if (step) lead({ x: x + step.x, y: y + step.y });
    else if (event.key === "Delete" || event.key === "Backspace") remove();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <button
      type="button"
      className="wire-point nodrag nopan"
      aria-label={say("wirePoint", { wire, number: index + 1 })}
      title={say("wirePointHelp")}
      style={{ transform: `translate(-50%, -50%) translate(${x}px, ${y}px)`, background: color }}
      onPointerDown={(event) => {
        event.stopPropagation();
        if (event.button === 0) event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={onDrag}
      onDoubleClick={(event) => {
        event.stopPropagation();
        remove();
      }}
      onKeyDown={onKey}
    />
  );
}
