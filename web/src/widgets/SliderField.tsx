import type { ReactElement } from "react";

import { stepOf } from "../model/numbers";
import { NumberInput } from "./NumberField";
import { FieldLabel } from "./LineInput";
import type { FieldProps } from "./Setting";

/** Edit a number between two ends: a slider, and its value beside it to be typed. */
export function SliderField({ id, label, schema, value, invalid, onChange }: FieldProps<number | null>): ReactElement {
  const { minimum = 0, maximum = 100 } = schema;
  return (
    <div className="field field-slider" title={schema.description}>
      <FieldLabel id={id} label={label} />
      <input
        type="range"
        className="nodrag"
        aria-label={label}
        min={minimum}
        max={maximum}
        step={stepOf(schema)}
        value={value ?? minimum}
        onChange={({ target }) => onChange(Number(target.value))}
      />
      <NumberInput id={id} schema={schema} value={value} invalid={invalid} onChange={onChange} />
    </div>
  );
}
