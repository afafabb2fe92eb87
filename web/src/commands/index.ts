/** All commands, and the one listener that carries them out by their keys. */

import { chordOf, type Command, isTyping } from "./command";
import { editCommands } from "./edit";
import { runCommands } from "./run";

export const commands: readonly Command[] = [...editCommands, ...runCommands];

const byKey = new Map(commands.flatMap((command) => (command.keys ?? []).map((chord) => [chord, command] as const)));

/** Carry a command out, if it can be now. */
export function perform(command: Command): void {
  if (command.isEnabled?.() ?? true) command.run();
}

/** Return a command by its id. */
export function commandNamed(id: string): Command {
  const found = commands.find((command) => command.id === id);
  if (!found) throw new Error(`there is no command ${id}`);
  return found;
}

/** Listen for keys, from now on. */
export function listenForKeys(): void {
  window.addEventListener("keydown", (event) => {
    const command = byKey.get(chordOf(event));
    if (!command || event.defaultPrevented || (isTyping(event.target) && !command.whileTyping)) return;
    event.preventDefault();
    perform(command);
  });
}
