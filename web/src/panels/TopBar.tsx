import type { ReactElement } from "react";

import { useEditor, useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import type { Route } from "../session/route";
import { commandNamed, perform } from "../commands";

/** The bar above everything: where one is, whether it is saved, and what can be done at once. */
export function TopBar({ route }: { readonly route: Route }): ReactElement {
  const say = useSay();
  const { name, saving, trouble } = useWorkspace((state) => state);
  const connected = useStudio((state) => state.connected);
  const status = useStudio((state) => state.run?.status);
  const canUndo = useEditor((state) => state.history.past.length > 0);
  const canRedo = useEditor((state) => state.history.future.length > 0);
  const busy = status === "queued" || status === "running";
  return (
    <header className="top-bar">
      <a href="#/" className="brand">
        graphgen
      </a>
      {route.view !== "library" && (
        <>
          <strong className="top-name">{name}</strong>
          <span className={`top-saving saving-${saving}`} role="status">
            {saving === "failed" ? say("saveFailed", { why: trouble }) : say(saving)}
          </span>
          <span className="top-gap" />
          <button type="button" disabled={!canUndo} onClick={() => perform(commandNamed("undo"))}>
            {say("undo")}
          </button>
          <button type="button" disabled={!canRedo} onClick={() => perform(commandNamed("redo"))}>
            {say("redo")}
          </button>
          {busy && (
            <button type="button" onClick={() => perform(commandNamed("stop"))}>
              {say("stop")}
            </button>
          )}
          <button type="button" className="primary" onClick={() => perform(commandNamed("run"))}>
            {say("run")}
          </button>
        </>
      )}
      {!connected && (
        <span className="top-lost" role="alert">
          {say("disconnected")}
        </span>
      )}
    </header>
  );
}
