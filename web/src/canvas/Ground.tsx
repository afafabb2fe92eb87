/** The ground of the canvas with its dots. It lies one dot further out than is seen, and is moved by less than that. */

import { type ReactFlowState, useStoreApi } from "@xyflow/react";
import { type ReactElement, useLayoutEffect, useRef } from "react";

const GAP = 24;
/** As far as dots can be apart on the screen, at the greatest zoom. */
const EDGE = 60;

export function Ground(): ReactElement {
  const store = useStoreApi();
  const ground = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    let apart = 0;
    const move = ({ transform: [x, y, zoom] }: ReactFlowState) => {
      const { style } = ground.current!;
      const gap = GAP * zoom;
      if (gap !== apart) style.setProperty("--gap", `${(apart = gap)}px`);
      style.transform = `translate(${offset(x, gap)}px, ${offset(y, gap)}px)`;
    };
    move(store.getState());
    return store.subscribe((state, before) => {
      if (state.transform !== before.transform) move(state);
    });
  }, [store]);
  return <div ref={ground} className="ground" />;
}

/** Return how far a dot of the ground's edge lies from where it would without the graph's offset: 0 to less than `gap`. */
function offset(at: number, gap: number): number {
  return Math.round((((at + EDGE - gap / 2) % gap) + gap) % gap);
}
