import { NodeResizeControl, ResizeControlVariant } from "@xyflow/react";
import type { ReactElement } from "react";

import { changeNodeView } from "../model/edits";
import { editor } from "../model/editor";

const NARROWEST = 180;
const WIDEST = 720;

/** The right edge of a chosen node, by which it is made wider or narrower. */
export function WidthHandle({ id }: { readonly id: string }): ReactElement {
  return (
    <NodeResizeControl
      position="right"
      variant={ResizeControlVariant.Line}
      resizeDirection="horizontal"
      minWidth={NARROWEST}
      maxWidth={WIDEST}
      className="width-handle"
      onResize={(_event, { width }) =>
        editor
          .getState()
          .edit("resize", (graph) => changeNodeView(graph, id, { width: Math.round(width) }), `resize ${id}`)
      }
    />
  );
}
