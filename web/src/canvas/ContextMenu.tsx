/** The menu of what can be done to what was clicked: the commands that name it. */

import { type KeyboardEvent, type ReactElement, useEffect, useLayoutEffect, useRef, useState } from "react";

import { commands, isEnabled, perform } from "../commands";
import type { About, Command } from "../commands/command";
import { Keys } from "../widgets/Keys";
import { useSay } from "../i18n";
import type { Point } from "../model/document";
import { focusCanvas, stage } from "./stage";

interface ContextMenuProps {
  readonly at: Point;
  readonly about: About;
}

const ORDER = ["build", "edit", "view", "run", "file"] as const;

export function ContextMenu({ at, about }: ContextMenuProps): ReactElement {
  const say = useSay();
  const box = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState(at);
  const shown = ORDER.map((group) =>
    commands.filter((one) => one.group === group && one.menu?.includes(about) && isEnabled(one)),
  ).filter(({ length }) => length);

  useLayoutEffect(() => {
    const { width, height } = box.current!.getBoundingClientRect();
    setPlace({
      x: Math.max(4, Math.min(at.x, window.innerWidth - width - 4)),
      y: Math.max(4, Math.min(at.y, window.innerHeight - height - 4)),
    });
    box.current!.querySelector<HTMLElement>("[role^=menuitem]")?.focus();
  }, [at]);
  useEffect(() => {
    const onDown = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) stage.setState({ menu: null });
    };
    window.addEventListener("pointerdown", onDown, true);
    return () => window.removeEventListener("pointerdown", onDown, true);
  }, []);

  const close = () => {
    stage.setState({ menu: null });
    focusCanvas();
  };
  const take = (command: Command) => {
    close();
    perform(command);
  };
  const onKey = (event: KeyboardEvent) => {
    const items = [...box.current!.querySelectorAll<HTMLElement>("[role^=menuitem]")];
    const here = items.indexOf(document.activeElement as HTMLElement);
    const to = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: items.length - 1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") close();
    else if (to !== undefined) items.at(to % items.length)?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      ref={box}
      className="context-menu"
      role="menu"
      aria-label={say("menuAbout")}
      style={{ left: place.x, top: place.y }}
      onKeyDown={onKey}
      onContextMenu={(event) => event.preventDefault()}
    >
      {shown.map((group, index) => (
        <div key={index} role="group" className="context-menu-group">
          {group.map((command) => (
            <button
              key={command.id}
              type="button"
              role={command.isOn ? "menuitemcheckbox" : "menuitem"}
              aria-checked={command.isOn?.()}
              tabIndex={-1}
              onClick={() => take(command)}
            >
              <span className="context-menu-tick" aria-hidden="true">
                {command.isOn?.() ? "✓" : ""}
              </span>
              <span className="context-menu-label">{say(command.label)}</span>
              {command.keys?.[0] && <Keys chord={command.keys[0]} />}
            </button>
          ))}
        </div>
      ))}
    </div>
  );
}
