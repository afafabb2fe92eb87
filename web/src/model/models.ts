/** Which of the models fit a setting, and a graph: the model picker's order. */

import type { Widget } from "./catalogue";

export interface ModelFile {
  readonly name: string;
  readonly size: number;
  readonly shipped: boolean;
  readonly about: Readonly<Record<string, unknown>>;
}

export interface ModelChoice extends ModelFile {
  readonly family: string | null;
  readonly title: string;
  /** Why it does not fit what is asked for; null where it does, as far as can be told. */
  readonly misfit: "parts" | "family" | "unreadable" | null;
}

/** Order models for a setting: those that fit first. `family` is what the graph uses, where that is known. */
export function choices(models: readonly ModelFile[], widget: Widget, family: string | null): readonly ModelChoice[] {
  const wanted = listOf(widget.parts);
  const kinds = listOf(widget.kinds);
  return models
    .filter(
      ({ name }) => !kinds.length || !/\.[a-z0-9]{2,12}$/i.test(name) || kinds.some((kind) => name.endsWith(kind)),
    )
    .map((model) => describe(model, wanted, family))
    .sort((one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name));
}

function describe(model: ModelFile, wanted: readonly string[], family: string | null): ModelChoice {
  const { about } = model;
  const parts = listOf(about.parts);
  const own = typeof about.family === "string" ? about.family : null;
  const misfit =
    typeof about.problem === "string"
      ? "unreadable"
      : wanted.length && parts.length && !wanted.some((part) => parts.includes(part))
        ? "parts"
        : family !== null && own !== null && own !== family
          ? "family"
          : null;
  const title = typeof about.title === "string" ? about.title : parts.join(", ");
  return { ...model, family: own, title, misfit };
}

function rank({ misfit }: ModelChoice): number {
  return misfit === null ? 0 : misfit === "family" ? 1 : misfit === "parts" ? 2 : 3;
}

function listOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** Write a size in bytes as people read it. */
export function sizeOf(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
