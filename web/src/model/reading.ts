/**
 * Whether something is a workflow document that this editor can show and save without losing any of it.
 *
 * In: anything that was read. Out: the document, or why it is none. Only the shape is judged, so that a workflow that is
 * not in order can be opened and put right; the server's check tells the rest.
 */

import type { Document } from "./document";

export const FORMAT = 1;

export type Reading =
  | { readonly ok: true; readonly document: Document }
  | { readonly ok: false; readonly reason: "tooNew"; readonly format: number }
  | { readonly ok: false; readonly reason: "noWorkflow"; readonly place: string };

type Keys = Readonly<Record<string, unknown>>;
type Shape = (value: unknown) => string | null;

/** Read a document, or say why it is none. */
export function readDocument(value: unknown): Reading {
  if (!isKeys(value) || typeof value.graphgen !== "number")
    return { ok: false, reason: "noWorkflow", place: "graphgen" };
  if (value.graphgen > FORMAT) return { ok: false, reason: "tooNew", format: value.graphgen };
  const place = document(value);
  return place === null
    ? { ok: true, document: value as unknown as Document }
    : { ok: false, reason: "noWorkflow", place };
}

const WANTED = {
  text: new Set(["type", "from", "name", "description", "id"]),
  number: new Set(["graphgen", "x", "y", "width", "height"]),
  list: new Set(["sets", "groups", "notes"]),
} as const;

/** Say which kind of value a workflow has at a place where this one has another. */
export function wantedAt(place: string): "text" | "number" | "list" | "wire" | "object" {
  const [last = "", above] = place.split(".").reverse();
  if (above === "inputs" || /^\d+$/.test(last)) return "wire";
  const kinds = ["text", "number", "list"] as const;
  const isName = ["nodes", "parameters", "outputs", "subgraphs"].includes(above ?? "");
  return (!isName && kinds.find((kind) => WANTED[kind].has(last))) || "object";
}

function isKeys(value: unknown): value is Keys {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Each shape gives null where a value has it, else the place in the value that has not. */
const text: Shape = (value) => (typeof value === "string" ? null : "");
const number: Shape = (value) => (typeof value === "number" ? null : "");
const anything: Shape = () => null;

function list(item: Shape): Shape {
  return (value) => (Array.isArray(value) ? firstOf(value.map((one, index) => [`${index}`, item(one)])) : "");
}

function named(item: Shape): Shape {
  return (value) => (isKeys(value) ? firstOf(Object.entries(value).map(([key, one]) => [key, item(one)])) : "");
}

function object(required: Readonly<Record<string, Shape>>, optional: Readonly<Record<string, Shape>> = {}): Shape {
  return (value) => {
    if (!isKeys(value)) return "";
    const parts = Object.entries({ ...required, ...optional }).filter(([key]) => key in required || key in value);
    return firstOf(parts.map(([key, shape]) => [key, shape(value[key])]));
  };
}

function firstOf(found: readonly (readonly [string, string | null])[]): string | null {
  const wrong = found.find(([, place]) => place !== null);
  if (!wrong) return null;
  return wrong[1] ? `${wrong[0]}.${wrong[1]}` : wrong[0];
}

const wires: Shape = (value) => (typeof value === "string" ? null : list(text)(value));
const point = object({ x: number, y: number });
const frame = object({ x: number, y: number, id: text, width: number, height: number });
const node = object({ type: text }, { inputs: named(wires), settings: named(anything) });
const view = object(
  {},
  {
    nodes: named(point),
    groups: list(frame),
    notes: list(frame),
    wires: named(list(point)),
    inputs: point,
    outputs: point,
  },
);
const graph = {
  description: text,
  parameters: named(object({ sets: list(text) }, { description: text })),
  outputs: named(object({ from: text }, { description: text })),
  view,
};
const subgraph = object({ nodes: named(node) }, { ...graph, inputs: named(object({ type: text })) });
const document = object({ nodes: named(node) }, { ...graph, name: text, subgraphs: named(subgraph) });
