/** The bar above everything: where one is, whether it is saved, and what can be done at once. */

import { type ReactElement, useState } from "react";

import { useDocument, useEditor, useStudio, useWorkspace } from "../canvas/hooks";
import { commandNamed, perform } from "../commands";
import { useSay } from "../i18n";
import { editor } from "../model/editor";
import { hashOf, type Route } from "../session/route";
import { Icon, type IconName } from "../widgets/icons";
import { MainMenu } from "./MainMenu";
import { RunActions } from "./RunActions";

export function TopBar({ route }: { readonly route: Route }): ReactElement {
  const say = useSay();
  const connected = useStudio((state) => state.connected);
  const name = useWorkspace((state) => state.name);
  const shown = route.view !== "library" && name !== null;
  const unsaved = useWorkspace((state) => state.saving === "offline"); // the sign beside the title says it then
  return (
    <header className={route.view === "app" ? "top-bar top-bar-app" : "top-bar"}>
      <MainMenu />
      <a href="#/" className="brand" title={say("allWorkflows")}>
        graphgen
      </a>
      {shown && (
        <>
          <TitleField />
          <SavingSign />
        </>
      )}
      {!connected && !(shown && unsaved) && (
        <span className="top-lost" role="alert">
          <Icon name="trouble" />
          <span>{say("disconnected")}</span>
        </span>
      )}
      <span className="top-gap" />
      {shown && (
        <>
          <ViewSwitch view={route.view} name={name} />
          <Actions />
        </>
      )}
    </header>
  );
}

/** The workflow's title, edited where it stands. */
function TitleField(): ReactElement {
  const say = useSay();
  const title = useDocument().name ?? "";
  const file = useWorkspace((state) => state.name) ?? "";
  const isShared = useStudio(({ workflows }) => workflows.some((one) => one.title === title && one.name !== file));
  const [typed, setTyped] = useState<string | null>(null);
  const finish = () => {
    const next = typed?.trim();
    if (next !== undefined && next !== title) {
      editor.getState().editDocument("title", (one) => ({ ...one, name: next }));
    }
    setTyped(null);
  };
  const shown = typed ?? title;
  return (
    <>
      <input
        className="top-title"
        aria-label={say("workflowTitle")}
        title={file}
        placeholder={file}
        size={Math.min(Math.max((shown || file).length, 6), 40)}
        value={shown}
        onChange={({ target }) => setTyped(target.value)}
        onBlur={finish}
        onKeyDown={(event) => {
          if (event.key === "Enter") event.currentTarget.blur();
          if (event.key !== "Escape") return;
          setTyped(null);
          event.stopPropagation();
        }}
      />
      {isShared && <small className="top-file">{file}</small>}
    </>
  );
}

const SIGNS = {
  saved: "saved",
  changed: "changed",
  saving: "saving",
  offline: "trouble",
  failed: "trouble",
} as const satisfies Record<string, IconName>;

function SavingSign(): ReactElement {
  const say = useSay();
  const { saving, trouble } = useWorkspace((state) => state);
  const words = saving === "failed" ? say("saveFailed", { why: trouble }) : say(saving);
  const isTrouble = saving === "offline" || saving === "failed"; // that all is well need not be said again and again
  return (
    <span
      className={`top-saving saving-${saving}`}
      role="status"
      aria-live={isTrouble ? "polite" : "off"}
      title={words}
    >
      <Icon name={SIGNS[saving]} />
      <span>{words}</span>
    </span>
  );
}

function ViewSwitch({ view, name }: { readonly view: "graph" | "app"; readonly name: string }): ReactElement {
  const say = useSay();
  const link = (one: "graph" | "app") => (
    <a href={hashOf(one, name)} {...(one === view ? { "aria-current": "page" as const } : {})}>
      <Icon name={one} />
      <span>{say(one === "graph" ? "asGraph" : "asApp")}</span>
    </a>
  );
  return (
    <nav className="top-views" aria-label={say("viewAs")}>
      {link("graph")}
      {link("app")}
    </nav>
  );
}

function Actions(): ReactElement {
  const canUndo = useEditor((state) => state.history.past.length > 0);
  const canRedo = useEditor((state) => state.history.future.length > 0);
  const say = useSay();
  const sign = (id: "undo" | "redo", can: boolean) => (
    <button
      type="button"
      className="plain top-undo"
      aria-label={say(id)}
      title={say(id)}
      disabled={!can}
      onClick={() => perform(commandNamed(id))}
    >
      <Icon name={id} />
    </button>
  );
  return (
    <>
      {sign("undo", canUndo)}
      {sign("redo", canRedo)}
      <RunActions />
    </>
  );
}
