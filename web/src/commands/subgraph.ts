import { chosenIds, chosenNode, chosenNodes } from "../canvas/chosen";
import { focusCanvas, focusField, stage } from "../canvas/stage";
import { subgraphName } from "../model/document";
import { makeSubgraph } from "../model/collapse";
import { documentOf, editor, scopeOf, shownGraph } from "../model/editor";
import { unpack } from "../model/unpack";
import { notify } from "../session/notices";
import { studio } from "../session/studio";
import type { Command } from "./command";

/** The subgraph that the chosen node stands for, if it does. */
function chosenSubgraph(): string | null {
  const name = chosenNode();
  const state = editor.getState();
  const type = name === null ? null : subgraphName(shownGraph(state).nodes[name]!.type);
  return type !== null && documentOf(state).subgraphs?.[type] ? type : null;
}

/** Show the graph of the chosen node's subgraph; of what else is chosen, put the keyboard into its first field. */
export function enterChosen(): void {
  const subgraph = chosenSubgraph();
  const [only] = chosenIds();
  if (subgraph !== null) editor.getState().enter(subgraph);
  else if (only !== undefined) focusField(only);
}

const isOneChosen = (): boolean => chosenIds().size === 1;

function makeOne(): void {
  const state = editor.getState();
  const made = makeSubgraph(studio.getState().catalogue, documentOf(state), scopeOf(state), chosenIds(), "subgraph");
  if (!made.ok) {
    notify("warning", made.reason);
    return;
  }
  state.editDocument("subgraph", () => made.document);
  state.select([made.node]);
}

function unpackChosen(): void {
  const state = editor.getState();
  const name = chosenNode();
  if (name === null) return;
  const unpacked = unpack(documentOf(state), scopeOf(state), name);
  if (!unpacked.ok) {
    notify("warning", unpacked.reason);
    return;
  }
  state.editDocument("unpack", () => unpacked.document);
  state.select(unpacked.names);
}

export const subgraphCommands: readonly Command[] = [
  {
    id: "subgraph",
    label: "makeSubgraph",
    group: "build",
    keys: ["Mod+Shift+e"],
    menu: ["node"],
    isEnabled: () => chosenNodes().length > 0,
    run: makeOne,
  },
  {
    id: "enter",
    label: "enterNode",
    group: "view",
    keys: ["Enter", "Mod+ArrowDown"],
    onCanvas: true,
    isEnabled: () => isOneChosen() && document.activeElement?.closest("button") == null,
    menu: ["node", "group", "note"],
    run: enterChosen,
  },
  {
    id: "leave",
    label: "leaveSubgraph",
    group: "view",
    keys: ["Mod+ArrowUp"],
    menu: ["canvas"],
    isEnabled: () => editor.getState().path.length > 0,
    run: () => {
      const { path, leave } = editor.getState();
      leave(path.length - 1);
      focusCanvas();
    },
  },
  {
    id: "unpack",
    label: "unpackSubgraph",
    group: "build",
    keys: ["Mod+Shift+g"],
    menu: ["node"],
    isEnabled: () => chosenSubgraph() !== null,
    run: unpackChosen,
  },
  {
    id: "face",
    label: "editFace",
    group: "build",
    menu: ["end", "canvas"],
    isEnabled: () => editor.getState().path.length > 0,
    run: () => stage.setState({ dialog: "face" }),
  },
  {
    id: "subgraphs",
    label: "allSubgraphs",
    group: "view",
    menu: ["canvas"],
    isEnabled: () => Object.keys(documentOf(editor.getState()).subgraphs ?? {}).length > 0,
    run: () => stage.setState({ dialog: "subgraphs" }),
  },
];
