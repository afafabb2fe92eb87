/**
 * What nodes there are: the server's catalogue, and the subgraphs of a document as nodes of the same shape.
 */

import { type Document, type DocNode, type Json, type Names, splitReference, subgraphName, SUBGRAPH } from "./document";
import type { TypeTable } from "./types";

export interface InputSpec {
  readonly name: string;
  /** What it is called, in the person's language. */
  readonly title: string;
  readonly type: string;
  readonly description: string;
  readonly required: boolean;
  readonly many: boolean;
}

export interface OutputSpec {
  readonly name: string;
  readonly title: string;
  readonly type: string;
  readonly description: string;
}

/** How a setting wishes to be edited; `kind` is `slider`, `seed`, `text_area`, `file`, ... */
export interface Widget {
  readonly kind: string;
  readonly [key: string]: Json;
}

/** The JSON Schema of one setting, as far as an editor needs it. */
export interface SettingSchema {
  readonly type?: string;
  readonly title?: string;
  readonly description?: string;
  readonly default?: Json;
  readonly enum?: readonly Json[];
  /** What the values to choose from are called, where that is not what they are. */
  readonly choices?: Names<string>;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly items?: SettingSchema;
  readonly anyOf?: readonly SettingSchema[];
  readonly widget?: Widget;
}

/** What a node is, as the server's catalogue tells it: in the person's language, as far as there are words for it. */
export interface NodeSpec {
  readonly id: string;
  readonly title: string;
  /** What its title is in English, where that is another one. */
  readonly english?: string;
  readonly category: string;
  readonly description: string;
  /** Other names that people look for it by. */
  readonly aliases: readonly string[];
  readonly version: number;
  readonly device: string;
  readonly effect: boolean;
  readonly inputs: readonly InputSpec[];
  readonly settings: { readonly properties?: Names<SettingSchema>; readonly required?: readonly string[] };
  readonly wireable: readonly string[];
  readonly outputs: readonly OutputSpec[];
}

export interface Catalogue {
  readonly graphgen: string;
  readonly nodes: Names<NodeSpec>;
  /** Titles of the categories. */
  readonly categories: Names<string>;
  readonly types: TypeTable;
}

export const NO_CATALOGUE: Catalogue = {
  graphgen: "",
  nodes: {},
  categories: {},
  types: { ancestors: {}, conversions: [] },
};

/** Return what a node's type is; undefined where it is not installed, or the subgraph is not there. */
export function specOf(catalogue: Catalogue, document: Document, type: string): NodeSpec | undefined {
  const name = subgraphName(type);
  return name === null ? catalogue.nodes[type] : subgraphSpecs(catalogue, document)[name];
}

/** The category of a document's own subgraphs. */
export const SUBGRAPHS = "subgraphs";

const made = new WeakMap<object, { catalogue: Catalogue; specs: Names<NodeSpec> }>();

/** Describe a document's subgraphs as nodes. What is made is kept for as long as the subgraphs are the same. */
export function subgraphSpecs(catalogue: Catalogue, document: Document): Names<NodeSpec> {
  const { subgraphs } = document;
  if (!subgraphs) return {};
  const known = made.get(subgraphs);
  if (known?.catalogue === catalogue) return known.specs;
  const specs: Record<string, NodeSpec> = {};
  made.set(subgraphs, { catalogue, specs }); // first, so that one that holds itself ends
  for (const name of Object.keys(subgraphs)) specs[name] = describe(catalogue, document, name, new Set());
  return specs;
}

function describe(catalogue: Catalogue, document: Document, name: string, above: ReadonlySet<string>): NodeSpec {
  const subgraph = document.subgraphs![name]!;
  const inside = new Set([...above, name]);
  const spec = (type: string): NodeSpec | undefined => {
    const inner = subgraphName(type);
    if (inner === null) return catalogue.nodes[type];
    return document.subgraphs![inner] && !inside.has(inner) ? describe(catalogue, document, inner, inside) : undefined;
  };
  const properties: Record<string, SettingSchema> = {};
  for (const [parameter, { sets, description }] of Object.entries(subgraph.parameters ?? {})) {
    const [node, setting] = splitReference(sets[0] ?? "");
    const target = subgraph.nodes[node];
    const schema = target && spec(target.type)?.settings.properties?.[setting];
    const value = target?.settings?.[setting] ?? schema?.default;
    properties[parameter] = {
      ...schema,
      title: labelOf(parameter),
      ...(description ? { description } : {}),
      ...(value === undefined ? {} : { default: value }),
    };
  }
  return {
    id: SUBGRAPH + name,
    title: labelOf(name),
    category: SUBGRAPHS,
    description: subgraph.description ?? "",
    aliases: [],
    version: subgraph.version ?? 1,
    device: "",
    effect: false,
    inputs: Object.entries(subgraph.inputs ?? {}).map(([input, about]) => ({
      name: input,
      title: labelOf(input),
      type: about.type,
      description: about.description ?? "",
      required: !about.type.endsWith("?"),
      many: about.many ?? false,
    })),
    settings: { properties },
    wireable: Object.keys(properties),
    outputs: Object.entries(subgraph.outputs ?? {}).map(([output, { from, description }]) => {
      const [node, socket] = splitReference(from);
      const target = subgraph.nodes[node];
      const type = target && outputsOf(target, spec(target.type)).find((one) => one.name === socket)?.type;
      return { name: output, title: labelOf(output), type: type ?? "any", description: description ?? "" };
    }),
  };
}

/** List a node's outputs as they come: those of a zone are lists where it gives one value for each item. */
export function outputsOf(node: DocNode, spec: NodeSpec | undefined): readonly OutputSpec[] {
  if (!spec) return [];
  if (node.map) return spec.outputs.map((output) => ({ ...output, type: `list[${output.type}]` }));
  const collected = node.loop?.collect;
  if (!collected?.length) return spec.outputs;
  return spec.outputs.map((one) => (collected.includes(one.name) ? { ...one, type: `list[${one.type}]` } : one));
}

/** List a node's inputs as they are wired: those that a zone goes over take lists. */
export function inputsOf(node: DocNode, spec: NodeSpec | undefined): readonly InputSpec[] {
  if (!spec) return [];
  const over = node.map?.over ?? node.loop?.over;
  if (!over?.length) return spec.inputs;
  return spec.inputs.map((input) => (over.includes(input.name) ? { ...input, type: `list[${input.type}]` } : input));
}

/** Return the type of what may be wired into a setting. */
export function settingType(schema: SettingSchema): string {
  const names: Names<string> = { integer: "int", number: "float", string: "str", boolean: "bool" };
  if (schema.type === "array") return `list[${schema.items ? settingType(schema.items) : "any"}]`;
  const nullable = schema.anyOf?.find((one) => one.type !== "null");
  if (nullable) return `${settingType(nullable)}?`;
  return names[schema.type ?? ""] ?? "any";
}

/** Make a label of a name: `text_encoder` is `Text encoder`. */
export function labelOf(name: string): string {
  const words = name.replaceAll(/[_-]+/g, " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** Return what an input, output or setting of a node is called; of one that it has not got, its name. */
export function titleOf(spec: NodeSpec | undefined, name: string): string {
  const socket = (one: InputSpec | OutputSpec) => one.name === name;
  const setting = spec?.settings.properties?.[name];
  return (setting ?? spec?.inputs.find(socket) ?? spec?.outputs.find(socket))?.title ?? labelOf(name);
}
