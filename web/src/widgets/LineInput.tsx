/** What fields of one line are made of: the label beside, and the text that is typed. */

import type { ReactElement } from "react";

import type { FieldProps } from "./Setting";

/** The name of a field, which a click on it leads into. */
export function FieldLabel({ id, label }: Pick<FieldProps<string>, "id" | "label">): ReactElement {
  return (
    <label htmlFor={id} className="field-label">
      {label}
    </label>
  );
}

type LineInputProps = Pick<FieldProps<string>, "id" | "value" | "invalid" | "onChange"> & {
  readonly placeholder?: string;
};

/** A text of one line, as it is typed. */
export function LineInput({ id, value, invalid, placeholder, onChange }: LineInputProps): ReactElement {
  return (
    <input
      id={id}
      type="text"
      className="nodrag"
      spellCheck={false}
      aria-invalid={invalid}
      placeholder={placeholder}
      value={value}
      onChange={({ target }) => onChange(target.value)}
    />
  );
}
