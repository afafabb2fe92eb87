/** A workflow's public face: which of its settings people are asked for, under which names, in which order. */

import { type Catalogue, labelOf, outputsOf, type SettingSchema, specOf } from "./catalogue";
import { type Document, type Graph, type Json, type Names, splitReference } from "./document";
import { parameterOf, putParameter, setSetting } from "./edits";
import { freeName, isName } from "./names";

/** A parameter as a form shows it. */
export interface Field {
  readonly name: string;
  readonly description: string;
  readonly schema: SettingSchema;
  /** What the first setting it sets has now; undefined is that setting's default. */
  readonly value: Json | undefined;
  readonly node: string;
  readonly setting: string;
  readonly sets: readonly string[];
}

/** List the parameters of a graph as fields; those whose settings are not there any more are left out. */
export function fields(catalogue: Catalogue, document: Document, graph: Graph): readonly Field[] {
  return Object.entries(graph.parameters ?? {}).flatMap(([name, { sets, description }]) => {
    const [node, setting] = splitReference(sets[0] ?? "");
    const target = graph.nodes[node];
    const schema =
      target && (loopSchema(setting) ?? specOf(catalogue, document, target.type)?.settings.properties?.[setting]);
    if (!target || !schema) return [];
    const value = setting.startsWith("loop.")
      ? ((target.loop as Names<Json> | undefined)?.[setting.slice(5)] ?? undefined)
      : target.settings?.[setting];
    return [{ name, description: description ?? schema.description ?? "", schema, value, node, setting, sets }];
  });
}

/** Return what a parameter is called: as the setting it sets, where it has that one's name, else by its own. */
export function parameterTitle({ name, setting, schema }: Field): string {
  return (name === setting ? schema.title : undefined) ?? labelOf(name);
}

function loopSchema(setting: string): SettingSchema | null {
  if (setting === "loop.times") return { type: "integer", minimum: 0, maximum: 1_000_000 };
  return setting === "loop.at_most" ? { type: "integer", minimum: 1, maximum: 1_000_000, default: 1000 } : null;
}

/** Make a parameter of a setting, named after it; the same graph where it has one already. */
export function promote<G extends Graph>(graph: G, node: string, setting: string): G {
  if (parameterOf(graph, node, setting)) return graph;
  const taken = graph.parameters ?? {};
  const name =
    !(setting in taken) && isName(setting) ? setting : freeName(isName(node) ? `${node}_${setting}` : setting, taken);
  return putParameter(graph, name, { sets: [`${node}.${setting}`] });
}

/** Take a setting out of the parameter that sets it; a parameter that sets nothing is gone. */
export function demote<G extends Graph>(graph: G, node: string, setting: string): G {
  const name = parameterOf(graph, node, setting);
  if (!name) return graph;
  const parameter = graph.parameters![name]!;
  const sets = parameter.sets.filter((target) => target !== `${node}.${setting}`);
  return putParameter(graph, name, sets.length ? { ...parameter, sets } : null);
}

/** Set what a parameter sets. */
export function setParameter<G extends Graph>(graph: G, { sets }: Field, value: Json): G {
  let changed = graph;
  for (const target of sets) {
    const [node, setting] = splitReference(target);
    const one = changed.nodes[node];
    if (!one) continue;
    changed = setting.startsWith("loop.")
      ? {
          ...changed,
          nodes: { ...changed.nodes, [node]: { ...one, loop: { ...one.loop, [setting.slice(5)]: value } } },
        }
      : setSetting(changed, node, setting, value);
  }
  return changed;
}

/** Give a parameter another name, keeping its place; the same graph where the name is taken or cannot be one. */
export function renameParameter<G extends Graph>(graph: G, before: string, after: string): G {
  const parameters = graph.parameters ?? {};
  if (before === after || !isName(after) || after in parameters) return graph;
  const renamed = Object.entries(parameters).map(([name, one]) => [name === before ? after : name, one]);
  return { ...graph, parameters: Object.fromEntries(renamed) };
}

/** Move a parameter up or down in the order in which people are asked. */
export function moveParameter<G extends Graph>(graph: G, name: string, by: number): G {
  const entries = Object.entries(graph.parameters ?? {});
  const from = entries.findIndex(([key]) => key === name);
  const to = from + by;
  if (from < 0 || to < 0 || to >= entries.length) return graph;
  const [moved] = entries.splice(from, 1);
  entries.splice(to, 0, moved!);
  return { ...graph, parameters: Object.fromEntries(entries) };
}

/** List the nodes whose pictures an app view shows: those of the workflow's outputs, else those that write files. */
export function resultNodes(catalogue: Catalogue, document: Document): readonly string[] {
  const named = Object.values(document.outputs ?? {}).map(({ from }) => splitReference(from)[0]);
  if (named.length) return [...new Set(named)];
  return Object.entries(document.nodes)
    .filter(([, node]) => specOf(catalogue, document, node.type)?.effect)
    .map(([name]) => name);
}

/** Return the type of what an output of the workflow is. */
export function outputType(catalogue: Catalogue, document: Document, from: string): string {
  const [node, socket] = splitReference(from);
  const target = document.nodes[node];
  const outputs = target ? outputsOf(target, specOf(catalogue, document, target.type)) : [];
  return outputs.find(({ name }) => name === socket)?.type ?? "any";
}
