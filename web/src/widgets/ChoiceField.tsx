import type { ReactElement } from "react";

import type { Json } from "../model/document";
import { FieldLabel } from "./LineInput";
import type { FieldProps } from "./Setting";

/** Choose one of a few values. */
export function ChoiceField({ id, label, schema, value, invalid, onChange }: FieldProps): ReactElement {
  const options = schema.enum ?? [];
  return (
    <div className="field field-choice" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <select
        id={id}
        className="nodrag"
        aria-invalid={invalid}
        value={options.findIndex((option) => option === value)}
        onChange={({ target }) => onChange(options[Number(target.value)] as Json)}
      >
        {options.map((option, index) => (
          <option key={index} value={index}>
            {schema.choices?.[String(option)] ?? String(option)}
          </option>
        ))}
      </select>
    </div>
  );
}
