import { chosenIds, chosenNodes, chosenWires } from "../canvas/chosen";
import { focusCanvas, stage } from "../canvas/stage";
import { documentOf, editor, shownGraph } from "../model/editor";
import { removeFrames, removeNodes } from "../model/edits";
import { passing, unwire } from "../model/wiring";
import { studio } from "../session/studio";
import type { Command } from "./command";

const isAnythingChosen = (): boolean => chosenIds().size > 0 || stage.getState().wires.size > 0;

/** Whether something on the canvas has the keyboard: a field or a button of a node, of a note or of a frame. */
function isInField(): boolean {
  const here = document.activeElement;
  return here?.closest(".react-flow__node") != null && here.closest("dialog, [role=dialog], [role=menu]") === null;
}

/** Take away what is chosen; with `heal`, wires are led past the nodes that go. */
export function removeChosen(heal: boolean): void {
  const state = editor.getState();
  const { catalogue } = studio.getState();
  const [names, ids, cut] = [chosenNodes(), chosenIds(), chosenWires()];
  const document = documentOf(state);
  state.edit(heal ? "heal" : "delete", (graph) =>
    removeFrames(removeNodes(unwire(graph, cut), names, heal ? passing(catalogue, document, graph) : undefined), ids),
  );
  state.select([]);
  stage.setState({ wires: new Set() });
}

export const editCommands: readonly Command[] = [
  {
    id: "undo",
    label: "undo",
    group: "edit",
    reach: "workflow",
    keys: ["Mod+z"],
    isEnabled: () => editor.getState().history.past.length > 0,
    run: () => editor.getState().undo(),
  },
  {
    id: "redo",
    label: "redo",
    group: "edit",
    reach: "workflow",
    keys: ["Mod+Shift+z", "Mod+y"],
    isEnabled: () => editor.getState().history.future.length > 0,
    run: () => editor.getState().redo(),
  },
  {
    id: "selectAll",
    label: "selectAll",
    group: "edit",
    keys: ["Mod+a"],
    menu: ["canvas"],
    run: () => {
      const graph = shownGraph(editor.getState());
      const frames = [...(graph.view?.groups ?? []), ...(graph.view?.notes ?? [])].map(({ id }) => id);
      editor.getState().select([...Object.keys(graph.nodes), ...frames]);
    },
  },
  {
    id: "leaveField",
    label: "leaveField",
    group: "view",
    keys: ["Escape"],
    whileTyping: true,
    onCanvas: true,
    isEnabled: isInField,
    run: focusCanvas,
  },
  {
    id: "selectNone",
    label: "selectNone",
    group: "edit",
    keys: ["Escape"],
    onCanvas: true,
    isEnabled: isAnythingChosen,
    run: () => {
      editor.getState().select([]);
      stage.setState({ wires: new Set() });
    },
  },
  {
    id: "delete",
    label: "deleteChosen",
    group: "edit",
    keys: ["Delete", "Backspace"],
    onCanvas: true,
    menu: ["node", "wire", "group", "note"],
    isEnabled: isAnythingChosen,
    run: () => removeChosen(false),
  },
  {
    id: "heal",
    label: "deleteAndHeal",
    group: "edit",
    keys: ["Mod+Delete", "Mod+Backspace"],
    onCanvas: true,
    menu: ["node"],
    isEnabled: () => chosenNodes().length > 0,
    run: () => removeChosen(true),
  },
];
