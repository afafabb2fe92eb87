/** A picture that is made larger by wheel, buttons or keys, and moved by the pointer. */

import { type PointerEvent, type RefObject, useEffect, useState } from "react";

interface View {
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

const WHOLE: View = { scale: 1, x: 0, y: 0 };
const MOST = 16;
export const STEP = 1.5;

/** Return a view that is larger by a factor, where a point, reckoned from the middle, stays where it is. */
export function zoomed({ scale, x, y }: View, factor: number, at: { readonly x: number; readonly y: number }): View {
  const next = Math.min(Math.max(scale * factor, 1), MOST);
  if (next === 1) return WHOLE;
  const by = next / scale;
  return { scale: next, x: at.x - (at.x - x) * by, y: at.y - (at.y - y) * by };
}

const MIDDLE = { x: 0, y: 0 };

export interface Zoom {
  readonly scale: number;
  readonly style: { readonly transform: string; readonly cursor: string };
  readonly by: (factor: number) => void;
  readonly move: (x: number, y: number) => void;
  readonly reset: () => void;
  readonly onPointerMove: (event: PointerEvent) => void;
}

/** Zoom into what a stage shows; another `key` is another picture, seen whole at first. */
export function useZoom(stage: RefObject<HTMLElement | null>, key: string): Zoom {
  const [{ of, view }, setState] = useState({ of: key, view: WHOLE });
  const shown = of === key ? view : WHOLE;
  const change = (to: (view: View) => View) =>
    setState((state) => ({ of: key, view: to(state.of === key ? state.view : WHOLE) }));
  useEffect(() => {
    const box = stage.current;
    const onWheel = (event: WheelEvent) => {
      event.preventDefault(); // React listens to wheels without being able to
      const { left, top, width, height } = box!.getBoundingClientRect();
      const at = { x: event.clientX - left - width / 2, y: event.clientY - top - height / 2 };
      const to = (view: View) => zoomed(view, Math.exp(-event.deltaY / 400), at);
      setState((state) => ({ of: key, view: to(state.of === key ? state.view : WHOLE) }));
    };
    box?.addEventListener("wheel", onWheel, { passive: false });
    return () => box?.removeEventListener("wheel", onWheel);
  }, [stage, key]);
  const move = (x: number, y: number) =>
    change((view) => (view.scale === 1 ? view : { ...view, x: view.x + x, y: view.y + y }));
  return {
    scale: shown.scale,
    style: {
      transform: `translate(${shown.x}px, ${shown.y}px) scale(${shown.scale})`,
      cursor: shown.scale === 1 ? "grab" : "move",
    },
    by: (factor) => change((view) => zoomed(view, factor, MIDDLE)),
    move,
    reset: () => change(() => WHOLE),
    onPointerMove: ({ buttons, movementX, movementY }) => {
      if (buttons === 1) move(movementX, movementY);
    },
  };
}
