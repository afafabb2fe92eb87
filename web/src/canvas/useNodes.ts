/** The nodes as the canvas has them: those of the document, those that are being dragged where they are now. */

import { applyNodeChanges, type NodeChange, useStoreApi } from "@xyflow/react";
import { type Dispatch, type SetStateAction, useCallback, useMemo, useState } from "react";

import { editor } from "../model/editor";
import type { CanvasNode, WireEdge } from "./flow";

interface Nodes {
  readonly nodes: CanvasNode[];
  readonly setNodes: Dispatch<SetStateAction<CanvasNode[]>>;
  readonly onNodesChange: (changes: NodeChange<CanvasNode>[]) => void;
  /** The names of those that lie elsewhere than in the document. */
  readonly moving: ReadonlySet<string>;
}

export function useNodes(drawn: readonly CanvasNode[], selected: ReadonlySet<string>): Nodes {
  const store = useStoreApi<CanvasNode, WireEdge>();
  const [nodes, setNodes] = useState<CanvasNode[]>([...drawn]);
  const [shown, setShown] = useState({ drawn, selected });
  if (shown.drawn !== drawn || shown.selected !== selected) {
    setShown({ drawn, selected });
    setNodes(taken(nodes, drawn, selected));
  }
  const onNodesChange = useCallback(
    (changes: NodeChange<CanvasNode>[]) => {
      setNodes((before) => applyNodeChanges(changes, before));
      const chosen = changes.filter((change) => change.type === "select");
      if (!chosen.length || store.getState().userSelectionActive) return; // useBoxSelection chooses then
      const after = new Set(editor.getState().selected);
      for (const { id, selected: on } of chosen) on ? after.add(id) : after.delete(id);
      editor.getState().select(after);
    },
    [store],
  );
  return { nodes, setNodes, onNodesChange, moving: useMoving(nodes, drawn) };
}

/** Take over what the document has now; what is the same stays the same, so that it is not drawn again. */
function taken(
  before: readonly CanvasNode[],
  drawn: readonly CanvasNode[],
  selected: ReadonlySet<string>,
): CanvasNode[] {
  const known = new Map(before.map((node) => [node.id, node]));
  return drawn.map((node) => {
    const old = known.get(node.id);
    const chosen = selected.has(node.id);
    if (old && old.data === node.data && old.position === node.position && !!old.selected === chosen) return old;
    return { ...node, selected: chosen, ...(old?.measured ? { measured: old.measured } : {}) } as CanvasNode;
  });
}

/** Return the names of nodes that are not where the document has them; the same set for as long as they are the same. */
function useMoving(nodes: readonly CanvasNode[], drawn: readonly CanvasNode[]): ReadonlySet<string> {
  const places = useMemo(() => new Map(drawn.map(({ id, position }) => [id, position])), [drawn]);
  const names = nodes.filter(({ id, position: { x, y } }) => {
    const place = places.get(id);
    return place && (place.x !== x || place.y !== y);
  });
  const told = names.map(({ id }) => id).join("\n");
  return useMemo(() => new Set(told ? told.split("\n") : []), [told]);
}
