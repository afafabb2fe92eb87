/** A setting's field, chosen by its JSON Schema: the one place that knows which kind is edited by what. */

import { type ReactElement } from "react";

import { labelOf, type SettingSchema } from "../model/catalogue";
import type { Json } from "../model/document";
import { ChoiceField } from "./ChoiceField";
import { NumberField } from "./NumberField";
import { TextField } from "./TextField";
import { ToggleField } from "./ToggleField";

export interface FieldProps<T extends Json = Json> {
  readonly id: string;
  readonly label: string;
  readonly schema: SettingSchema;
  readonly value: T;
  readonly invalid: boolean;
  /** `merge`: the change belongs to the one before, as while dragging. */
  onChange(value: T): void;
}

interface SettingProps {
  readonly id: string;
  readonly name: string;
  readonly schema: SettingSchema;
  readonly value: Json | undefined;
  readonly problem?: string | undefined;
  onChange(value: Json): void;
}

/** Edit one setting. `problem` is what is wrong with it. */
export function Setting({ id, name, schema, value, problem, onChange }: SettingProps): ReactElement {
  const label = labelOf(name);
  const common = { id, label, schema, invalid: problem !== undefined };
  const given = value ?? schema.default;
  if (schema.enum) return <ChoiceField {...common} value={given ?? null} onChange={onChange} />;
  switch (schema.type) {
    case "integer":
    case "number":
      return <NumberField {...common} value={typeof given === "number" ? given : null} onChange={onChange} />;
    case "boolean":
      return <ToggleField {...common} value={given === true} onChange={onChange} />;
    default:
      return <TextField {...common} value={typeof given === "string" ? given : ""} onChange={onChange} />;
  }
}
