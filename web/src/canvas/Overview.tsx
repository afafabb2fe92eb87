/** The small map: nodes in the colour of how they stand, what is wrong with them before all else. */

import { MiniMap } from "@xyflow/react";
import { type ReactElement, useCallback, useMemo } from "react";

import { useSay } from "../i18n";
import { outcomeOf } from "../model/outcome";
import { isOpen } from "../model/runs";
import { shownChanges, shownPlans, shownRuns } from "../session/shown";
import type { CanvasNode } from "./flow";
import { useDocument, useScope, useStage, useStudio } from "./hooks";
import { problemsByCard } from "./problems";

const COLORS: Readonly<Record<string, string>> = {
  wrong: "var(--bad)",
  failed: "var(--bad)",
  running: "var(--accent)",
  waiting: "var(--accent)",
  done: "var(--good)",
  cached: "var(--good)",
  kept: "var(--good)",
  stale: "var(--warning)",
  changed: "var(--warning)",
  perhaps: "var(--warning)",
};

export function Overview(): ReactElement | null {
  const say = useSay();
  const shown = useStage((state) => state.minimap);
  // one text for all states: it changes only when a node's state does, not with every step of it
  const document = useDocument();
  const scope = useScope();
  const states = useStudio((state) => {
    const [runs, plans, changes, open] = [
      shownRuns(state),
      shownPlans(state),
      shownChanges(state.ran),
      isOpen(state.run),
    ];
    const told = Object.keys({ ...runs, ...plans }).map(
      (name) => `${name} ${outcomeOf(runs[name], plans[name], open, changes.has(name))?.kind ?? ""}`,
    );
    const wrong = [...problemsByCard(state.checked, document, scope).keys()].map((name) => `${name} wrong`);
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
