import { chosenIds } from "../canvas/chosen";
import { focusCanvas, glide, stage, toggleMinimap } from "../canvas/stage";
import { FIT } from "../canvas/useScopeView";
import type { Command } from "./command";

const REGIONS = [".top-bar", ".canvas, .library, .app, .broken", ".side"] as const;

/** Put the keyboard into the next part of the page: the bar, the canvas or what is in its place, the panel. */
function nextRegion(): void {
  const here = REGIONS.findIndex((region) => document.activeElement?.closest(region));
  for (let step = 1; step <= REGIONS.length; step += 1) {
    const region = document.querySelector<HTMLElement>(REGIONS[(here + step) % REGIONS.length]!);
    const target = region?.matches(".canvas")
      ? region
      : region?.querySelector<HTMLElement>("a, button, input, textarea, select");
    if (!target) continue;
    target.focus();
    return;
  }
}

export const viewCommands: readonly Command[] = [
  {
    id: "fit",
    label: "fitView",
    group: "view",
    keys: ["."],
    onCanvas: true,
    menu: ["canvas"],
    run: () => void stage.getState().flow?.fitView({ ...FIT, ...glide() }),
  },
  {
    id: "fitChosen",
    label: "fitChosen",
    group: "view",
    keys: ["f"],
    onCanvas: true,
    menu: ["node", "group"],
    isEnabled: () => chosenIds().size > 0,
    run: () =>
      void stage
        .getState()
        .flow?.fitView({ ...FIT, ...glide(), padding: 0.2, nodes: [...chosenIds()].map((id) => ({ id })) }),
  },
  {
    id: "zoomIn",
    label: "zoomIn",
    group: "view",
    keys: ["Plus", "="],
    onCanvas: true,
    run: () => void stage.getState().flow?.zoomIn(),
  },
  {
    id: "zoomOut",
    label: "zoomOut",
    group: "view",
    keys: ["-"],
    onCanvas: true,
    run: () => void stage.getState().flow?.zoomOut(),
  },
  {
    id: "zoomReset",
    label: "zoomReset",
    group: "view",
    keys: ["0"],
    onCanvas: true,
    run: () => void stage.getState().flow?.zoomTo(1, glide()),
  },
  {
    id: "minimap",
    label: "minimap",
    group: "view",
    keys: ["Alt+Shift+m"],
    menu: ["canvas"],
    isOn: () => stage.getState().minimap,
    run: toggleMinimap,
  },
  {
    id: "nextRegion",
    label: "nextRegion",
    group: "view",
    reach: "page",
    keys: ["F6"],
    whileTyping: true,
    run: nextRegion,
  },
  { id: "focusCanvas", label: "focusCanvas", group: "view", keys: ["Alt+g"], whileTyping: true, run: focusCanvas },
  {
    id: "commands",
    label: "allCommands",
    group: "view",
    reach: "page",
    keys: ["Mod+k", "Mod+Shift+p"],
    whileTyping: true,
    run: () => stage.setState({ dialog: "commands" }),
  },
  {
    id: "shortcuts",
    label: "shortcuts",
    group: "view",
    reach: "page",
    keys: ["?", "F1"],
    menu: ["canvas"],
    run: () => stage.setState({ dialog: "shortcuts" }),
  },
];
