/** A picture of the gallery, large, with what it was made with and what can be done with it. */

import { type KeyboardEvent, type PointerEvent, type ReactElement, useRef, useState } from "react";

import { onCanvas, placeForNew } from "../canvas/stage";
import { useSay } from "../i18n";
import type { Piece } from "../model/pieces";
import { CAN_COPY, copyPicture, loadPicture } from "../session/pictures";
import { Dialog } from "../widgets/Dialog";
import { FileActions } from "../widgets/FileActions";
import { Icon } from "../widgets/icons";
import { STEP, useZoom, type Zoom } from "../widgets/zoom";
import { Recipe } from "./Recipe";

interface PieceDialogProps {
  readonly piece: Piece;
  onClose(): void;
  onGo?(by: number): void;
}

export function PieceDialog({ piece, onClose, onGo }: PieceDialogProps): ReactElement {
  const say = useSay();
  const stage = useRef<HTMLDivElement>(null);
  const zoom = useZoom(stage, piece.key);
  const [size, setSize] = useState("");
  const swipe = useSwipe(zoom.scale === 1 ? onGo : undefined);
  const told = [piece.ended && new Date(piece.ended * 1000).toLocaleString(), size, piece.name].filter(Boolean);
  const picture = { url: piece.url, name: piece.name };
  const isFile = piece.file !== null;
  return (
    <Dialog
      title={piece.number === null ? piece.title : `${piece.title} #${piece.number}`}
      className="piece"
      onClose={onClose}
      onKey={(event) => takeKey(event, zoom, onGo)}
    >
      <div className="piece-inside">
        <div className="piece-picture" ref={stage} {...swipe} onPointerMove={zoom.onPointerMove}>
          <img
            src={piece.url}
            alt={say("pictureOf", { label: piece.title })}
            style={zoom.style}
            draggable={false}
            onLoad={({ currentTarget: { naturalWidth, naturalHeight } }) =>
              setSize(isFile ? `${naturalWidth} × ${naturalHeight}` : "")
            }
          />
          {onGo && (
            <>
              <button type="button" className="piece-back" aria-label={say("previousPicture")} onClick={() => onGo(-1)}>
                <Icon name="back" />
              </button>
              <button type="button" className="piece-forth" aria-label={say("nextPicture")} onClick={() => onGo(1)}>
                <Icon name="forth" />
              </button>
            </>
          )}
          <ZoomTools zoom={zoom} />
        </div>
        <div className="piece-about">
          <p className="piece-when">{told.join(" · ")}</p>
          <Recipe made={piece} onClose={onClose}>
            <button
              type="button"
              onClick={() => {
                void loadPicture(picture, null, onCanvas(placeForNew()));
                onClose();
              }}
            >
              {say("useAsInput")}
            </button>
            {CAN_COPY && (
              <button type="button" onClick={() => void copyPicture(piece.url)}>
                {say("copyPicture")}
              </button>
            )}
            {piece.file && <FileActions url={piece.file} name={piece.name} />}
          </Recipe>
        </div>
      </div>
    </Dialog>
  );
}

/** Pixels that a picture goes at a press of Shift and an arrow. */
const PAN = 60;
const WAYS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [1, 0],
  ArrowRight: [-1, 0],
  ArrowUp: [0, 1],
  ArrowDown: [0, -1],
};

/** Arrows go from picture to picture, with Shift over one that is zoomed into by + and -; 0 shows it whole. */
function takeKey({ key, shiftKey }: KeyboardEvent, zoom: Zoom, go: ((by: number) => void) | undefined): void {
  const way = WAYS[key];
  if (way && shiftKey) zoom.move(way[0] * PAN, way[1] * PAN);
  else if (key === "ArrowLeft") go?.(-1);
  else if (key === "ArrowRight") go?.(1);
  else if (key === "+" || key === "=") zoom.by(STEP);
  else if (key === "-") zoom.by(1 / STEP);
  else if (key === "0") zoom.reset();
}

function ZoomTools({ zoom }: { readonly zoom: Zoom }): ReactElement {
  const say = useSay();
  const share = `${Math.round(zoom.scale * 100)} %`;
  return (
    <div className="piece-zoom">
      <button type="button" aria-label={say("zoomOut")} title={say("zoomOut")} onClick={() => zoom.by(1 / STEP)}>
        −
      </button>
      <button type="button" aria-label={`${say("seeWhole")}: ${share}`} title={say("seeWhole")} onClick={zoom.reset}>
        {share}
      </button>
      <button type="button" aria-label={say("zoomIn")} title={say("zoomIn")} onClick={() => zoom.by(STEP)}>
        +
      </button>
    </div>
  );
}

/** Pixels that a finger goes to a side before the next picture comes. */
const SWIPE = 40;

/** Go on where a finger is drawn across: to the left the next, to the right the one before. */
function useSwipe(go: ((by: number) => void) | undefined) {
  const from = useRef<{ readonly x: number; readonly y: number } | null>(null);
  return {
    onPointerDown: ({ pointerType, isPrimary, clientX, clientY }: PointerEvent) => {
      from.current = pointerType === "touch" && isPrimary ? { x: clientX, y: clientY } : null;
    },
    onPointerUp: ({ clientX, clientY }: PointerEvent) => {
      if (!from.current) return;
      const [x, y] = [clientX - from.current.x, clientY - from.current.y];
      from.current = null;
      if (Math.abs(x) >= SWIPE && Math.abs(x) > Math.abs(y)) go?.(x < 0 ? 1 : -1);
    },
    onPointerCancel: () => {
      from.current = null; // the page scrolls, or two fingers enlarge the picture
    },
  };
}
