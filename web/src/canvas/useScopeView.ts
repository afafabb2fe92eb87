/** Which part of a graph is seen: all of it at first; where one was, when one comes back from a subgraph. */

import { useReactFlow, type Viewport } from "@xyflow/react";
import { useEffect, useRef } from "react";

import { useEditor } from "./hooks";

/** How all of a graph is shown, also what is only painted. */
export const FIT = { maxZoom: 1, padding: 0.08, includeHiddenNodes: true };

export function useScopeView(): void {
  const flow = useReactFlow();
  const scope = useEditor((state) => state.path.join("/"));
  const seen = useRef<{ scope: string; views: Map<string, Viewport> }>({ scope, views: new Map() });
  useEffect(() => {
    const { scope: before, views } = seen.current;
    if (before === scope) return;
    views.set(before, flow.getViewport());
    seen.current.scope = scope;
    const known = views.get(scope);
    // the nodes of the other graph are there with the next frame
    const frame = requestAnimationFrame(() => void (known ? flow.setViewport(known) : flow.fitView(FIT)));
    return () => cancelAnimationFrame(frame);
  }, [flow, scope]);
}
