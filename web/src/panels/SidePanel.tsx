/** The panel at the side: one tab of several, which the person can close. On a narrow screen it lies over the graph. */

import { type ReactElement, useState } from "react";

import { useSay } from "../i18n";
import type { MessageKey } from "../i18n/en";
import { Icon, type IconName } from "../widgets/icons";
import { Gallery } from "./Gallery";
import { Inspector } from "./Inspector";
import { Outline } from "./Outline";
import { Parameters } from "./Parameters";
import { QueueBadge, QueuePanel } from "./QueuePanel";

interface Tab {
  readonly id: string;
  readonly label: MessageKey;
  readonly icon: IconName;
  readonly Content: () => ReactElement;
  /** A number on the tab, where there is one to tell. */
  readonly Badge?: () => ReactElement | null;
}

const TABS: readonly Tab[] = [
  { id: "inspector", label: "inspector", icon: "node", Content: Inspector },
  { id: "outline", label: "outline", icon: "outline", Content: Outline },
  { id: "parameters", label: "parameters", icon: "parameter", Content: Parameters },
  { id: "queue", label: "queue", icon: "queue", Content: QueuePanel, Badge: QueueBadge },
  { id: "history", label: "history", icon: "pictures", Content: Gallery },
];
const KEY = "graphgen-tab";
/** Below this width nothing is open at first: the graph comes before all that is about it. */
const NARROW = 720;

function initial(): string {
  return window.innerWidth < NARROW ? "" : (localStorage.getItem(KEY) ?? "inspector");
}

export function SidePanel(): ReactElement {
  const say = useSay();
  const [open, setOpen] = useState(initial);
  const choose = (id: string) => {
    const next = id === open ? "" : id;
    localStorage.setItem(KEY, next);
    setOpen(next);
  };
  const tab = TABS.find(({ id }) => id === open);
  return (
    <aside className={tab ? "side side-open" : "side"} aria-label={say("sidePanel")}>
      {tab && (
        <div className="side-content" id="side-content" role="tabpanel" aria-labelledby={`tab-${tab.id}`}>
          <tab.Content />
        </div>
      )}
      <div className="side-tabs" role="tablist" aria-orientation="vertical" aria-label={say("sidePanel")}>
        {TABS.map(({ id, label, icon, Badge }) => (
          <button
            key={id}
            type="button"
            role="tab"
            id={`tab-${id}`}
            aria-selected={id === open}
            {...(id === open ? { "aria-controls": "side-content" } : {})}
            onClick={() => choose(id)}
          >
            <Icon name={icon} />
            <span>{say(label)}</span>
            {Badge && <Badge />}
          </button>
        ))}
      </div>
    </aside>
  );
}
