/** A wire: a curve in its type's colour, led through its points, which can be dragged and taken away. */

import { BaseEdge, EdgeLabelRenderer, type EdgeProps } from "@xyflow/react";
import { memo, type ReactElement } from "react";

import { colorOf } from "./colors";
import { useIsFar } from "./far";
import type { WireEdge } from "./flow";
import { pathThrough } from "./geometry";
import { useStage } from "./hooks";
import { WirePoint } from "./WirePoint";

export const WireLine = memo(function WireLine(props: EdgeProps<WireEdge>): ReactElement {
  const { id, sourceX, sourceY, targetX, targetY, data, selected } = props;
  const spliced = useStage((state) => state.spliced === id);
  const points = data?.points ?? [];
  const stops = [{ x: sourceX, y: sourceY }, ...points, { x: targetX, y: targetY }];
  const isFar = useIsFar();
  const color = colorOf(data?.type ?? "any");
  const classes = ["wire", selected && "wire-selected", spliced && "wire-spliced"];
  return (
    <>
      <BaseEdge
        id={id}
        path={pathThrough(stops)}
        interactionWidth={16}
        className={classes.filter(Boolean).join(" ")}
        style={{ stroke: color }}
      />
      {points.length > 0 && !isFar && (
        <EdgeLabelRenderer>
          {points.map((_, index) => (
            <WirePoint key={index} wire={id} points={points} index={index} color={color} />
          ))}
        </EdgeLabelRenderer>
      )}
    </>
  );
});
