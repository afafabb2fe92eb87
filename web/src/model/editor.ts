/**
 * The state of one editor: the document with its history, which graph of it is shown, and what is selected.
 *
 * A store without React; components read it through `useEditor` (src/canvas/hooks.ts). Documents change through `edit`
 * alone, so that everything can be undone.
 */

import { createStore } from "zustand/vanilla";

import { type Document, EMPTY, type Graph, graphOf, type Scope, SUBGRAPH, withGraph } from "./document";
import { settle } from "./subgraphs";
import { begin, type History, rebase, record, redo, undo } from "./history";

export interface EditorState {
  readonly history: History;
  /** The way into subgraphs: the last is the one shown. */
  readonly path: readonly string[];
  /** What was chosen as each of them was entered, so that it is chosen again when one comes back. */
  readonly through: readonly string[];
  readonly selected: ReadonlySet<string>;

  /** Do something to the shown graph; `merge` joins it with the same thing done just before. */
  edit(label: string, change: (graph: Graph) => Graph, merge?: string): void;
  /** Do something to the whole document. */
  editDocument(label: string, change: (document: Document) => Document, merge?: string): void;
  undo(): void;
  redo(): void;
  /** Take another document, with no history. */
  open(document: Document): void;
  /** Take in what another tab saved: `change` brings it into the present and the past alike. */
  takeIn(change: (document: Document) => Document): void;
  enter(subgraph: string): void;
  leave(depth: number): void;
  select(names: Iterable<string>): void;
}

export const editor = createStore<EditorState>()((set, get) => ({
  history: begin(EMPTY),
  path: [],
  through: [],
  selected: new Set(),

  edit(label, change, merge) {
    const scope = scopeOf(get());
    get().editDocument(label, (document) => withGraph(document, scope, change(graphOf(document, scope))), merge);
  },
  editDocument(label, change, merge) {
    const { history } = get();
    const changed = settle(history.present, change(history.present));
    const next = record(history, changed, label, merge ?? null, Date.now());
    if (next !== history) set({ history: next });
  },
  undo: () => set(({ history, path }) => inside(undo(history), path)),
  redo: () => set(({ history, path }) => inside(redo(history), path)),
  open: (document) => set({ history: begin(document), path: [], through: [], selected: new Set() }),
  takeIn: (change) => set(({ history, path }) => inside(rebase(history, change), path)),
  enter: (subgraph) =>
    set(({ path, through, selected }) => ({
      path: [...path, subgraph],
      through: [...through.slice(0, path.length), [...selected][0] ?? ""],
      selected: new Set(),
    })),
  leave(depth) {
    const { path, history, through } = get();
    const left = path[depth];
    const up = path.slice(0, depth);
    const { nodes } = graphOf(history.present, up.at(-1) ?? null);
    const users = Object.keys(nodes).filter((name) => left !== undefined && nodes[name]!.type === SUBGRAPH + left);
    const node = users.find((name) => name === through[depth]) ?? users[0];
    set({ path: up, through: through.slice(0, depth), selected: new Set(node === undefined ? [] : [node]) });
  },
  select: (names) => set({ selected: new Set(names) }),
}));

/** Return the document as it stands. */
export function documentOf(state: EditorState): Document {
  return state.history.present;
}

/** Return which graph is shown. */
export function scopeOf(state: EditorState): Scope {
  return state.path.at(-1) ?? null;
}

/** Return the graph that is shown. */
export function shownGraph(state: EditorState): Graph {
  return graphOf(documentOf(state), scopeOf(state));
}

/** Stay where one is after undoing, unless that subgraph is gone. */
function inside(history: History, path: readonly string[]): Pick<EditorState, "history" | "path"> {
  const gone = path.findIndex((name) => !history.present.subgraphs?.[name]);
  return { history, path: gone < 0 ? path : path.slice(0, gone) };
}
