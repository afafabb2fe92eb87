/**
 * What is painted of the graph, as one picture that lies among its nodes: all wires, and from afar the nodes too. It reaches
 * beyond what is seen, so that it is moved with the canvas, and painted anew only where its edge would be seen, or at rest
 * after a zoom.
 */

import { type ReactFlowState, useStoreApi, ViewportPortal } from "@xyflow/react";
import { memo, type ReactElement, useEffect, useLayoutEffect, useRef, useState } from "react";

import { useInk } from "./ink";
import { paintScene, type Scene } from "./painting";
import { isCovered, isWorn, type Seen } from "./painted";
import { type Standing, useStandings } from "./standing";
import { REST } from "./useMotion";

/** How far the picture reaches beyond what is seen, in pixels of the screen. */
const MARGIN = 256;
/** How long a zoom may go on with the picture as it was, in milliseconds. */
const PATIENCE = 120;

interface PaintingProps {
  readonly scene: Scene;
}

export const Painting = memo(function Painting({ scene }: PaintingProps): ReactElement {
  return (
    <ViewportPortal>
      <Picture scene={scene} />
    </ViewportPortal>
  );
});

function Picture({ scene }: PaintingProps): ReactElement {
  const store = useStoreApi();
  const ink = useInk();
  const standings = useCalm(scene.nodes.length > 0);
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    let seen: Seen;
    let [rest, since] = [0, 0];
    const paint = () => {
      const { transform, width, height } = store.getState();
      [seen, since] = [{ transform, width, height }, performance.now()];
      const part = place(canvas.current!, seen);
      const brush = canvas.current!.getContext("2d")!;
      const { nodes, wires } = paintScene(brush, scene, standings, part, ink);
      Object.assign(canvas.current!.dataset, { nodes, wires });
    };
    const settle = () => {
      if (isWorn(seen, store.getState(), MARGIN / 2)) paint();
    };
    const follow = (state: ReactFlowState, before: ReactFlowState) => {
      const isSized = state.width !== before.width || state.height !== before.height;
      if (state.transform === before.transform && !isSized) return;
      const isZoomed = state.transform[2] !== seen.transform[2];
      const isLate = isZoomed && performance.now() - since > PATIENCE;
      if (isSized || isLate || !isCovered(seen, state, MARGIN)) paint();
      window.clearTimeout(rest);
      rest = window.setTimeout(settle, REST);
    };
    paint();
    const stop = store.subscribe(follow);
    return () => {
      stop();
      window.clearTimeout(rest);
    };
  }, [store, scene, standings, ink]);
  return <canvas ref={canvas} className="painting" aria-hidden="true" />;
}

const NONE: ReadonlyMap<string, Standing> = new Map();
/** How long nodes may go on looking as they stood, in milliseconds: hundreds may come to their end in a second. */
const CALM = 200;

/** Return how cards stand, not anew with each of them; nothing where no nodes are painted. */
function useCalm(isNeeded: boolean): ReadonlyMap<string, Standing> {
  const all = useStandings();
  const now = isNeeded ? all : NONE;
  const latest = useRef(now);
  const [calm, setCalm] = useState(now);
  const isLate = calm !== now;
  useEffect(() => {
    latest.current = now;
  }, [now]);
  useEffect(() => {
    if (!isLate) return;
    const timer = window.setTimeout(() => setCalm(latest.current), CALM);
    return () => window.clearTimeout(timer);
  }, [isLate, calm]); // with what is shown too: it may be late again at the very moment it is made anew
  return calm;
}

/** Lay an empty canvas over what is seen and its margin, and return which part of the graph that is. */
function place(canvas: HTMLCanvasElement, { transform: [x, y, zoom], width, height }: Seen) {
  const [wide, high] = [width + 2 * MARGIN, height + 2 * MARGIN];
  const dense = window.devicePixelRatio;
  [canvas.width, canvas.height] = [Math.round(wide * dense), Math.round(high * dense)];
  const part = { x: (-MARGIN - x) / zoom, y: (-MARGIN - y) / zoom, width: wide / zoom, height: high / zoom };
  const { style } = canvas;
  [style.width, style.height] = [`${wide}px`, `${high}px`];
  style.transform = `translate(${part.x}px, ${part.y}px) scale(${1 / zoom})`;
  canvas.getContext("2d")!.setTransform(dense * zoom, 0, 0, dense * zoom, dense * (x + MARGIN), dense * (y + MARGIN));
  return part;
}
