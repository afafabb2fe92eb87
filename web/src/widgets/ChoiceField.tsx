import type { ReactElement } from "react";

import type { Json } from "../model/document";
import type { FieldProps } from "./Setting";

/** Choose one of a few values. */
export function ChoiceField({ id, label, schema, value, invalid, onChange }: FieldProps): ReactElement {
  const options = schema.enum ?? [];
  return (
    <label className="field field-choice" title={schema.description}>
      <span className="field-label">{label}</span>
      <select
        id={id}
        className="nodrag"
        aria-invalid={invalid}
        value={options.findIndex((option) => option === value)}
        onChange={({ target }) => onChange(options[Number(target.value)] as Json)}
      >
        {options.map((option, index) => (
          <option key={index} value={index}>
            {String(option)}
          </option>
        ))}
      </select>
    </label>
  );
}
