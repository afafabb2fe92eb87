/** Choosing all that a box touches which is drawn with Shift: also what is only painted, of which React Flow knows nothing. */

import { useStoreApi } from "@xyflow/react";
import { useCallback, useEffect } from "react";

import { editor } from "../model/editor";
import { boxOf, type CanvasNode } from "./flow";

export function useBoxSelection(nodes: readonly CanvasNode[]) {
  const store = useStoreApi();
  useEffect(
    () =>
      store.subscribe(({ userSelectionRect: box, userSelectionActive, transform: [x, y, zoom] }, before) => {
        if (!box || !userSelectionActive || box === before.userSelectionRect) return;
        const [left, top] = [(box.x - x) / zoom, (box.y - y) / zoom];
        const [right, bottom] = [left + box.width / zoom, top + box.height / zoom];
        const touched = nodes.filter((node) => {
          const { x, y, width, height } = boxOf(node);
          return x < right && left < x + width && y < bottom && top < y + height;
        });
        choose(new Set(touched.map(({ id }) => id)));
      }),
    [store, nodes],
  );
  // React Flow frames what was chosen, so that it can be dragged as one, if there is any of it on the page
  const onSelectionEnd = useCallback(
    () => queueMicrotask(() => store.setState({ nodesSelectionActive: editor.getState().selected.size > 0 })),
    [store],
  );
  return { onSelectionEnd };
}

function choose(names: ReadonlySet<string>): void {
  const { selected, select } = editor.getState();
  if (names.size !== selected.size || [...names].some((name) => !selected.has(name))) select(names);
}
