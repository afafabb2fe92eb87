/** What is said of changes that came from another tab, or from a draft that was left. */

import { notify } from "./notices";

/** Say what came from elsewhere, and what of it stands now where something of this tab's stood. */
export function tellTaken(taken: readonly string[], own: readonly string[]): void {
  const places = taken.slice(0, 5).join(", ");
  const lost = taken.filter((place) => own.includes(place) && place !== "view");
  if (lost.length) notify("warning", "mergedOver", { places, lost: lost.slice(0, 5).join(", ") });
  else notify("info", "merged", { places });
}

/** Say that both sides changed the same, and that this tab's stands. */
export function tellMerged(conflicts: readonly string[]): void {
  const places = conflicts.map(
    (place) => place.replace(/^nodes\./, "").replaceAll(/\.(settings|inputs)\./g, ".") || "…",
  );
  notify("warning", "mergedWithConflicts", { places: [...new Set(places)].slice(0, 5).join(", ") });
}
