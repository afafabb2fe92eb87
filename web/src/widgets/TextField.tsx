import type { ReactElement } from "react";

import type { FieldProps } from "./Setting";

/** Edit a text, in one line or several. */
export function TextField({ id, label, schema, value, invalid, onChange }: FieldProps<string>): ReactElement {
  const common = {
    id,
    value,
    "aria-invalid": invalid,
    spellCheck: false,
    className: "nodrag nowheel",
    onChange: ({ target }: { target: { value: string } }) => onChange(target.value),
  };
  if (schema.widget?.kind === "text_area") {
    return (
      <label className="field field-area" title={schema.description}>
        <span className="field-label">{label}</span>
        <textarea {...common} rows={Number(schema.widget.lines ?? 3)} />
      </label>
    );
  }
  return (
    <label className="field field-text" title={schema.description}>
      <span className="field-label">{label}</span>
      <input {...common} type="text" />
    </label>
  );
}
