import { type ReactElement, useMemo } from "react";

import { useProblems, useGraph } from "../canvas/hooks";
import type { Json } from "../model/document";
import { type Field, parameterTitle } from "../model/parameters";
import { editor } from "../model/editor";
import { setPolicy } from "../model/seeds";
import { OwnerContext } from "./owner";
import { Setting } from "./Setting";

interface ParameterFieldProps {
  readonly field: Field;
  /** What sets this field apart from another of the same parameter. */
  readonly place: string;
  onChange(value: Json): void;
}

/** Edit a parameter, with its description and what is wrong with it. */
export function ParameterField({ field, place, onChange }: ParameterFieldProps): ReactElement {
  const { name, node, setting, schema, value, description } = field;
  const policy = useGraph().view?.nodes?.[node]?.seeds?.[setting] ?? "fixed";
  const problem = useProblems(node).find((one) => one.place.startsWith(`${node}.${setting}`));
  const owner = useMemo(() => ({ node, setting }), [node, setting]);
  return (
    <OwnerContext value={owner}>
      <div className="parameter-field">
        <Setting
          id={place + name}
          label={parameterTitle(field)}
          schema={schema}
          value={value}
          problem={problem?.message}
          seeds={
            schema.widget?.kind === "seed"
              ? {
                  policy,
                  onPolicy: (next) => editor.getState().edit("seed", (graph) => setPolicy(graph, node, setting, next)),
                }
              : undefined
          }
          onChange={onChange}
        />
        {problem ? <p className="parameter-problem">{problem.message}</p> : description && <small>{description}</small>}
      </div>
    </OwnerContext>
  );
}
