/** What past runs gave: pictures, of which one is seen large and two are compared, sweeps, and runs that ended badly. */

import { type ReactElement, useEffect, useState } from "react";
import { useStore } from "zustand";

import { useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { foldCancelled } from "../model/pieces";
import { type Ending, ENDINGS, gallery, loadGallery, loadMore } from "../session/gallery";
import { Compare } from "./Compare";
import { EndedRow, SweepTile, Thumbnail } from "./GalleryEntry";
import { PieceDialog } from "./PieceDialog";
import { useChosenPair } from "./pair";

const TYPING = 300;

export function Gallery(): ReactElement {
  const say = useSay();
  const { entries, ending, find, next, loading } = useStore(gallery);
  const opened = useWorkspace((state) => state.opened);
  const [shown, setShown] = useState<string | null>(null);
  useEffect(() => void loadGallery(), [opened]);
  const pieces = entries.flatMap((entry) => (entry.kind === "picture" ? [entry.piece] : []));
  const pair = useChosenPair(pieces);
  const at = pieces.findIndex(({ key }) => key === shown);
  return (
    <section className="gallery" aria-label={say("history")}>
      <header className="panel-head">
        <h2>{say("history")}</h2>
        <button type="button" disabled={!pair.both} onClick={pair.compare}>
          {say("compare")}
        </button>
      </header>
      <Filters />
      {!entries.length && !loading && <p className="side-empty">{say(find ? "noPictureFound" : "noPictures")}</p>}
      <ul className="gallery-grid">
        {(ending === "all" ? foldCancelled(entries) : entries).map((entry) =>
          entry.kind === "picture" ? (
            <Thumbnail
              key={entry.key}
              piece={entry.piece}
              chosen={pair.isChosen(entry.key)}
              onChoose={() => pair.choose(entry.key)}
              onShow={() => setShown(entry.key)}
            />
          ) : entry.kind === "sweep" ? (
            <SweepTile key={entry.key} run={entry.run} pieces={entry.pieces} />
          ) : (
            <EndedRow key={entry.key} run={entry.run} before={entry.before ?? 0} />
          ),
        )}
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
      {pair.comparing && pair.both && <Compare one={pair.both[0]} other={pair.both[1]} onClose={pair.end} />}
    </section>
  );
}

/** What is looked for: words, how the runs ended, and whether they are of the open workflow. */
function Filters(): ReactElement {
  const say = useSay();
  const { find, ending, mine } = useStore(gallery);
  const [typed, setTyped] = useState(find);
  useEffect(() => {
    if (typed === gallery.getState().find) return;
    const timer = window.setTimeout(() => void loadGallery({ find: typed }), TYPING);
    return () => window.clearTimeout(timer);
  }, [typed]);
  return (
    <>
      <input
        type="search"
        className="gallery-find"
        placeholder={say("findPictures")}
        aria-label={say("findPictures")}
        value={typed}
        onChange={({ target }) => setTyped(target.value)}
      />
      <div className="gallery-filters">
        <select
          aria-label={say("howEnded")}
          value={ending}
          onChange={({ target }) => void loadGallery({ ending: target.value as Ending })}
        >
          {ENDINGS.map((one) => (
            <option key={one} value={one}>
              {say(`ended_${one}`)}
            </option>
          ))}
        </select>
        <label>
          <input type="checkbox" checked={mine} onChange={({ target }) => void loadGallery({ mine: target.checked })} />
          {say("onlyThisWorkflow")}
        </label>
      </div>
    </>
  );
}
