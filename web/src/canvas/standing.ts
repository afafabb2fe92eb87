/** How each card of the shown graph stands, in a word: for what shows all of them at once. */

import { useMemo } from "react";

import { outcomeOf } from "../model/outcome";
import { isOpen } from "../model/runs";
import { shownChanges, shownPlans, shownRuns } from "../session/shown";
import { useDocument, useScope, useStudio } from "./hooks";
import { problemsByCard } from "./problems";

export interface Standing {
  /** `wrong`, or the kind of the card's outcome; empty where there is none. */
  readonly kind: string;
  /** How the card stands in the shown run; empty where it is not in it. */
  readonly status: string;
}

/** Return how cards stand, by name; the same map until one of them stands otherwise. */
export function useStandings(): ReadonlyMap<string, Standing> {
  const document = useDocument();
  const scope = useScope();
  // one text for all of them: it changes only when a card's standing does, not with every step of it
  const told = useStudio((state) => {
    const [runs, plans] = [shownRuns(state), shownPlans(state)];
    const [changes, open] = [shownChanges(state.ran), isOpen(state.run)];
    const outcomes = Object.keys({ ...runs, ...plans }).map(
      (name) =>
        `${name} ${outcomeOf(runs[name], plans[name], open, changes.has(name))?.kind ?? ""} ${runs[name]?.status ?? ""}`,
    );
    const wrong = [...problemsByCard(state.checked, document, scope).keys()].map(
      (name) => `${name} wrong ${runs[name]?.status ?? ""}`,
    );
    return [...outcomes, ...wrong].join("\n");
  });
  return useMemo(
    () =>
      new Map(
        told.split("\n").map((line) => {
          const [name, kind, status] = line.split(" ");
          return [name!, { kind: kind ?? "", status: status ?? "" }] as const;
        }),
      ),
    [told],
  );
}
