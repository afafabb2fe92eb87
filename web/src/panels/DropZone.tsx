/** The whole page takes files; while one is dragged over it, it says what will become of it. */

import { type ReactElement, useEffect, useState } from "react";

import { useSay } from "../i18n";
import type { Point } from "../model/document";
import { carried, carries, loadPicture } from "../session/pictures";
import { type Dropped, takeFiles } from "../session/dropping";

export function DropZone(): ReactElement | null {
  const say = useSay();
  const [over, setOver] = useState(false);
  useEffect(() => {
    const carriesFiles = ({ dataTransfer }: DragEvent) => dataTransfer?.types.includes("Files") ?? false;
    /** A picture of the history is taken by the canvas alone. */
    const isPicture = (event: DragEvent) => carries(event.dataTransfer) && placeOf(event) !== null;
    const onOver = (event: DragEvent) => {
      if (event.defaultPrevented) return;
      if (isPicture(event)) event.preventDefault();
      if (!carriesFiles(event)) return;
      event.preventDefault();
      setOver(true);
    };
    const onLeave = ({ relatedTarget }: DragEvent) => {
      if (!relatedTarget) setOver(false);
    };
    const onDrop = (event: DragEvent) => {
      setOver(false);
      if (event.defaultPrevented) return;
      if (isPicture(event)) {
        const at = placeOf(event)!;
        event.preventDefault();
        void loadPicture(carried(event.dataTransfer!), at, at);
      }
      if (!carriesFiles(event)) return;
      event.preventDefault();
      void takeFiles([...event.dataTransfer!.files], placeOf(event));
    };
    const onEnd = () => setOver(false);
    window.addEventListener("dragover", onOver);
    window.addEventListener("dragleave", onLeave);
    window.addEventListener("drop", onDrop);
    window.addEventListener("dragend", onEnd);
    return () => {
      window.removeEventListener("dragover", onOver);
      window.removeEventListener("dragleave", onLeave);
      window.removeEventListener("drop", onDrop);
      window.removeEventListener("dragend", onEnd);
    };
  }, []);
  return over ? (
    <div className="drop-zone" aria-hidden="true">
      <p>{say("dropHint")}</p>
    </div>
  ) : null;
}

/** Return where on the canvas something was let go, by the transform that the canvas is drawn with. */
function placeOf({ target, clientX, clientY }: DragEvent): Dropped {
  const flow = (target as Element).closest(".canvas");
  const viewport = flow?.querySelector<HTMLElement>(".react-flow__viewport");
  if (!flow || !viewport) return null;
  const box = flow.getBoundingClientRect();
  const place = new DOMMatrix(getComputedStyle(viewport).transform)
    .inverse()
    .transformPoint({ x: clientX - box.x, y: clientY - box.y });
  return { x: Math.round(place.x), y: Math.round(place.y) } satisfies Point;
}
