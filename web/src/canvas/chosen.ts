/** What is chosen on the canvas, and where everything lies. */

import type { Rect } from "../model/arrange";
import { liesIn } from "../model/arrange";
import { type Names, type Wire, wireKey } from "../model/document";
import { editor, shownGraph } from "../model/editor";
import { shownWires } from "../model/wiring";
import { boxOf } from "./flow";
import { stage } from "./stage";

/** Return the names of the chosen nodes. */
export function chosenNodes(): readonly string[] {
  const state = editor.getState();
  const { nodes } = shownGraph(state);
  return [...state.selected].filter((name) => name in nodes);
}

/** Return the one chosen node, or null where there is none or several. */
export function chosenNode(): string | null {
  const names = chosenNodes();
  return names.length === 1 ? names[0]! : null;
}

/** Return the ids of all that is chosen but wires: nodes, groups, notes, ends. */
export function chosenIds(): ReadonlySet<string> {
  return editor.getState().selected;
}

/** Return the chosen wires. */
export function chosenWires(): readonly Wire[] {
  const { wires } = stage.getState();
  return wires.size ? shownWires(shownGraph(editor.getState())).filter((wire) => wires.has(wireKey(wire))) : [];
}

/** Choose wires alone. */
export function chooseWires(keys: Iterable<string>): void {
  editor.getState().select([]);
  stage.setState({ wires: new Set(keys) });
}

/** Return where everything on the canvas lies, by ids. */
export function allRects(): Record<string, Rect> {
  const nodes = stage.getState().flow?.getNodes() ?? [];
  return Object.fromEntries(nodes.map((node) => [node.id, boxOf(node)]));
}

/** Return where some of it lies. */
export function rectsOf(ids: Iterable<string>): Record<string, Rect> {
  const all = allRects();
  return Object.fromEntries([...ids].flatMap((id) => (all[id] ? [[id, all[id]]] : [])));
}

/** Return ids with those of all that lies in the groups among them. */
export function withMembers(ids: Iterable<string>): Set<string> {
  const found = new Set(ids);
  const groups = new Set(shownGraph(editor.getState()).view?.groups?.map(({ id }) => id));
  const rects: Names<Rect> = allRects();
  for (const id of [...found].filter((one) => groups.has(one))) {
    for (const [other, rect] of Object.entries(rects)) {
      if (other !== id && rects[id] && liesIn(rect, rects[id]) && rect.width < rects[id].width) found.add(other);
    }
  }
  return found;
}
