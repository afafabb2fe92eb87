/** A workflow as an app: its parameters, a button, and what came out. Made for a phone as well. */

import type { ReactElement } from "react";

import { commandNamed, perform } from "../commands";
import { useDocument, useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { editor } from "../model/editor";
import { fields, setParameter } from "../model/parameters";
import { hashOf } from "../session/route";
import { ParameterField } from "../widgets/ParameterField";
import { AppResult } from "./AppResult";

export function AppView(): ReactElement {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const name = useWorkspace((state) => state.name);
  const busy = useStudio(({ run }) => run?.status === "queued" || run?.status === "running");
  const list = fields(catalogue, document, document);
  return (
    <div className="app">
      <form
        className="app-form"
        onSubmit={(event) => {
          event.preventDefault();
          perform(commandNamed("run"));
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
          <button type="submit" className="primary">
            {say("run")}
          </button>
          {busy && (
            <button type="button" onClick={() => perform(commandNamed("stop"))}>
              {say("stop")}
            </button>
          )}
          {name !== null && <a href={hashOf("graph", name)}>{say("showGraph")}</a>}
        </div>
      </form>
      <AppResult />
    </div>
  );
}
