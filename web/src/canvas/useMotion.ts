/** Whether the canvas is being moved, for the style sheets: what moves as a whole is then a picture, not painted anew. */

import { useStoreApi } from "@xyflow/react";
import { useEffect } from "react";

/** How long nothing has to move until the canvas is at rest, in milliseconds: to and fro is one movement. */
export const REST = 200;

/** Give the canvas `data-moving` for as long as it is moved, and not zoomed: a picture would be unsharp at another zoom. */
export function useMotion(): void {
  const store = useStoreApi();
  useEffect(() => {
    let [, , before] = store.getState().transform;
    let rest = 0;
    const stop = store.subscribe(({ transform, domNode }, { transform: old }) => {
      if (transform === old || !domNode) return;
      const [, , zoom] = transform;
      if (zoom === before) domNode.dataset.moving = "";
      else delete domNode.dataset.moving;
      before = zoom;
      window.clearTimeout(rest);
      rest = window.setTimeout(() => delete domNode.dataset.moving, REST);
    });
    return () => {
      stop();
      window.clearTimeout(rest);
    };
  }, [store]);
}
