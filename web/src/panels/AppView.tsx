/** A workflow as an app: its parameters, a button, and what came out. Made for a phone as well. */

import { type ReactElement, useRef } from "react";

import { commandNamed, perform } from "../commands";
import { useDocument, useStopping, useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { editor } from "../model/editor";
import { isOpen, progressOf } from "../model/runs";
import { fields, setParameter } from "../model/parameters";
import { isCalm } from "../session/preferences";
import { hashOf } from "../session/route";
import { ParameterField } from "../widgets/ParameterField";
import { Icon } from "../widgets/icons";
import { AppHistory } from "./AppHistory";
import { AppResult } from "./AppResult";

export function AppView(): ReactElement {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const name = useWorkspace((state) => state.name);
  const share = useStudio(({ run }) => (isOpen(run) ? progressOf(run!).share : null));
  const stopping = useStopping();
  const busy = share !== null;
  const results = useRef<HTMLDivElement>(null);
  const list = fields(catalogue, document, document);
  return (
    <div className="app">
      <form
        className="app-form"
        onSubmit={(event) => {
          event.preventDefault();
          perform(commandNamed("run"));
          show(results.current);
        }}
      >
        <h1>{document.name || name}</h1>
        {document.description && <p className="app-about">{document.description}</p>}
        {list.map((field) => (
          <ParameterField
            key={field.name}
            field={field}
            place="app."
            onChange={(value) =>
              editor
                .getState()
                .editDocument(`set ${field.name}`, (one) => setParameter(one, field, value), `parameter ${field.name}`)
            }
          />
        ))}
        {!list.length && <p className="side-empty">{say("noParametersApp")}</p>}
        <div className="app-actions">
          {busy && <progress className="app-bar" max={1} value={share} aria-hidden="true" />}
          <button type="submit" className="primary with-icon">
            <Icon name="play" filled />
            {say("run")}
          </button>
          {busy && (
            <button
              type="button"
              className="with-icon"
              aria-disabled={stopping}
              onClick={() => perform(commandNamed("stop"))}
            >
              <Icon name="stop" filled />
              {say(stopping ? "stopping" : "stop")}
            </button>
          )}
          {name !== null && <a href={hashOf("graph", name)}>{say("showGraph")}</a>}
        </div>
      </form>
      <div className="app-results" ref={results}>
        <AppResult />
        <AppHistory />
      </div>
    </div>
  );
}

/** Bring what comes out into view where it lies below the form, as on a phone. */
function show(results: HTMLElement | null): void {
  if (!results || results.getBoundingClientRect().top < window.innerHeight / 2) return;
  results.scrollIntoView({ block: "start", behavior: isCalm() ? "auto" : "smooth" });
}
