/**
 * Where each part of a node lies. Everything above a node's picture has a known height, so that sockets can be placed,
 * and wires drawn, before the browser has laid anything out: a thousand nodes need no measuring.
 */

import {
  inputsOf,
  type InputSpec,
  type NodeSpec,
  outputsOf,
  type OutputSpec,
  type SettingSchema,
} from "../model/catalogue";
import type { DocNode, NodeView } from "../model/document";

export const WIDTH = 248;
export const HEADER = 32;
export const SOCKET = 24;
/** The ends of a graph: what comes in, what it gives. */
export const END_WIDTH = 176;
export const endHeight = (rows: number): number => HEADER + SOCKET * rows + 8;
export const FIELD = 32;
export const LINE = 18;
/** Settings that are shown without asking. */
const SHOWN = 4;

export type Row =
  | {
      readonly kind: "sockets";
      readonly y: number;
      readonly height: number;
      readonly input: InputSpec | null;
      readonly output: OutputSpec | null;
    }
  | {
      readonly kind: "setting";
      readonly y: number;
      readonly height: number;
      readonly name: string;
      readonly schema: SettingSchema;
      readonly wired: boolean;
      readonly wireable: boolean;
    }
  | { readonly kind: "more"; readonly y: number; readonly height: number; readonly count: number };

export interface NodeLayout {
  readonly rows: readonly Row[];
  /** Of all rows with the header, without picture and messages below. */
  readonly height: number;
}

/** Lay a node out. Of many settings the main ones are shown, and those that were changed or wired. */
export function layOut(node: DocNode, spec: NodeSpec | undefined, view: NodeView | undefined): NodeLayout {
  if (view?.collapsed) return { rows: [], height: HEADER };
  const rows: Row[] = [];
  let y = HEADER;
  const inputs = inputsOf(node, spec);
  const outputs = outputsOf(node, spec);
  for (let index = 0; index < Math.max(inputs.length, outputs.length); index += 1) {
    rows.push({ kind: "sockets", y, height: SOCKET, input: inputs[index] ?? null, output: outputs[index] ?? null });
    y += SOCKET;
  }
  const settings = Object.entries(spec?.settings.properties ?? {});
  const main = new Set(mainSettings(settings));
  const shown = settings.filter(([name]) => view?.expanded || main.has(name) || isTouched(node, name));
  for (const [name, schema] of shown) {
    const wired = node.inputs?.[name] !== undefined;
    const height = wired ? SOCKET : heightOf(schema);
    rows.push({ kind: "setting", y, height, name, schema, wired, wireable: spec?.wireable.includes(name) ?? false });
    y += height;
  }
  if (settings.length > shown.length || (view?.expanded && settings.length > main.size)) {
    rows.push({ kind: "more", y, height: SOCKET, count: settings.length - shown.length });
    y += SOCKET;
  }
  return { rows, height: y + 8 };
}

/** List the settings that are shown without asking: the first ones, but of the tall texts only one. */
function mainSettings(settings: readonly (readonly [string, SettingSchema])[]): readonly string[] {
  const isText = (schema: SettingSchema) => schema.widget?.kind === "text_area";
  const first = settings.find(([, schema]) => isText(schema))?.[0];
  const names = settings.filter(([name, schema]) => !isText(schema) || name === first).map(([name]) => name);
  return names.length <= SHOWN + 1 ? names : names.slice(0, SHOWN);
}

function isTouched(node: DocNode, name: string): boolean {
  const value = node.settings?.[name];
  return (value !== undefined && value !== "") || node.inputs?.[name] !== undefined;
}

function heightOf(schema: SettingSchema): number {
  switch (schema.widget?.kind) {
    case "text_area":
      return FIELD + LINE * Math.max(2, Number(schema.widget.lines ?? 3));
    case "curve":
      return 120;
    default:
      return schema.type === "array" ? FIELD + LINE * 2 : FIELD;
  }
}
