/** Whether a wire that is being drawn may be, and if not, why; and what to do with it when it is let go. */

import type { Catalogue } from "../model/catalogue";
import { outputsOf, specOf } from "../model/catalogue";
import type { Document, Graph } from "../model/document";
import { closesCircle } from "../model/edits";
import { judge } from "../model/types";
import { takes } from "./flow";

export type Verdict =
  | { readonly ok: true; readonly many: boolean; readonly through: string | null }
  | { readonly ok: false; readonly reason: "noFit" | "circle" | "gone"; readonly from: string; readonly into: string };

/** Judge a wire from an output into an input. */
export function verdict(
  catalogue: Catalogue,
  document: Document,
  graph: Graph,
  from: { readonly node: string; readonly output: string },
  into: { readonly node: string; readonly input: string },
): Verdict {
  const source = graph.nodes[from.node];
  const target = graph.nodes[into.node];
  const output =
    source && outputsOf(source, specOf(catalogue, document, source.type)).find(({ name }) => name === from.output);
  const input = target && takes(target, specOf(catalogue, document, target.type), into.input);
  if (!output || !input) return { ok: false, reason: "gone", from: from.output, into: into.input };
  if (closesCircle(graph, from.node, into.node)) {
    return { ok: false, reason: "circle", from: output.type, into: input.type };
  }
  const fit = judge(output.type, input.type, catalogue.types);
  if (!fit.ok) return { ok: false, reason: "noFit", from: output.type, into: input.type };
  return { ok: true, many: input.many, through: fit.conversion?.node ?? null };
}
