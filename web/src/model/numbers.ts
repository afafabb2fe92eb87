/** What a number setting may be, and how far a key press or a drag moves it. */

import type { SettingSchema } from "./catalogue";

/** Return the step of a setting: the schema's own, 1 for whole numbers, else a tenth, or a hundredth of small ranges. */
export function stepOf(schema: SettingSchema): number {
  const step = schema.widget?.step ?? schema.multipleOf;
  if (typeof step === "number" && step > 0) return step;
  if (schema.type === "integer") return 1;
  const range = (schema.maximum ?? Infinity) - (schema.minimum ?? -Infinity);
  return range <= 2 ? 0.01 : 0.1;
}

/** Return the nearest value that a setting may have. */
export function clamp(value: number, schema: SettingSchema): number {
  const whole = schema.type === "integer" ? Math.round(value) : value;
  const inside = Math.min(Math.max(whole, schema.minimum ?? -Infinity), schema.maximum ?? Infinity);
  return Number(inside.toPrecision(15));
}

/** Tell whether a setting may have a value as it is. */
export function allows(schema: SettingSchema, value: number): boolean {
  const { exclusiveMinimum = -Infinity, exclusiveMaximum = Infinity } = schema;
  return clamp(value, schema) === value && value > exclusiveMinimum && value < exclusiveMaximum;
}

/** Move a value by some steps, onto a multiple of the step where it was on one. */
export function moveBy(value: number, steps: number, schema: SettingSchema, scale = 1): number {
  const step = schema.type === "integer" ? Math.max(1, Math.round(stepOf(schema) * scale)) : stepOf(schema) * scale;
  const digits = Math.max(0, 6 - Math.floor(Math.log10(step)));
  return clamp(Number((value + steps * step).toFixed(Math.min(digits, 15))), schema);
}
