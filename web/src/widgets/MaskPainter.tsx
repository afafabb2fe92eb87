import {
  type KeyboardEvent,
  type PointerEvent,
  type ReactElement,
  useCallback,
  useEffect,
  useRef,
  useState,
} from "react";

import { useSay } from "../i18n";
import { Dialog } from "./Dialog";
import { blank, type Brush, loadPicture, MaskSheet, stampAt, stroke } from "./sheet";

interface MaskPainterProps {
  /** The picture to paint over; null for none. */
  readonly backdrop: string | null;
  /** What was painted before; null for nothing. */
  readonly painted: string | null;
  onDone(mask: Blob): void;
  onClose(): void;
}

/** Without a picture to paint over, the mask is a square of this size. */
const PLAIN = 512;
const NUDGE = 8;

/** Paint a mask: white is what the mask takes in. Arrows move the brush and Space paints, for those without a pointer. */
export function MaskPainter({ backdrop, painted, onDone, onClose }: MaskPainterProps): ReactElement {
  const say = useSay();
  const view = useRef<HTMLCanvasElement>(null);
  const [sheet, setSheet] = useState<MaskSheet | null>(null);
  const last = useRef<readonly [number, number] | null>(null);
  const [brush, setBrush] = useState<Brush>({ size: 40, erases: false });
  const [picture, setPicture] = useState<HTMLImageElement | null>(null);
  const [cursor, setCursor] = useState<readonly [number, number]>([PLAIN / 2, PLAIN / 2]);
  const [, setDrawn] = useState(0);
  const redraw = useCallback(() => {
    if (view.current) sheet?.show(view.current);
    setDrawn((count) => count + 1);
  }, [sheet]);

  useEffect(() => {
    let left = false;
    void (async () => {
      const under = backdrop ? await loadPicture(backdrop) : null;
      const before = painted ? await loadPicture(painted) : null;
      if (left) return;
      const [width, height] = under
        ? [under.naturalWidth, under.naturalHeight]
        : before
          ? [before.naturalWidth, before.naturalHeight]
          : [PLAIN, PLAIN];
      setSheet(new MaskSheet(width, height, before));
      setPicture(under);
      setCursor([width / 2, height / 2]);
      setBrush((one) => ({ ...one, size: Math.max(8, Math.round(Math.min(width, height) / 12)) }));
    })();
    return () => {
      left = true;
    };
  }, [backdrop, painted]);
  useEffect(() => {
    if (view.current) sheet?.show(view.current); // the canvas has the sheet's size by now
  }, [sheet]);

  const placeOf = (event: PointerEvent<HTMLCanvasElement>): readonly [number, number] => {
    const box = event.currentTarget.getBoundingClientRect();
    const { width = PLAIN, height = PLAIN } = sheet ?? {};
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height];
  };
  const paint = (from: readonly [number, number], to: readonly [number, number], erases: boolean) => {
    if (!sheet) return;
    stroke(sheet, from, to, { ...brush, erases: erases !== brush.erases });
    redraw();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const [x, y] = cursor;
    const step = event.shiftKey ? NUDGE * 4 : NUDGE;
    const moves: Readonly<Record<string, readonly [number, number]>> = {
      ArrowLeft: [x - step, y],
      ArrowRight: [x + step, y],
      ArrowUp: [x, y - step],
      ArrowDown: [x, y + step],
    };
    const to = moves[event.key];
    if (to) setCursor(to);
    else if (event.key === " " && sheet) {
      sheet.remember();
      stampAt(sheet, x, y, brush);
      redraw();
    } else if (event.key === "[") setBrush({ ...brush, size: Math.max(2, Math.round(brush.size * 0.8)) });
    else if (event.key === "]") setBrush({ ...brush, size: Math.min(512, Math.round(brush.size * 1.25)) });
    else if (event.key === "z" && (event.ctrlKey || event.metaKey)) {
      sheet?.undo();
      redraw();
    } else return;
    event.preventDefault();
  };
  const act = (change: (sheet: MaskSheet) => void) => {
    if (!sheet) return;
    sheet.remember();
    change(sheet);
    redraw();
  };
  const { width, height } = sheet ?? blank(PLAIN);
  return (
    <Dialog title={say("paintMask")} className="painter" onClose={onClose}>
      <div className="painter-tools">
        <label>
          {say("brushSize")}
          <input
            type="range"
            min={2}
            max={512}
            value={brush.size}
            onChange={({ target }) => setBrush({ ...brush, size: Number(target.value) })}
          />
          <output>{brush.size}</output>
        </label>
        <button type="button" aria-pressed={brush.erases} onClick={() => setBrush({ ...brush, erases: !brush.erases })}>
          {say("erase")}
        </button>
        <button type="button" disabled={!sheet?.canUndo} onClick={() => (sheet?.undo(), redraw())}>
          {say("undo")}
        </button>
        <button type="button" onClick={() => act((one) => one.fill(false))}>
          {say("clear")}
        </button>
        <button type="button" onClick={() => act((one) => one.invert())}>
          {say("invert")}
        </button>
      </div>
      <p className="painter-hint">{say(backdrop ? "paintHint" : "paintNoPicture")}</p>
      <div
        className="painter-stage"
        style={{ aspectRatio: `${width} / ${height}`, width: `min(100%, ${(60 * width) / height}vh)` }}
      >
        {picture && <img src={picture.src} alt="" draggable={false} />}
        <canvas
          ref={view}
          width={width}
          height={height}
          tabIndex={0}
          role="application"
          aria-label={say("paintMask")}
          onKeyDown={onKeyDown}
          onContextMenu={(event) => event.preventDefault()}
          onPointerDown={(event) => {
            event.currentTarget.setPointerCapture(event.pointerId);
            sheet?.remember();
            last.current = placeOf(event);
            paint(last.current, last.current, event.button === 2);
          }}
          onPointerMove={(event) => {
            const at = placeOf(event);
            setCursor(at);
            if (!last.current) return;
            paint(last.current, at, (event.buttons & 2) !== 0);
            last.current = at;
          }}
          onPointerUp={() => {
            last.current = null;
          }}
        />
        <span
          className="painter-cursor"
          style={{
            left: `${(cursor[0] / width) * 100}%`,
            top: `${(cursor[1] / height) * 100}%`,
            width: `${(brush.size / width) * 100}%`,
          }}
        />
      </div>
      <footer>
        <button type="button" onClick={onClose}>
          {say("cancel")}
        </button>
        <button type="button" className="primary" onClick={() => void sheet?.blob().then(onDone)}>
          {say("useMask")}
        </button>
      </footer>
    </Dialog>
  );
}
