/** What is wrong, by the cards of the shown graph: what lies deeper in a subgraph is told at the card it lies in. */

import type { Checked, Problem } from "../api/client";
import { placeOf } from "../model/cards";
import { type Document, type Scope, splitReference } from "../model/document";

export type CardProblems = ReadonlyMap<string, readonly Problem[]>;

let last: { checked: Checked | null; scope: Scope; found: CardProblems } | null = null;

/** Return what is wrong at each card; the same map for as long as nothing was checked anew. */
export function problemsByCard(checked: Checked | null, document: Document, scope: Scope): CardProblems {
  if (last && last.checked === checked && last.scope === scope) return last.found;
  const found = new Map<string, Problem[]>();
  for (const problem of checked?.problems ?? []) {
    const [node, socket] = splitReference(problem.place);
    const place = placeOf(document, scope, node);
    if (!place) continue;
    const told = place.within
      ? {
          ...problem,
          place: place.card,
          message: `${[place.within, socket].filter(Boolean).join(".")}: ${problem.message}`,
        }
      : { ...problem, place: socket ? `${place.card}.${socket}` : place.card };
    const list = found.get(place.card) ?? [];
    // a subgraph that is used often has the same problem in each of its uses
    if (!list.some(({ place: at, message }) => at === told.place && message === told.message)) list.push(told);
    found.set(place.card, list);
  }
  last = { checked, scope, found };
  return found;
}
