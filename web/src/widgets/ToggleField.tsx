import type { ReactElement } from "react";

import type { FieldProps } from "./Setting";

/** Switch something on or off. */
export function ToggleField({ id, label, schema, value, invalid, onChange }: FieldProps<boolean>): ReactElement {
  return (
    <label className="field field-toggle" title={schema.description}>
      <span className="field-label">{label}</span>
      <input
        id={id}
        type="checkbox"
        className="nodrag"
        aria-invalid={invalid}
        checked={value}
        onChange={({ target }) => onChange(target.checked)}
      />
    </label>
  );
}
