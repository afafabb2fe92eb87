import { useSyncExternalStore } from "react";

/** As wide as a page may be to be laid out for a phone; styles/app.css draws the same line. */
const NARROW = window.matchMedia("(max-width: 760px)");

function listen(onChange: () => void): () => void {
  NARROW.addEventListener("change", onChange);
  return () => NARROW.removeEventListener("change", onChange);
}

/** Tell whether the page is as narrow as on a phone, and hear when that changes. */
export const useNarrow = (): boolean => useSyncExternalStore(listen, () => NARROW.matches);
