import { allRects, chosenNode } from "../canvas/chosen";
import { focusField } from "../canvas/stage";
import { freePlace, rounded } from "../model/arrange";
import { documentOf, editor, shownGraph } from "../model/editor";
import { paintable, paintOver } from "../model/masking";
import { freeName } from "../model/names";
import { studio } from "../session/studio";
import type { Command } from "./command";
import { show } from "./walk";

const GAP = 48;
/** About as large as the new card will be. */
const CARD = { width: 260, height: 160 };

/** The picture that the chosen node gives, as wires name it; null where it gives none. */
function chosenPicture(): string | null {
  const name = chosenNode();
  const state = editor.getState();
  const output = name && paintable(studio.getState().catalogue, documentOf(state), shownGraph(state), name);
  return output ? `${name}.${output}` : null;
}

function paintMask(): void {
  const picture = chosenPicture();
  if (picture === null) return;
  const state = editor.getState();
  const rects = allRects();
  const from = rects[chosenNode()!] ?? { x: 0, y: 0, width: 0, height: 0 };
  const at = freePlace(Object.values(rects), { x: from.x, y: from.y + from.height + GAP, ...CARD }, GAP);
  const name = freeName("painted", shownGraph(state).nodes);
  const { catalogue } = studio.getState();
  state.edit("paint", (graph) => paintOver(catalogue, documentOf(state), graph, picture, name, rounded(at)));
  state.select([name]);
  window.setTimeout(() => show(name)); // the canvas has it with the next drawing
  focusField(name);
}

export const paintCommands: readonly Command[] = [
  {
    id: "paintMask",
    label: "paintMaskOver",
    group: "build",
    menu: ["node"],
    isEnabled: () => chosenPicture() !== null,
    run: paintMask,
  },
];
