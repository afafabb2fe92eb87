/** What the history shows of one run: a picture, a sweep as one, or how it failed or was cancelled. */

import { type ReactElement, useState } from "react";

import type { Run } from "../api/client";
import { useSay } from "../i18n";
import type { Piece } from "../model/pieces";
import { labelOf } from "../model/catalogue";
import { gridOf } from "../model/sweep";
import { carry } from "../session/pictures";
import { runOnceMore } from "../session/gallery";
import { showSweep, sweepOf } from "../session/sweeping";
import { Icon } from "../widgets/icons";
import { RunDialog, useEnding } from "./RunDialog";
import { useWhen } from "./times";

interface ThumbnailProps {
  readonly piece: Piece;
  readonly chosen: boolean;
  onChoose(): void;
  onShow(): void;
}

export function Thumbnail({ piece, chosen, onChoose, onShow }: ThumbnailProps): ReactElement | null {
  const say = useSay();
  const [gone, setGone] = useState(false);
  if (gone) return null; // the cache has let it go, or the file was deleted
  const label = `${piece.title} #${piece.number}`;
  return (
    <li className={chosen ? "thumb thumb-chosen" : "thumb"}>
      <button
        type="button"
        draggable
        onDragStart={({ dataTransfer }) => carry(dataTransfer, { url: piece.url, name: piece.name })}
        onClick={onShow}
        title={label}
      >
        <img
          src={piece.thumbnail}
          alt={say("pictureOf", { label })}
          loading="lazy"
          draggable={false}
          onError={() => setGone(true)}
        />
      </button>
      <input type="checkbox" aria-label={say("chooseToCompare", { label })} checked={chosen} onChange={onChoose} />
    </li>
  );
}

/** How many of a sweep's pictures its tile shows. */
const SHOWN = 4;

export function SweepTile({ run, pieces }: { readonly run: Run; readonly pieces: readonly Piece[] }): ReactElement {
  const say = useSay();
  const asked = sweepOf(run)!;
  const { rows, columns } = gridOf(asked, labelOf);
  const label = say("sweepOf", {
    label: `${run.name || run.identity} #${run.number}`,
    count: rows.length * columns.length,
  });
  return (
    <li className="thumb thumb-sweep">
      <button
        type="button"
        title={`${label}: ${Object.keys(asked.axes).join(", ")}`}
        aria-label={label}
        onClick={() => void showSweep(run)}
      >
        {pieces.slice(0, SHOWN).map(({ key, thumbnail }) => (
          <img
            key={key}
            src={thumbnail}
            alt=""
            loading="lazy"
            onError={({ currentTarget }) => currentTarget.remove()}
          />
        ))}
        <span className="thumb-sign">
          <Icon name="grid" />
          {rows.length * columns.length}
          <span>{run.status === "done" ? "" : say(`run_${run.status}`)}</span>
        </span>
      </button>
    </li>
  );
}

interface EndedRowProps {
  readonly run: Run;
  /** How many that ended alike before it are not shown. */
  readonly before: number;
}

export function EndedRow({ run, before }: EndedRowProps): ReactElement {
  const say = useSay();
  const when = useWhen();
  const [open, setOpen] = useState(false);
  const { word, why } = useEnding(run);
  const label = `${run.name || run.identity} #${run.number}`;
  return (
    <li className={`ended ended-${run.status}`}>
      <button type="button" className="ended-about" onClick={() => setOpen(true)}>
        <strong>
          <Icon name={run.status === "failed" ? "trouble" : "stop"} />
          {word}
        </strong>
        <small>
          {label}
          {run.ended === null ? "" : ` · ${when(run.ended)}`}
        </small>
        <span>{before ? `${why} ${say("moreBefore", { count: before })}` : why}</span>
      </button>
      <button
        type="button"
        className="plain"
        title={say("runOnceMore")}
        aria-label={`${say("runOnceMore")}: ${label}`}
        onClick={() => void runOnceMore(run.id)}
      >
        <Icon name="stale" />
      </button>
      {open && <RunDialog run={run} onClose={() => setOpen(false)} />}
    </li>
  );
}
