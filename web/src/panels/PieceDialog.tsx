/** A picture of the gallery, large, with what it was made with and what can be done with it. */

import { type KeyboardEvent, type PointerEvent, type ReactElement, useRef } from "react";

import { useSay } from "../i18n";
import type { Piece } from "../model/pieces";
import { Dialog } from "../widgets/Dialog";
import { FileActions } from "../widgets/FileActions";
import { Icon } from "../widgets/icons";
import { Recipe } from "./Recipe";

interface PieceDialogProps {
  readonly piece: Piece;
  onClose(): void;
  onGo?(by: number): void;
}

export function PieceDialog({ piece, onClose, onGo }: PieceDialogProps): ReactElement {
  const say = useSay();
  const onKey = ({ key }: KeyboardEvent) => {
    if (key === "ArrowLeft") onGo?.(-1);
    if (key === "ArrowRight") onGo?.(1);
  };
  const swipe = useSwipe(onGo);
  return (
    <Dialog
      title={piece.number === null ? piece.title : `${piece.title} #${piece.number}`}
      className="piece"
      onClose={onClose}
      onKey={onKey}
    >
      <div className="piece-inside">
        <div className="piece-picture" {...swipe}>
          <img src={piece.url} alt={say("pictureOf", { label: piece.title })} />
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
        </div>
        <div className="piece-about">
          {piece.ended !== null && <p className="piece-when">{new Date(piece.ended * 1000).toLocaleString()}</p>}
          <Recipe made={piece} onClose={onClose}>
            {piece.file && <FileActions url={piece.file} name={piece.name} />}
          </Recipe>
        </div>
      </div>
    </Dialog>
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
