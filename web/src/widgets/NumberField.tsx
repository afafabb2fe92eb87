import { type ReactElement, useState } from "react";

import type { FieldProps } from "./Setting";

/** Edit a number: what is typed counts when the field is left or Enter is pressed. */
export function NumberField({ id, label, schema, value, invalid, onChange }: FieldProps<number | null>): ReactElement {
  const [typed, setTyped] = useState<string | null>(null);
  const commit = () => {
    if (typed === null) return;
    const number = Number(typed);
    if (typed.trim() !== "" && Number.isFinite(number)) onChange(number);
    setTyped(null);
  };
  return (
    <label className="field field-number" title={schema.description}>
      <span className="field-label">{label}</span>
      <input
        id={id}
        type="text"
        inputMode="decimal"
        className="nodrag"
        aria-invalid={invalid}
        value={typed ?? (value === null ? "" : String(value))}
        onChange={({ target }) => setTyped(target.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
          if (event.key === "Escape") setTyped(null);
        }}
      />
    </label>
  );
}
