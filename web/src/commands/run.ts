import { documentOf, editor, scopeOf } from "../model/editor";
import { isOpen } from "../model/runs";
import { runNames } from "../model/targets";
import { toggleLive } from "../session/live";
import { notify } from "../session/notices";
import { startRun, stopRun } from "../session/running";
import { openSweep } from "../session/sweeping";
import { studio } from "../session/studio";
import type { Command } from "./command";

function chosen(): string[] {
  const state = editor.getState();
  return [...runNames(documentOf(state), scopeOf(state), state.selected)];
}

function runChosen(again: boolean): void {
  const targets = chosen();
  if (!targets.length) notify("warning", "nothingToRun");
  else void startRun(again ? { targets, force: targets } : { targets });
}

const isChosen = (): boolean => editor.getState().selected.size > 0;

export const runCommands: readonly Command[] = [
  {
    id: "run",
    label: "run",
    group: "run",
    reach: "workflow",
    keys: ["Mod+Enter"],
    whileTyping: true,
    run: () => void startRun(),
  },
  {
    id: "runHere",
    label: "runHere",
    group: "run",
    keys: ["Alt+Enter"],
    menu: ["node"],
    isEnabled: isChosen,
    run: () => runChosen(false),
  },
  {
    id: "runAgainHere",
    label: "runAgainHere",
    group: "run",
    keys: ["Alt+Shift+Enter"],
    menu: ["node"],
    isEnabled: isChosen,
    run: () => runChosen(true),
  },
  {
    id: "runFront",
    label: "runFront",
    group: "run",
    reach: "workflow",
    keys: ["Mod+Shift+Enter"],
    whileTyping: true,
    run: () => void startRun({}, true),
  },
  {
    id: "runAllAgain",
    label: "runAllAgain",
    group: "run",
    reach: "workflow",
    run: () => void startRun({ force: "all" }),
  },
  {
    id: "live",
    label: "liveMode",
    group: "run",
    reach: "workflow",
    isOn: () => studio.getState().live,
    run: toggleLive,
  },
  { id: "sweep", label: "sweep", group: "run", reach: "workflow", keys: ["Alt+s"], run: openSweep },
  {
    id: "stop",
    label: "stop",
    group: "run",
    reach: "workflow",
    keys: ["Mod+Alt+Enter"],
    whileTyping: true,
    isEnabled: () => isOpen(studio.getState().run) && studio.getState().run?.id !== studio.getState().stopping,
    run: () => void stopRun(),
  },
];
