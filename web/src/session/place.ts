/** Which subgraph of which workflow is shown, kept over a reload of the page. */

import { documentOf, editor } from "../model/editor";
import { workspace } from "./workspace";

const KEY = "graphgen-place";

interface Place {
  readonly name: string | null;
  readonly path: readonly string[];
}

/** Where one was before the page was loaded again; null where it was opened anew, or one has been taken back there. */
let left: Place | null = null;

/** Keep which subgraph is shown, from now on. */
export function keepPlace(): void {
  const [entry] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
  const kept = sessionStorage.getItem(KEY);
  left = kept !== null && entry?.type !== "navigate" ? (JSON.parse(kept) as Place) : null;
  editor.subscribe(({ path }, before) => {
    if (path !== before.path) keep();
  });
  workspace.subscribe(({ name }, before) => {
    if (name !== before.name) keep();
  });
}

function keep(): void {
  const place: Place = { name: workspace.getState().name, path: editor.getState().path };
  sessionStorage.setItem(KEY, JSON.stringify(place));
}

/** Go back into the subgraph that was shown before a reload, as far as it is there; once, for the workflow opened first. */
export function returnToPlace(): void {
  const place = left;
  left = null;
  if (!place || place.name !== workspace.getState().name) return;
  for (const name of place.path) {
    if (!documentOf(editor.getState()).subgraphs?.[name]) return;
    editor.getState().enter(name);
  }
}
