import { type ReactElement, useEffect, useMemo, useState } from "react";
import { useStore } from "zustand";

import { useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import type { Widget } from "../model/catalogue";
import { documentOf, editor } from "../model/editor";
import { familyFor } from "../model/facts";
import { choices, type ModelChoice, sizeOf } from "../model/models";
import { files, loadModels } from "../session/files";
import { Dialog } from "./Dialog";

interface ModelPickerProps {
  readonly widget: Widget;
  readonly value: string;
  /** Whose setting it is; what its wires lead to tells which family is wanted. */
  readonly node: string | null;
  onChoose(name: string): void;
  onClose(): void;
}

/** Choose a model: those of the right kind and family first, the others with the reason why not. */
export function ModelPicker({ widget, value, node, onChoose, onClose }: ModelPickerProps): ReactElement {
  const say = useSay();
  const models = useStore(files, (state) => state.models);
  const facts = useStudio((state) => state.checked?.facts);
  const [text, setText] = useState("");
  useEffect(() => void loadModels(), []);
  const family = useMemo(
    () => (node ? familyFor(documentOf(editor.getState()), facts ?? null, node) : null),
    [facts, node],
  );
  const found = useMemo(
    () =>
      choices(models ?? [], widget, family).filter(({ name, title }) =>
        `${name} ${title}`.toLowerCase().includes(text.toLowerCase()),
      ),
    [models, widget, family, text],
  );
  return (
    <Dialog title={say("chooseModel")} className="model-picker" onClose={onClose}>
      <div className="model-head">
        <input
          type="search"
          autoFocus
          aria-label={say("searchModels")}
          placeholder={say("searchModels")}
          value={text}
          onChange={({ target }) => setText(target.value)}
        />
        <button type="button" onClick={() => void loadModels(true)}>
          {say("lookAgain")}
        </button>
      </div>
      {family && <p className="model-family">{say("familyWanted", { family })}</p>}
      <ul>
        {found.map((model) => (
          <li key={model.name}>
            <button
              type="button"
              aria-current={model.name === value}
              className={model.misfit ? "model model-misfit" : "model"}
              onClick={() => {
                onChoose(model.name);
                onClose();
              }}
            >
              <strong>{model.name}</strong>
              <span>
                {[model.title, sizeOf(model.size), model.shipped ? say("shipped") : ""].filter(Boolean).join(" · ")}
              </span>
              {model.misfit && <em>{say(`misfit_${model.misfit}`, { why: reasonOf(model) })}</em>}
            </button>
          </li>
        ))}
      </ul>
      {models && !found.length && <p>{say("noModels")}</p>}
    </Dialog>
  );
}

function reasonOf({ about }: ModelChoice): string {
  return typeof about.problem === "string" ? about.problem : "";
}
