/** A setting's field, chosen by its JSON Schema: the one place that knows which kind is edited by what. */

import type { ReactElement } from "react";

import type { SettingSchema } from "../model/catalogue";
import type { Json } from "../model/document";
import type { SeedPolicy } from "../model/seeds";
import { ChoiceField } from "./ChoiceField";
import { ColorField } from "./ColorField";
import { CurveField } from "./CurveField";
import { FileField } from "./FileField";
import { ListField } from "./ListField";
import { MaskField } from "./MaskField";
import { NumberField } from "./NumberField";
import { SeedField } from "./SeedField";
import { SliderField } from "./SliderField";
import { AreaField, TextField } from "./TextField";
import { ToggleField } from "./ToggleField";

export interface FieldProps<T extends Json = Json> {
  readonly id: string;
  readonly label: string;
  readonly schema: SettingSchema;
  readonly value: T;
  readonly invalid: boolean;
  onChange(value: T): void;
}

export interface SettingProps {
  readonly id: string;
  readonly label: string;
  readonly schema: SettingSchema;
  /** Undefined is the schema's default. */
  readonly value: Json | undefined;
  /** What is wrong with it. */
  readonly problem?: string | undefined;
  readonly seeds?: { readonly policy: SeedPolicy; onPolicy(policy: SeedPolicy): void } | undefined;
  onChange(value: Json): void;
}

/** Edit one setting. */
export function Setting({ id, label, schema: given, value, problem, seeds, onChange }: SettingProps): ReactElement {
  const schema = resolved(given);
  const common = { id, label, schema, invalid: problem !== undefined, onChange };
  const shown = value ?? schema.default ?? null;
  const text = { ...common, value: typeof shown === "string" ? shown : "" };
  const number = { ...common, value: typeof shown === "number" ? shown : null };
  const list = { ...common, value: Array.isArray(shown) ? (shown as readonly Json[]) : [] };
  if (schema.enum) return <ChoiceField {...common} value={shown} />;
  switch (schema.widget?.kind) {
    case "slider":
      return <SliderField {...number} />;
    case "seed":
      return <SeedField {...number} policy={seeds?.policy} onPolicy={seeds?.onPolicy} />;
    case "text_area":
      return <AreaField {...text} />;
    case "file":
      return <FileField {...text} />;
    case "color":
      return <ColorField {...text} />;
    case "mask":
      return <MaskField {...text} />;
    case "curve":
      return <CurveField {...list} />;
  }
  switch (schema.type) {
    case "integer":
    case "number":
      return <NumberField {...number} />;
    case "boolean":
      return <ToggleField {...common} value={shown === true} />;
    case "array":
      return <ListField {...list} />;
    default:
      return <TextField {...text} />;
  }
}

/** Look through "or nothing": a setting that may be null is edited as what it is otherwise. */
function resolved(schema: SettingSchema): SettingSchema {
  const inner = schema.anyOf?.find(({ type }) => type !== "null");
  return inner ? { ...inner, ...schema } : schema;
}
