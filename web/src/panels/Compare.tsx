/** Two pictures over each other, and a line between them that is moved by pointer or keys. */

import { type ReactElement, useState } from "react";

import { useSay } from "../i18n";
import type { Piece } from "../model/pieces";
import { Dialog } from "../widgets/Dialog";

interface CompareProps {
  readonly one: Piece;
  readonly other: Piece;
  onClose(): void;
}

export function Compare({ one, other, onClose }: CompareProps): ReactElement {
  const say = useSay();
  const [share, setShare] = useState(50);
  const label = (piece: Piece) => `${piece.title} #${piece.number}`;
  return (
    <Dialog title={say("compare")} className="compare" onClose={onClose}>
      <div className="compare-stage" style={{ "--share": `${share}%` } as React.CSSProperties}>
        <img src={one.url} alt={label(one)} draggable={false} />
        <img className="compare-over" src={other.url} alt={label(other)} draggable={false} />
        <span className="compare-line" aria-hidden="true" />
        <input
          type="range"
          min={0}
          max={100}
          step={1}
          value={share}
          aria-label={say("compareLine")}
          onChange={({ target }) => setShare(Number(target.value))}
        />
      </div>
      <p className="compare-names">
        <span>{label(other)}</span>
        <span>{label(one)}</span>
      </p>
    </Dialog>
  );
}
