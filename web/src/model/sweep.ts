/** A sweep: values typed as people write them, and the grid of what came out. */

import { type Catalogue, outputsOf, type SettingSchema, specOf } from "./catalogue";
import { type Document, type Graph, type Json, type Names, splitReference, subgraphName, wiresOf } from "./document";
import { resultNodes } from "./parameters";
import type { RunState, Variation } from "./runs";

/** A run of more variations than this is more likely a slip of the keyboard. */
export const MOST_VARIATIONS = 1000;

export type Parsed = { readonly ok: true; readonly values: readonly Json[] } | { readonly ok: false };

const NUMBER = String.raw`-?\d+(?:\.\d+)?(?:e-?\d+)?`;
const RANGE = new RegExp(`^(${NUMBER})\\s*\\.\\.\\s*(${NUMBER})(?:\\s*:\\s*(${NUMBER}))?$`, "i");

/** Read the values of a parameter: `1..4`, `0.2..1:0.2`, `8, 12, 20`; texts one on each line, or parted by commas. */
export function parseValues(text: string, schema: SettingSchema): Parsed {
  const type = schema.type ?? "string";
  const isText = type === "string" && !schema.enum;
  const parts = text.split(isText && text.includes("\n") ? "\n" : /[,\n]/).map((part) => part.trim());
  const values: Json[] = [];
  for (const part of parts.filter(Boolean)) {
    const read = isText ? [part] : readPart(part, type, schema);
    if (!read || values.length + read.length > MOST_VARIATIONS) return { ok: false };
    values.push(...read);
  }
  return values.length ? { ok: true, values } : { ok: false };
}

function readPart(part: string, type: string, schema: SettingSchema): readonly Json[] | null {
  if (schema.enum) {
    const found = schema.enum.find((one) => String(one) === part);
    return found === undefined ? null : [found];
  }
  if (type === "boolean") return part === "true" || part === "false" ? [part === "true"] : null;
  if (type !== "integer" && type !== "number") return null;
  const range = RANGE.exec(part);
  const numbers = range ? rangeOf(Number(range[1]), Number(range[2]), range[3]) : [Number(part)];
  if (!numbers || numbers.some((one) => !Number.isFinite(one))) return null;
  return type === "integer" && !numbers.every(Number.isInteger) ? null : numbers;
}

function rangeOf(first: number, last: number, step: string | undefined): readonly number[] | null {
  const by =
    step === undefined ? Math.sign(last - first) || 1 : Number(step) * (last < first && Number(step) > 0 ? -1 : 1);
  const count = Math.floor((last - first) / by + 1e-9) + 1;
  if (!Number.isFinite(count) || count < 1 || count > MOST_VARIATIONS) return null;
  return Array.from({ length: count }, (_, index) => Number((first + by * index).toPrecision(12)));
}

/** What a run sweeps over, as the server has it: each combination of the values, or with `zip` the first of each, and so on. */
export interface SweepAsked {
  readonly axes: Names<readonly Json[]>;
  readonly how: "product" | "zip";
}

/** A row or a column of a grid: what it is called, and the values that all in it have. */
export interface GridLane {
  readonly label: string;
  readonly values: Names<Json>;
}

/** A sweep laid out: a cell for each row in each column. `corner` says what is down and what across, if both are. */
export interface Grid {
  readonly corner: string;
  readonly columns: readonly GridLane[];
  readonly rows: readonly GridLane[];
}

/**
 * Lay a sweep out: what was asked for last goes across, all before it down; values side by side are one row. Parameters
 * are called as `titleOf` says.
 */
export function gridOf({ axes, how }: SweepAsked, titleOf: (name: string) => string): Grid {
  const lane = (named: readonly Named[], isNamed = true): GridLane => {
    const label = named.map(([name, value]) => (isNamed ? `${titleOf(name)}: ${said(value)}` : said(value)));
    return { label: label.join(", "), values: Object.fromEntries(named) };
  };
  const names = Object.keys(axes);
  const last = names.at(-1) ?? "";
  if (how === "zip") {
    const steps = (axes[last] ?? []).map((_, index) => lane(names.map((name) => [name, axes[name]![index]!])));
    return { corner: "", columns: steps, rows: [lane([])] };
  }
  const before = names.slice(0, -1);
  const rows = before.reduce<readonly (readonly Named[])[]>(
    (lists, name) => lists.flatMap((list) => axes[name]!.map((value) => [...list, [name, value] as const])),
    [[]],
  );
  const columns = (axes[last] ?? []).map((value) => lane([[last, value]], before.length === 0));
  const corner = before.length ? `${before.map(titleOf).join(", ")} ╲ ${titleOf(last)}` : "";
  return { corner, columns, rows: rows.map((row) => lane(row, row.length > 1)) };
}

type Named = readonly [name: string, value: Json];

/** Say a value, the same for equal ones. */
export function said(value: Json): string {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))));
}

/** Where a picture of the result can be seen while it is made: an output of a node, as a run calls it. */
export interface PictureSource {
  readonly node: string;
  readonly output: string;
}

const DRAWN = /^(?:list\[)*(?:image|mask)\b/;

/** List the outputs whose pictures show what a workflow gives: its own, or what goes into the nodes that save. */
export function pictureSources(catalogue: Catalogue, document: Document): readonly PictureSource[] {
  return resultNodes(catalogue, document).flatMap((name) => {
    const node = document.nodes[name];
    if (!node) return [];
    const own = outputsOf(node, specOf(catalogue, document, node.type)).find(({ type }) => DRAWN.test(type));
    if (own) return inner(document, document, "", name, own.name);
    return Object.values(node.inputs ?? {})
      .flatMap(wiresOf)
      .flatMap((from) => {
        const [source, output] = splitReference(from);
        return inner(document, document, "", source, output);
      });
  });
}

/** Follow an output into the subgraphs that it comes out of. */
function inner(
  document: Document,
  graph: Graph,
  before: string,
  name: string,
  output: string,
): readonly PictureSource[] {
  const node = graph.nodes[name];
  if (!node) return [];
  const subgraph = node.map || node.loop ? undefined : document.subgraphs?.[subgraphName(node.type) ?? ""];
  const from = subgraph?.outputs?.[output]?.from;
  if (!subgraph || !from) return [{ node: before + name, output }];
  const [next, socket] = splitReference(from);
  return inner(document, subgraph, `${before}${name}/`, next, socket);
}

/** Return the digest of the picture that a variation has made so far; null where there is none yet. */
export function pictureOfVariation(
  run: RunState,
  { nodes }: Variation,
  sources: readonly PictureSource[],
): string | null {
  for (const { node, output } of sources) {
    const digest = run.nodes[nodes[node] ?? node]?.digests?.[output];
    if (digest) return digest;
  }
  return null;
}
