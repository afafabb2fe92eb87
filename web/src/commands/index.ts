/** All commands, and the one listener that carries them out by their keys. */

import { arrangeCommands } from "./arrange";
import { buildCommands } from "./build";
import { clipboardCommands } from "./clipboard";
import { chordOf, type Command, isOnCanvas, isTyping } from "./command";
import { editCommands } from "./edit";
import { fileCommands } from "./file";
import { runCommands } from "./run";
import { subgraphCommands } from "./subgraph";
import { viewCommands } from "./view";
import { walkCommands } from "./walk";

export const commands: readonly Command[] = [
  ...fileCommands,
  ...editCommands,
  ...clipboardCommands,
  ...buildCommands,
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

/** Tell whether a command can be carried out now. */
export function isEnabled(command: Command): boolean {
  return command.isEnabled?.() ?? true;
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

/** Listen for keys, from now on. Of several commands with one key, the first that can be carried out is. */
export function listenForKeys(): void {
  window.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const fitting = (byKey.get(chordOf(event)) ?? []).filter(
      (command) =>
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
