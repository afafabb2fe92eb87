import { startRun, stopRun } from "../session/running";
import { studio } from "../session/studio";
import type { Command } from "./command";

const isBusy = (): boolean => ["queued", "running"].includes(studio.getState().run?.status ?? "");

export const runCommands: readonly Command[] = [
  {
    id: "run",
    label: "run",
    group: "run",
    keys: ["Mod+Enter"],
    whileTyping: true,
    run: () => void startRun(),
  },
  {
    id: "stop",
    label: "stop",
    group: "run",
    keys: ["Mod+Alt+Enter"],
    whileTyping: true,
    isEnabled: isBusy,
    run: () => void stopRun(),
  },
];
