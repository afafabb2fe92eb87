/** The small map: nodes in the colour of how they stand, what is wrong with them before all else. */

import { MiniMap } from "@xyflow/react";
import { type ReactElement, useCallback, useMemo } from "react";

import { useSay } from "../i18n";
import type { CanvasNode } from "./flow";
import { useStage, useStudio } from "./hooks";

const COLORS: Readonly<Record<string, string>> = {
  wrong: "var(--bad)",
  failed: "var(--bad)",
  running: "var(--accent)",
  waiting: "var(--accent)",
  done: "var(--good)",
  cached: "var(--good)",
};

export function Overview(): ReactElement | null {
  const say = useSay();
  const shown = useStage((state) => state.minimap);
  // one text for all states: it changes only when a node's state does, not with every step of it
  const states = useStudio(({ run, checked }) => {
    const told = Object.entries(run?.nodes ?? {}).map(([name, { status }]) => `${name} ${status}`);
    const wrong = checked?.problems.map(({ place }) => `${place.split(".")[0]} wrong`) ?? [];
    return [...told, ...wrong].join("\n");
  });
  const byName = useMemo(
    () =>
      new Map(
        states.split("\n").map((line) => {
          const [name, status] = line.split(" ");
          return [name!, COLORS[status ?? ""]] as const;
        }),
      ),
    [states],
  );
  const colorOf = useCallback(
    (node: CanvasNode) => {
      if (node.type === "note" || node.type === "group_frame") return "transparent";
      return byName.get(node.id) ?? (node.type === "graph" && node.data.node.mode ? "var(--line)" : "var(--map-node)");
    },
    [byName],
  );
  const strokeOf = useCallback(
    (node: CanvasNode) => (node.type === "note" || node.type === "group_frame" ? "var(--line)" : "transparent"),
    [],
  );
  if (!shown) return null;
  return (
    <MiniMap<CanvasNode>
      pannable
      zoomable
      nodeColor={colorOf}
      nodeStrokeColor={strokeOf}
      nodeStrokeWidth={6}
      ariaLabel={say("minimap")}
    />
  );
}
