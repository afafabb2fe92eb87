import type { ReactElement } from "react";
import { useStore } from "zustand";

import { useSay } from "../i18n";
import { Icon } from "../widgets/icons";
import { dismiss, notices } from "../session/notices";

/** Show notices, and tell screen readers of them. */
export function Notices(): ReactElement {
  const list = useStore(notices, (state) => state.list);
  const say = useSay();
  return (
    <div className="notices" role="log" aria-live="polite">
      {list.map(({ id, level, key, values, action }) => (
        <p key={id} className={`notice notice-${level}`}>
          <span>{say(key, values)}</span>
          {action && (
            <button
              type="button"
              className="notice-action"
              onClick={() => {
                dismiss(id);
                action.run();
              }}
            >
              {say(action.key)}
            </button>
          )}
          <button type="button" className="plain" aria-label={say("close")} onClick={() => dismiss(id)}>
            <Icon name="close" />
          </button>
        </p>
      ))}
    </div>
  );
}
