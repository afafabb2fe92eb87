/** All commands, and the one listener that carries them out by their keys. */

import { routeOf } from "../session/route";
import { workspace } from "../session/workspace";
import { arrangeCommands } from "./arrange";
import { buildCommands } from "./build";
import { clipboardCommands } from "./clipboard";
import { chordOf, type Command, isOnCanvas, isTyping, type Reach } from "./command";
import { editCommands } from "./edit";
import { fileCommands } from "./file";
import { paintCommands } from "./paint";
import { runCommands } from "./run";
import { subgraphCommands } from "./subgraph";
import { viewCommands } from "./view";
import { walkCommands } from "./walk";

export const commands: readonly Command[] = [
  ...fileCommands,
  ...editCommands,
  ...clipboardCommands,
  ...buildCommands,
  ...paintCommands,
  ...subgraphCommands,
  ...arrangeCommands,
  ...viewCommands,
  ...walkCommands,
  ...runCommands,
];

const byKey = new Map<string, Command[]>();
for (const command of commands) {
  for (const chord of command.keys ?? []) byKey.set(chord, [...(byKey.get(chord) ?? []), command]);
}

/** Return what can be reached in the view that is shown. */
export function reaches(): ReadonlySet<Reach> {
  const { view } = routeOf(location.hash);
  if (view === "library" || workspace.getState().name === null) return new Set(["page"]);
  return new Set(view === "app" ? ["page", "workflow"] : ["page", "workflow", "graph"]);
}

/** Return the commands that mean something in the view that is shown, whether they can be carried out or not. */
export function commandsHere(): readonly Command[] {
  const here = reaches();
  return commands.filter(({ reach }) => here.has(reach ?? "graph"));
}

/** Tell whether a command can be carried out now. */
export function isEnabled(command: Command): boolean {
  return reaches().has(command.reach ?? "graph") && (command.isEnabled?.() ?? true);
}

/** Carry a command out, if it can be now. */
export function perform(command: Command): void {
  if (isEnabled(command)) command.run();
}

/** Return a command by its id. */
export function commandNamed(id: string): Command {
  const found = commands.find((command) => command.id === id);
  if (!found) throw new Error(`there is no command ${id}`);
  return found;
}

/**
 * Listen for keys, from now on. Of several commands with one key, the first that can be carried out is; those that mean
 * nothing in the view that is shown leave their keys to the browser.
 */
export function listenForKeys(): void {
  window.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const here = reaches();
    const fitting = (byKey.get(chordOf(event)) ?? []).filter(
      (command) =>
        here.has(command.reach ?? "graph") &&
        !command.native &&
        (command.whileTyping || !isTyping(event.target)) &&
        (!command.onCanvas || isOnCanvas(event.target)),
    );
    if (!fitting.length) return;
    const command = fitting.find(isEnabled);
    if (!command && fitting.every(({ onCanvas }) => onCanvas)) return;
    event.preventDefault();
    if (command) perform(command);
  });
}
