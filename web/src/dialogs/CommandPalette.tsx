/** Find what can be done by a few letters of its name, and do it. */

import { type ReactElement, useMemo, useState } from "react";

import { commandsHere, isEnabled, perform } from "../commands";
import type { Command } from "../commands/command";
import { useSay } from "../i18n";
import { Dialog } from "../widgets/Dialog";
import { Keys } from "../widgets/Keys";
import { SearchList } from "../widgets/SearchList";

interface CommandPaletteProps {
  onClose(): void;
}

export function CommandPalette({ onClose }: CommandPaletteProps): ReactElement {
  const say = useSay();
  const [text, setText] = useState("");
  const found = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const labelOf = (command: Command) => say(command.label).toLowerCase();
    const fitting = commandsHere().filter(
      (command) =>
        command.id !== "commands" && words.every((word) => labelOf(command).includes(word)) && isEnabled(command),
    );
    // those in which the words stand as they were typed come first
    const isPhrase = (command: Command) => Number(labelOf(command).includes(words.join(" ")));
    return fitting.sort((one, other) => isPhrase(other) - isPhrase(one));
  }, [text, say]);
  return (
    <Dialog title={say("allCommands")} className="command-palette" onClose={onClose}>
      <SearchList<Command>
        label={say("searchCommands")}
        listLabel={say("allCommands")}
        text={text}
        sections={[{ options: found }]}
        keyOf={({ id }) => id}
        show={({ label, keys }) => (
          <>
            <span>{say(label)}</span>
            {keys?.[0] && <Keys chord={keys[0]} />}
          </>
        )}
        onText={setText}
        onTake={(command) => {
          onClose();
          // the dialog gives the keyboard back first
          window.setTimeout(() => perform(command));
        }}
        onClose={onClose}
      />
    </Dialog>
  );
}
