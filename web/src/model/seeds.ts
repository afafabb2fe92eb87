/**
 * What happens to seeds before a run. The policy lies in the node's view, for it is the editor that changes the seed:
 * what a node shows is always what the latest run was given.
 */

import type { Catalogue, SettingSchema } from "./catalogue";
import type { Graph } from "./document";
import { changeNodeView, setSetting } from "./edits";

export type SeedPolicy = "fixed" | "increment" | "random";
export const SEED_POLICIES: readonly SeedPolicy[] = ["fixed", "increment", "random"];
/** Seeds that are thrown are short enough to be read out. */
const THROWN = 2 ** 32;

/** Return a seed by chance, of those that a setting allows. */
export function randomSeed(schema: SettingSchema): number {
  const least = schema.minimum ?? 0;
  const most = Math.min(schema.maximum ?? THROWN - 1, least + THROWN - 1);
  const [drawn] = crypto.getRandomValues(new Uint32Array(1));
  return least + (drawn! % (most - least + 1));
}

/** Say what is to happen to a seed before each run. */
export function setPolicy<G extends Graph>(graph: G, node: string, setting: string, policy: SeedPolicy): G {
  const { [setting]: _, ...rest } = graph.view?.nodes?.[node]?.seeds ?? {};
  const seeds = policy === "fixed" ? rest : { ...rest, [setting]: policy };
  return changeNodeView(graph, node, { seeds: Object.keys(seeds).length ? seeds : undefined });
}

/** Change the seeds that are to change before a run. */
export function advanceSeeds<G extends Graph>(graph: G, catalogue: Catalogue): G {
  let changed = graph;
  for (const [name, view] of Object.entries(graph.view?.nodes ?? {})) {
    const node = graph.nodes[name];
    for (const [setting, policy] of Object.entries(view.seeds ?? {})) {
      const schema = node && catalogue.nodes[node.type]?.settings.properties?.[setting];
      if (!schema || node.inputs?.[setting] !== undefined) continue;
      const value = node.settings?.[setting] ?? schema.default;
      const next = policy === "random" ? randomSeed(schema) : countOn(typeof value === "number" ? value : 0, schema);
      changed = setSetting(changed, name, setting, next);
    }
  }
  return changed;
}

function countOn(value: number, schema: SettingSchema): number {
  return value >= (schema.maximum ?? Number.MAX_SAFE_INTEGER) ? (schema.minimum ?? 0) : value + 1;
}
