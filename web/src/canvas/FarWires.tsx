/**
 * All wires from afar, as one line for each colour. There they are too thin to be told apart or hit, and a thousand and more
 * that each listen, answer and are painted by themselves would be most of the work of a frame.
 */

import { ViewportPortal } from "@xyflow/react";
import { memo, type ReactElement, useMemo } from "react";

import { colorOf } from "./colors";
import type { CanvasNode, WireEdge } from "./flow";
import { pathThrough, stopsOf } from "./geometry";

interface FarWiresProps {
  readonly nodes: readonly CanvasNode[];
  readonly edges: readonly WireEdge[];
}

interface Lines {
  readonly lines: ReadonlyMap<string, string>;
  readonly chosen: string;
}

export const FarWires = memo(function FarWires({ nodes, edges }: FarWiresProps): ReactElement {
  const { lines, chosen } = useMemo(() => linesOf(nodes, edges), [nodes, edges]);
  return (
    <ViewportPortal>
      <svg className="far-wires" aria-hidden="true">
        {[...lines].map(([color, path]) => (
          <path key={color} d={path} style={{ stroke: color }} />
        ))}
        <path className="far-chosen" d={chosen} />
      </svg>
    </ViewportPortal>
  );
});

/** Draw the wires of each colour: a path each; those that are chosen apart. */
function linesOf(nodes: readonly CanvasNode[], edges: readonly WireEdge[]): Lines {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const lines = new Map<string, string>();
  let chosen = "";
  for (const edge of edges) {
    const path = pathThrough(stopsOf(edge, byId));
    const color = colorOf(edge.data?.type ?? "any");
    if (edge.selected) chosen += path;
    else lines.set(color, (lines.get(color) ?? "") + path);
  }
  return { lines, chosen };
}
