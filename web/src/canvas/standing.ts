/** How each card of the shown graph stands, in a word: for what shows all of them at once. */

import { useMemo } from "react";

import { outcomeOf } from "../model/outcome";
import { isOpen } from "../model/runs";
import { shownChanges, shownPlans, shownRuns } from "../session/shown";
import { useDocument, useScope, useStudio } from "./hooks";
import { problemsByCard } from "./problems";

/** `wrong`, or the kind of a card's outcome; empty where there is none. */
export type Standing = string;

/** Return how cards stand, by name; the same map until one of them stands otherwise. */
export function useStandings(): ReadonlyMap<string, Standing> {
  const document = useDocument();
  const scope = useScope();
  // one text for all of them: it changes only when a card's standing does, not with every step of it
  const told = useStudio((state) => {
    const [runs, plans] = [shownRuns(state), shownPlans(state)];
    const [changes, open] = [shownChanges(state.ran), isOpen(state.run)];
    const outcomes = Object.keys({ ...runs, ...plans }).map(
      (name) => `${name} ${outcomeOf(runs[name], plans[name], open, changes.has(name))?.kind ?? ""}`,
    );
    const wrong = [...problemsByCard(state.checked, document, scope).keys()].map((name) => `${name} wrong`);
    return [...outcomes, ...wrong].join("\n");
  });
  return useMemo(
    () =>
      new Map(
        told.split("\n").map((line) => {
          const [name, standing] = line.split(" ");
          return [name!, standing ?? ""] as const;
        }),
      ),
    [told],
  );
}
