/** The wires of nodes that are being dragged, drawn for themselves: the picture of all others stays as it is. */

import { ViewportPortal } from "@xyflow/react";
import type { ReactElement } from "react";

import type { Course } from "./courses";
import { pathThrough } from "./geometry";

export function MovingWires({ courses }: { readonly courses: readonly Course[] }): ReactElement {
  return (
    <ViewportPortal>
      <svg className="moving-wires" aria-hidden="true">
        {courses.map(({ edge, color, stops }) => (
          <path key={edge.id} d={pathThrough(stops)} style={{ stroke: color }} />
        ))}
      </svg>
    </ViewportPortal>
  );
}
