/** What past runs gave, page by page, the latest first. */

import { createStore } from "zustand/vanilla";

import { listRuns, type Run, runAgain } from "../api/client";
import { wordsOf } from "../api/socket";
import { type Document, type Json } from "../model/document";
import { documentOf, editor } from "../model/editor";
import { fields } from "../model/parameters";
import { entriesOf, type Entry } from "../model/pieces";
import { hear } from "./events";
import { notify } from "./notices";
import { follow } from "./running";
import { studio } from "./studio";
import { withValues } from "./values";
import { workspace } from "./workspace";

/** How the runs ended that are shown; `all` has the sweeps that are at work too. */
export type Ending = "all" | "done" | "failed" | "cancelled";
export const ENDINGS: readonly Ending[] = ["all", "done", "failed", "cancelled"];

export interface GalleryState {
  readonly entries: readonly Entry<Run>[];
  readonly find: string;
  readonly ending: Ending;
  /** Whether only the open workflow's are shown. */
  readonly mine: boolean;
  /** Where the next page begins; null where there is none. */
  readonly next: string | null;
  readonly loading: boolean;
}

const EMPTY: GalleryState = { entries: [], find: "", ending: "all", mine: true, next: null, loading: false };
export const gallery = createStore<GalleryState>()(() => EMPTY);

const PAGE = "40";
/** How many entries a page has at least, if there are as many: runs need not give any. */
const ENOUGH = 12;
let asked = 0;
/** Whether anybody has looked since the workflow was opened. */
let isWanted = false;

/** Show the first page, of what is wanted. */
export async function loadGallery(wanted: Partial<Pick<GalleryState, "find" | "ending" | "mine">> = {}): Promise<void> {
  isWanted = true;
  gallery.setState(wanted);
  await load(true);
}

/** Show the next page too. */
export const loadMore = (): Promise<void> => load(false);

async function load(fresh: boolean): Promise<void> {
  const number = (asked += 1);
  gallery.setState({ loading: true });
  try {
    const { find, ending, mine } = gallery.getState();
    const { name } = workspace.getState();
    let before = fresh ? null : gallery.getState().next;
    const found: Entry<Run>[] = [];
    do {
      const page = await listRuns({
        limit: PAGE,
        ...(ending === "all" ? {} : { status: ending }),
        ...(before === null ? {} : { before }),
        ...(find ? { find } : {}),
        ...(mine && name !== null ? { identity: name } : {}),
      });
      found.push(...page.runs.flatMap((run) => entriesOf(run)));
      before = page.next === null ? null : String(page.next);
    } while (before !== null && found.length < ENOUGH);
    if (number !== asked) return;
    const more = ({ entries }: GalleryState) => (fresh ? found : [...entries, ...found]);
    gallery.setState((state) => ({ entries: more(state), next: before, loading: false }));
  } catch (error) {
    if (number === asked) gallery.setState({ loading: false });
    notify("error", "failed", { why: wordsOf(error) });
  }
}

/** Give the open workflow's parameters the values that a picture was made with. */
export function takeRecipe(recipe: Document): void {
  const { catalogue } = studio.getState();
  const values = Object.fromEntries(
    fields(catalogue, recipe, recipe).map(({ name, value, schema }) => [name, value ?? schema.default]),
  );
  const known = Object.entries(values).filter((one): one is [string, Json] => one[1] !== undefined);
  editor.getState().editDocument("values", (one) => withValues(one, Object.fromEntries(known)));
}

/** Run what made a picture once more. */
export async function runOnceMore(id: string): Promise<void> {
  try {
    const run = await runAgain(id);
    if (run.identity === workspace.getState().name && documentOf(editor.getState())) await follow(run);
    notify("info", "inLineAgain", { number: run.number });
  } catch (error) {
    notify("error", "failed", { why: wordsOf(error) });
  }
}

const NEWS = new Set(["run_finished", "run_refused", "sweep_started"]);

hear((events) => {
  if (isWanted && events.some(({ event }) => NEWS.has(event))) void load(true);
});

workspace.subscribe(({ opened }, before) => {
  if (opened === before.opened) return;
  isWanted = false;
  gallery.setState(({ mine, ending }) => ({ ...EMPTY, mine, ending }));
});
