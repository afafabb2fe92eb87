/** The page of the shortcuts of the view that is shown, made from the list of commands; what only the pointer does stands at its end. */

import type { ReactElement } from "react";

import { commandsHere, reaches } from "../commands";
import type { Command } from "../commands/command";
import { useSay } from "../i18n";
import { Dialog } from "../widgets/Dialog";
import { Keys } from "../widgets/Keys";

const GROUPS = ["file", "edit", "build", "view", "run"] as const;
const GESTURES = [
  "gestureDouble",
  "gestureDrop",
  "gestureSplice",
  "gestureReconnect",
  "gesturePoint",
  "gestureSelect",
  "gesturePan",
] as const;

interface ShortcutsProps {
  onClose(): void;
}

export function Shortcuts({ onClose }: ShortcutsProps): ReactElement {
  const say = useSay();
  const keyed = (group: Command["group"]) => commandsHere().filter((one) => one.group === group && one.keys?.length);
  return (
    <Dialog title={say("shortcuts")} className="shortcuts" onClose={onClose}>
      <div className="shortcuts-groups" tabIndex={0} role="group" aria-label={say("shortcuts")}>
        {GROUPS.filter((group) => keyed(group).length).map((group) => (
          <section key={group}>
            <h3>{say(`group_${group}`)}</h3>
            <dl>
              {keyed(group).map((command) => (
                <div key={command.id}>
                  <dt>{say(command.label)}</dt>
                  <dd>
                    {command.keys!.map((chord) => (
                      <Keys key={chord} chord={chord} />
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        {reaches().has("graph") && (
          <section>
            <h3>{say("group_pointer")}</h3>
            <ul>
              {GESTURES.map((gesture) => (
                <li key={gesture}>{say(gesture)}</li>
              ))}
            </ul>
          </section>
        )}
      </div>
    </Dialog>
  );
}
