/** A place that takes what is dragged onto it, of one kind: files, or a workflow's card. */

import { type DragEvent, useState } from "react";

interface DropTarget {
  /** Whether something that it takes is over it. */
  readonly isOver: boolean;
  readonly handlers: {
    onDragOver(event: DragEvent): void;
    onDragLeave(event: DragEvent): void;
    onDrop(event: DragEvent): void;
  };
}

/** Take what has the type of data; `onTake` is given it when it is let go. */
export function useDropTarget(type: string, onTake: (data: DataTransfer) => void): DropTarget {
  const [isOver, setOver] = useState(false);
  const onDrag = (event: DragEvent) => {
    if (!event.dataTransfer.types.includes(type)) return;
    event.preventDefault();
    setOver(event.type === "dragover");
    if (event.type === "drop") onTake(event.dataTransfer);
  };
  return { isOver, handlers: { onDragOver: onDrag, onDragLeave: onDrag, onDrop: onDrag } };
}
