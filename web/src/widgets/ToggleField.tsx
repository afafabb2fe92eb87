import type { ReactElement } from "react";

import { FieldLabel } from "./LineInput";
import type { FieldProps } from "./Setting";

/** Switch something on or off. */
export function ToggleField({ id, label, schema, value, invalid, onChange }: FieldProps<boolean>): ReactElement {
  return (
    <div className="field field-toggle" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <input
        id={id}
        type="checkbox"
        className="nodrag"
        aria-invalid={invalid}
        checked={value}
        onChange={({ target }) => onChange(target.checked)}
      />
    </div>
  );
}
