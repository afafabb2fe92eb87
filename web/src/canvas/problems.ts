/** What is wrong, by the cards of the shown graph: what lies deeper in a subgraph is told at the card it lies in. */

import type { Checked, Problem } from "../api/client";
import { type Language, language } from "../i18n";
import { phraseOf } from "../i18n/problems";
import { placeOf } from "../model/cards";
import { type Document, type Scope, splitReference } from "../model/document";

export type CardProblems = ReadonlyMap<string, readonly Problem[]>;

let last: { checked: Checked | null; scope: Scope; code: Language; found: CardProblems } | null = null;

/** Return what is wrong at each card, in the person's language; the same map for as long as nothing was checked anew. */
export function problemsByCard(checked: Checked | null, document: Document, scope: Scope): CardProblems {
  const { code } = language.getState();
  if (last && last.checked === checked && last.scope === scope && last.code === code) return last.found;
  const found = new Map<string, Problem[]>();
  for (const problem of checked?.problems ?? []) {
    const [node, socket] = splitReference(problem.place);
    const place = placeOf(document, scope, node);
    if (!place) continue;
    const told = place.within
      ? inWords(code, problem, place.card, [place.within, socket].filter(Boolean).join("."))
      : inWords(code, problem, socket ? `${place.card}.${socket}` : place.card);
    const list = found.get(place.card) ?? [];
    // a subgraph that is used often has the same problem in each of its uses
    if (!list.some(({ place: at, message }) => at === told.place && message === told.message)) list.push(told);
    found.set(place.card, list);
  }
  last = { checked, scope, code, found };
  return found;
}

/** Say a problem in a language, as one of a place; `within` is the way to it from there. */
function inWords(code: Language, problem: Problem, place: string, within = ""): Problem {
  const { cure: _, ...rest } = problem;
  const { message, cure } = phraseOf(code, problem);
  const said = { ...rest, place, message: within ? `${within}: ${message}` : message };
  return cure === undefined ? said : { ...said, cure };
}

/** Return all that is wrong, in a language. */
export function allProblems(checked: Checked | null, code: Language): readonly Problem[] {
  return (checked?.problems ?? []).map((problem) => inWords(code, problem, problem.place));
}
