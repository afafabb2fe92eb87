/** What the workflow gave before, as a strip under the result; one is seen large, and the next by a swipe. */

import { type ReactElement, useEffect, useState } from "react";
import { useStore } from "zustand";

import { useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { gallery, loadGallery, loadMore } from "../session/gallery";
import { PieceDialog } from "./PieceDialog";

export function AppHistory(): ReactElement | null {
  const say = useSay();
  const { entries, next, loading } = useStore(gallery);
  const opened = useWorkspace((state) => state.opened);
  const [shown, setShown] = useState<string | null>(null);
  useEffect(() => void loadGallery({ find: "", ending: "all", mine: true }), [opened]);
  const pieces = entries.flatMap((entry) =>
    entry.kind === "picture" ? [entry.piece] : entry.kind === "sweep" ? entry.pieces : [],
  );
  if (!pieces.length) return null;
  const at = pieces.findIndex(({ key }) => key === shown);
  return (
    <section className="app-history" aria-label={say("pastPictures")}>
      <h2>{say("pastPictures")}</h2>
      <ul>
        {pieces.map(({ key, thumbnail, title, number }) => (
          <li key={key}>
            <button type="button" onClick={() => setShown(key)}>
              <img src={thumbnail} alt={say("pictureOf", { label: `${title} #${number}` })} loading="lazy" />
            </button>
          </li>
        ))}
        {next !== null && (
          <li>
            <button type="button" disabled={loading} onClick={() => void loadMore()}>
              {say("showMore")}
            </button>
          </li>
        )}
      </ul>
      {pieces[at] && (
        <PieceDialog
          piece={pieces[at]}
          onClose={() => setShown(null)}
          onGo={(by) => setShown(pieces[Math.min(Math.max(at + by, 0), pieces.length - 1)]!.key)}
        />
      )}
    </section>
  );
}
