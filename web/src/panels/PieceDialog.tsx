/** A picture of the gallery, large, with what it was made with and what can be done with it. */

import { type KeyboardEvent, type ReactElement } from "react";

import { useSay } from "../i18n";
import type { Piece } from "../model/pieces";
import { Dialog } from "../widgets/Dialog";
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
  return (
    <Dialog
      title={piece.number === null ? piece.title : `${piece.title} #${piece.number}`}
      className="piece"
      onClose={onClose}
      onKey={onKey}
    >
      <div className="piece-inside">
        <div className="piece-picture">
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
            {piece.file && (
              <a className="button" href={piece.file} download={piece.name}>
                {say("download")}
              </a>
            )}
          </Recipe>
        </div>
      </div>
    </Dialog>
  );
}
