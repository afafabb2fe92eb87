import { editor } from "../model/editor";
import type { Command } from "./command";

export const editCommands: readonly Command[] = [
  {
    id: "undo",
    label: "undo",
    group: "edit",
    keys: ["Mod+z"],
    isEnabled: () => editor.getState().history.past.length > 0,
    run: () => editor.getState().undo(),
  },
  {
    id: "redo",
    label: "redo",
    group: "edit",
    keys: ["Mod+Shift+z", "Mod+y"],
    isEnabled: () => editor.getState().history.future.length > 0,
    run: () => editor.getState().redo(),
  },
];
