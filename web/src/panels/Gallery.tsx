/** What was made: thumbnails of past runs; one is seen large, two are compared. */

import { type ReactElement, useEffect, useState } from "react";
import { useStore } from "zustand";

import { useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import type { Piece } from "../model/pieces";
import { gallery, loadGallery, loadMore } from "../session/gallery";
import { Compare } from "./Compare";
import { PieceDialog } from "./PieceDialog";

const TYPING = 300;

export function Gallery(): ReactElement {
  const say = useSay();
  const { pieces, find, mine, next, loading } = useStore(gallery);
  const opened = useWorkspace((state) => state.opened);
  const [typed, setTyped] = useState(find);
  const [shown, setShown] = useState<string | null>(null);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [comparing, setComparing] = useState(false);
  useEffect(() => void loadGallery(), [opened]);
  useEffect(() => {
    if (typed === gallery.getState().find) return;
    const timer = window.setTimeout(() => void loadGallery({ find: typed }), TYPING);
    return () => window.clearTimeout(timer);
  }, [typed]);
  const at = pieces.findIndex(({ key }) => key === shown);
  const pair = chosen.flatMap((key) => pieces.find((piece) => piece.key === key) ?? []);
  const choose = (key: string) =>
    setChosen(chosen.includes(key) ? chosen.filter((one) => one !== key) : [...chosen.slice(-1), key]);
  return (
    <section className="gallery" aria-label={say("history")}>
      <header className="panel-head">
        <h2>{say("history")}</h2>
        <button type="button" disabled={pair.length < 2} onClick={() => setComparing(true)}>
          {say("compare")}
        </button>
      </header>
      <input
        type="search"
        className="gallery-find"
        placeholder={say("findPictures")}
        aria-label={say("findPictures")}
        value={typed}
        onChange={({ target }) => setTyped(target.value)}
      />
      <label className="gallery-mine">
        <input type="checkbox" checked={mine} onChange={({ target }) => void loadGallery({ mine: target.checked })} />
        {say("onlyThisWorkflow")}
      </label>
      {!pieces.length && !loading && <p className="side-empty">{say(find ? "noPictureFound" : "noPictures")}</p>}
      <ul className="gallery-grid">
        {pieces.map((piece) => (
          <Thumbnail
            key={piece.key}
            piece={piece}
            chosen={chosen.includes(piece.key)}
            onChoose={() => choose(piece.key)}
            onShow={() => setShown(piece.key)}
          />
        ))}
      </ul>
      {next !== null && (
        <button type="button" disabled={loading} onClick={() => void loadMore()}>
          {say("showMore")}
        </button>
      )}
      {at >= 0 && (
        <PieceDialog
          piece={pieces[at]!}
          onClose={() => setShown(null)}
          onGo={(by) => setShown(pieces[(at + by + pieces.length) % pieces.length]!.key)}
        />
      )}
      {comparing && pair.length === 2 && (
        <Compare one={pair[0]!} other={pair[1]!} onClose={() => setComparing(false)} />
      )}
    </section>
  );
}

interface ThumbnailProps {
  readonly piece: Piece;
  readonly chosen: boolean;
  onChoose(): void;
  onShow(): void;
}

function Thumbnail({ piece, chosen, onChoose, onShow }: ThumbnailProps): ReactElement | null {
  const say = useSay();
  const [gone, setGone] = useState(false);
  if (gone) return null; // the cache has let it go, or the file was deleted
  const label = `${piece.title} #${piece.number}`;
  return (
    <li className={chosen ? "thumb thumb-chosen" : "thumb"}>
      <button type="button" onClick={onShow} title={label}>
        <img src={piece.thumbnail} alt={say("pictureOf", { label })} loading="lazy" onError={() => setGone(true)} />
      </button>
      <input type="checkbox" aria-label={say("chooseToCompare", { label })} checked={chosen} onChange={onChoose} />
    </li>
  );
}
