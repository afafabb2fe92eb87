import { copyChosen, duplicateChosen, pasteCopied } from "../canvas/clipboard";
import { chosenIds } from "../canvas/chosen";
import type { Command } from "./command";
import { removeChosen } from "./edit";

const isAnythingChosen = (): boolean => chosenIds().size > 0;

export const clipboardCommands: readonly Command[] = [
  {
    id: "cut",
    label: "cut",
    group: "edit",
    keys: ["Mod+x"],
    native: true,
    menu: ["node", "group", "note"],
    isEnabled: isAnythingChosen,
    run: () => {
      copyChosen();
      removeChosen(false);
    },
  },
  {
    id: "copy",
    label: "copy",
    group: "edit",
    keys: ["Mod+c"],
    native: true,
    menu: ["node", "group", "note"],
    isEnabled: isAnythingChosen,
    run: copyChosen,
  },
  {
    id: "paste",
    label: "paste",
    group: "edit",
    keys: ["Mod+v"],
    native: true,
    menu: ["canvas"],
    run: () => void pasteCopied(false),
  },
  {
    id: "pasteWired",
    label: "pasteWired",
    group: "edit",
    keys: ["Mod+Shift+v"],
    native: true,
    menu: ["canvas"],
    run: () => void pasteCopied(true),
  },
  {
    id: "duplicate",
    label: "duplicate",
    group: "edit",
    keys: ["Mod+d"],
    menu: ["node", "group", "note"],
    isEnabled: isAnythingChosen,
    run: duplicateChosen,
  },
];
