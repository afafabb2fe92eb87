/** A wire: a curve in its type's colour, led through its points. */

import { BaseEdge, type EdgeProps, getBezierPath } from "@xyflow/react";
import { memo, type ReactElement } from "react";

import type { Point } from "../model/document";
import { colorOf } from "./colors";
import type { WireEdge } from "./flow";

export const WireLine = memo(function WireLine(props: EdgeProps<WireEdge>): ReactElement {
  const { sourceX, sourceY, targetX, targetY, data, selected } = props;
  const stops = [{ x: sourceX, y: sourceY }, ...(data?.points ?? []), { x: targetX, y: targetY }];
  return (
    <BaseEdge
      id={props.id}
      path={pathThrough(stops, props)}
      interactionWidth={16}
      className={selected ? "wire wire-selected" : "wire"}
      style={{ stroke: colorOf(data?.type ?? "any") }}
    />
  );
});

function pathThrough(stops: readonly Point[], { sourcePosition, targetPosition }: EdgeProps): string {
  return stops
    .slice(1)
    .map((stop, index) => {
      const from = stops[index]!;
      const [path] = getBezierPath({
        sourceX: from.x,
        sourceY: from.y,
        targetX: stop.x,
        targetY: stop.y,
        sourcePosition,
        targetPosition,
      });
      return path;
    })
    .join(" ");
}
