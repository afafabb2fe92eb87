import type { ReactElement } from "react";

import { useGraph } from "../canvas/hooks";
import { useSay } from "../i18n";
import { labelOf, type SettingSchema } from "../model/catalogue";
import type { Json } from "../model/document";
import { parameterOf, setSetting } from "../model/edits";
import { editor } from "../model/editor";
import { same } from "../model/merge";
import { demote, promote } from "../model/parameters";
import { Icon } from "./icons";

interface SettingToolsProps {
  readonly node: string;
  readonly name: string;
  readonly schema: SettingSchema;
  readonly value: Json | undefined;
}

/** What can be done with a setting besides giving it a value: make it a parameter, and go back to its default. */
export function SettingTools({ node, name, schema, value }: SettingToolsProps): ReactElement {
  const say = useSay();
  const parameter = parameterOf(useGraph(), node, name);
  const label = schema.title ?? labelOf(name);
  const isChanged = value !== undefined && schema.default !== undefined && !same(value, schema.default);
  const promotion = parameter ? say("demote", { label, name: parameter }) : say("promote", { label });
  const reset = say("reset", { value: JSON.stringify(schema.default) });
  return (
    <>
      {isChanged && (
        <button
          type="button"
          className="field-menu"
          title={reset}
          aria-label={reset}
          onClick={() => editor.getState().edit("reset", (graph) => setSetting(graph, node, name, undefined))}
        >
          <Icon name="reset" />
        </button>
      )}
      <button
        type="button"
        className={parameter ? "field-menu field-promoted" : "field-menu"}
        title={promotion}
        aria-label={promotion}
        aria-pressed={parameter !== null}
        onClick={() =>
          editor
            .getState()
            .edit("parameter", (graph) => (parameter ? demote(graph, node, name) : promote(graph, node, name)))
        }
      >
        <Icon name="parameter" filled={parameter !== null} />
      </button>
    </>
  );
}
