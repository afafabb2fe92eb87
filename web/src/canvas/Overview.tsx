/** The small map: nodes in the colour of how they stand, what is wrong with them before all else, and the part that is seen. */

import { Panel, type ReactFlowState, useStoreApi } from "@xyflow/react";
import {
  type PointerEvent,
  type ReactElement,
  type RefObject,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from "react";

import { useSay } from "../i18n";
import { around, type Rect } from "../model/arrange";
import type { Point } from "../model/document";
import { boxOf, type CanvasNode } from "./flow";
import { useStage } from "./hooks";
import { type Ink, useInk } from "./ink";
import { type MapScale, scaleOf, seenBy } from "./mapscale";
import { stage } from "./stage";
import { type Standing, useStandings } from "./standing";
import { REST } from "./useMotion";

const SIZE = { width: 200, height: 150 };
const COLORS: Readonly<Record<string, string>> = {
  wrong: "var(--bad)",
  failed: "var(--bad)",
  running: "var(--accent)",
  waiting: "var(--accent)",
  done: "var(--good)",
  cached: "var(--good)",
  kept: "var(--good)",
  stale: "var(--warning)",
  changed: "var(--warning)",
  perhaps: "var(--warning)",
};

export function Overview({ nodes }: { readonly nodes: readonly CanvasNode[] }): ReactElement | null {
  return useStage((state) => state.minimap) ? <SmallMap nodes={nodes} /> : null;
}

function SmallMap({ nodes }: { readonly nodes: readonly CanvasNode[] }): ReactElement {
  const say = useSay();
  const ink = useInk();
  const standings = useStandings();
  const all = useMemo(() => around(nodes.map(boxOf)), [nodes]);
  const [isHeld, setHeld] = useState(false);
  const scale = useMapScale(all, isHeld);
  const picture = useRef<HTMLCanvasElement>(null);
  const seen = useFrame(scale);
  useEffect(() => paint(picture.current!, nodes, standings, scale, ink), [nodes, standings, scale, ink]);
  const steering = useSteering(scale, setHeld);
  return (
    <Panel position="bottom-right" className="map" role="img" aria-label={say("minimap")} {...SIZE_STYLE} {...steering}>
      <canvas ref={picture} />
      <div ref={seen} className="map-view" />
    </Panel>
  );
}

const SIZE_STYLE = { style: SIZE };

/** Return how the map is drawn: all nodes are on it, and, once the canvas is at rest and let go of, what is seen of it. */
function useMapScale(all: Rect | null, isHeld: boolean): MapScale {
  const store = useStoreApi();
  const [seen, setSeen] = useState<Rect>(() => seenBy(store.getState()));
  useEffect(() => {
    if (isHeld) return;
    let rest = 0;
    const wait = () => {
      window.clearTimeout(rest);
      rest = window.setTimeout(() => setSeen(seenBy(store.getState())), REST);
    };
    wait();
    const stop = store.subscribe((state, before) => {
      if (state.transform !== before.transform || state.width !== before.width) wait();
    });
    return () => {
      stop();
      window.clearTimeout(rest);
    };
  }, [store, isHeld]);
  const box = around(all ? [all, seen] : [seen])!;
  const { x, y, width, height } = box;
  return useMemo(() => scaleOf({ x, y, width, height }, SIZE), [x, y, width, height]);
}

/** Return where to put the frame, which is kept around what is seen. */
function useFrame(scale: MapScale): RefObject<HTMLDivElement | null> {
  const store = useStoreApi();
  const frame = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const move = (state: ReactFlowState) => {
      const { style } = frame.current!;
      const { x, y, width, height } = seenBy(state);
      style.transform = `translate(${scale.x + x * scale.by}px, ${scale.y + y * scale.by}px)`;
      style.width = `${width * scale.by}px`;
      style.height = `${height * scale.by}px`;
    };
    move(store.getState());
    return store.subscribe((state, before) => {
      if (state.transform !== before.transform || state.width !== before.width || state.height !== before.height)
        move(state);
    });
  }, [store, scale]);
  return frame;
}

/** Press or drag to look elsewhere, turn the wheel to look from nearer or farther. */
function useSteering(scale: MapScale, setHeld: (isHeld: boolean) => void) {
  const grip = useRef<Point>({ x: 0, y: 0 });
  const store = useStoreApi();
  const lookAt = ({ x, y }: Point, zoom = store.getState().transform[2]) =>
    void stage.getState().flow?.setCenter(x, y, { zoom });
  const middle = (): Point => {
    const { x, y, width, height } = seenBy(store.getState());
    return { x: x + width / 2, y: y + height / 2 };
  };
  const under = ({ currentTarget, clientX, clientY }: PointerEvent): Point => {
    const box = currentTarget.getBoundingClientRect();
    const [left, top] = [box.x + currentTarget.clientLeft, box.y + currentTarget.clientTop];
    return { x: (clientX - left - scale.x) / scale.by, y: (clientY - top - scale.y) / scale.by };
  };
  return {
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return;
      event.currentTarget.setPointerCapture(event.pointerId);
      setHeld(true);
      const [at, { x, y }] = [under(event), middle()];
      const isHeld = (event.target as Element).classList.contains("map-view");
      grip.current = isHeld ? { x: at.x - x, y: at.y - y } : { x: 0, y: 0 };
      if (!isHeld) lookAt(at);
    },
    onPointerMove: (event: PointerEvent) => {
      if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
      const at = under(event);
      lookAt({ x: at.x - grip.current.x, y: at.y - grip.current.y });
    },
    onLostPointerCapture: () => setHeld(false),
    onWheel: ({ deltaY }: { readonly deltaY: number }) => {
      const { transform, minZoom, maxZoom } = store.getState();
      lookAt(middle(), Math.min(maxZoom, Math.max(minZoom, transform[2] * 2 ** (-deltaY * 0.002))));
    },
  };
}

function paint(
  canvas: HTMLCanvasElement,
  nodes: readonly CanvasNode[],
  standings: ReadonlyMap<string, Standing>,
  scale: MapScale,
  ink: Ink,
): void {
  const dense = window.devicePixelRatio;
  [canvas.width, canvas.height] = [SIZE.width * dense, SIZE.height * dense];
  const brush = canvas.getContext("2d")!;
  brush.scale(dense, dense);
  brush.strokeStyle = ink("var(--line)");
  for (const node of nodes) {
    const { x, y, width, height } = boxOf(node);
    const place = [scale.x + x * scale.by, scale.y + y * scale.by, width * scale.by, height * scale.by] as const;
    if (node.type === "note" || node.type === "group_frame") brush.strokeRect(...place);
    else {
      const isOff = node.type === "graph" && node.data.node.mode;
      brush.fillStyle = ink(COLORS[standings.get(node.id)?.kind ?? ""] ?? (isOff ? "var(--line)" : "var(--map-node)"));
      brush.fillRect(...place);
    }
  }
}
