import type { ReactElement } from "react";

import { useSay } from "../i18n";
import { FieldLabel, LineInput } from "./LineInput";
import type { FieldProps } from "./Setting";

/** Edit a colour: pick it, or type it as `#rrggbb`. */
export function ColorField({ id, label, schema, value, invalid, onChange }: FieldProps<string>): ReactElement {
  const say = useSay();
  return (
    <div className="field field-color" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <input
        type="color"
        className="nodrag"
        aria-label={say("pickColor", { label })}
        value={/^#[0-9a-f]{6}$/i.test(value) ? value : "#000000"}
        onChange={({ target }) => onChange(target.value)}
      />
      <LineInput id={id} value={value} invalid={invalid} onChange={onChange} />
    </div>
  );
}
