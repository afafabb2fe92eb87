/** Find what can be done by a few letters of its name, and do it. */

import { type ReactElement, useEffect, useId, useMemo, useRef, useState } from "react";

import { commandsHere, isEnabled, perform } from "../commands";
import type { Command } from "../commands/command";
import { useSay } from "../i18n";
import { Dialog } from "../widgets/Dialog";
import { Keys } from "../widgets/Keys";
import { useListKeys } from "./useListKeys";

interface CommandPaletteProps {
  onClose(): void;
}

export function CommandPalette({ onClose }: CommandPaletteProps): ReactElement {
  const say = useSay();
  const list = useId();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
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
  const take = (command: Command) => {
    onClose();
    // the dialog gives the keyboard back first
    window.setTimeout(() => perform(command));
  };
  const { at, setAt, chosen, onKeyDown } = useListKeys(found, take, onClose);
  return (
    <Dialog title={say("allCommands")} className="command-palette" onClose={onClose}>
      <input
        ref={field}
        type="search"
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={found[at] ? `${list}-${at}` : undefined}
        aria-label={say("searchCommands")}
        placeholder={say("searchCommands")}
        value={text}
        onChange={({ target }) => {
          setText(target.value);
          setAt(0);
        }}
        onKeyDown={onKeyDown}
      />
      <ul id={list} role="listbox" aria-label={say("allCommands")}>
        {found.map((command, index) => (
          <li
            key={command.id}
            id={`${list}-${index}`}
            ref={index === at ? chosen : null}
            role="option"
            aria-selected={index === at}
            onClick={() => take(command)}
          >
            <span>{say(command.label)}</span>
            {command.keys?.[0] && <Keys chord={command.keys[0]} />}
          </li>
        ))}
      </ul>
      {!found.length && <p role="status">{say("nothingFound", { text })}</p>}
    </Dialog>
  );
}
