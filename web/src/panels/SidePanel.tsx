/** The panel at the side: one tab of several, which the person can close. */

import { type ReactElement, useState } from "react";

import { useSay } from "../i18n";
import type { MessageKey } from "../i18n/en";
import { Inspector } from "./Inspector";
import { Parameters } from "./Parameters";

interface Tab {
  readonly id: string;
  readonly label: MessageKey;
  readonly Content: () => ReactElement;
}

const TABS: readonly Tab[] = [
  { id: "inspector", label: "inspector", Content: Inspector },
  { id: "parameters", label: "parameters", Content: Parameters },
];
const KEY = "graphgen-tab";

export function SidePanel(): ReactElement {
  const say = useSay();
  const [open, setOpen] = useState<string | null>(() => localStorage.getItem(KEY) ?? "inspector");
  const choose = (id: string) => {
    const next = id === open ? null : id;
    localStorage.setItem(KEY, next ?? "");
    setOpen(next);
  };
  const tab = TABS.find(({ id }) => id === open);
  return (
    <aside className={tab ? "side side-open" : "side"}>
      <div className="side-tabs" role="tablist" aria-orientation="vertical">
        {TABS.map(({ id, label }) => (
          <button
            key={id}
            type="button"
            role="tab"
            id={`tab-${id}`}
            aria-selected={id === open}
            aria-controls={id === open ? "side-content" : undefined}
            onClick={() => choose(id)}
          >
            {say(label)}
          </button>
        ))}
      </div>
      {tab && (
        <div className="side-content" id="side-content" role="tabpanel" aria-labelledby={`tab-${tab.id}`}>
          <tab.Content />
        </div>
      )}
    </aside>
  );
}
