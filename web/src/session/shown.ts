/** How the cards of the shown graph stand: in the run, and in the plan. Kept until one of them changes. */

import type { Run } from "../api/client";
import { type CardPlan, type Cards, NO_CARDS, placeOf, planCards, type PlannedNode, runCards } from "../model/cards";
import type { Document, Names } from "../model/document";
import { documentOf, editor, type EditorState, scopeOf } from "../model/editor";
import { looseNodes } from "../model/loose";
import { changedSince } from "../model/recipe";
import type { NodeRun } from "../model/runs";
import { type Studio, studio } from "./studio";

type Make<T, R, S> = (document: Document, scope: string | null, source: S, before: Cards<T, R>) => Cards<T, R>;

/** Return a reader of cards that makes them anew only when the graph or the source is another one. */
function reader<T, R, S extends object>(make: Make<T, R, S>): (source: S | null) => Names<R> {
  let made: Cards<T, R> = NO_CARDS as unknown as Cards<T, R>;
  let of: readonly unknown[] = [];
  return (source) => {
    if (!source) return NO_CARDS.states;
    const state: EditorState = editor.getState();
    const now = [documentOf(state), scopeOf(state), source];
    if (now.some((one, index) => one !== of[index])) {
      made = make(documentOf(state), scopeOf(state), source, made);
      of = now;
    }
    return made.states;
  };
}

const readRuns = reader<NodeRun, NodeRun, NonNullable<Studio["run"]>>(runCards);
const readPlans = reader<PlannedNode, CardPlan, readonly PlannedNode[]>(planCards);

/** Return how each card stands in the shown run. */
export const shownRuns = ({ run }: Pick<Studio, "run"> = studio.getState()): Names<NodeRun> => readRuns(run);

/** Return what a run would do to each card. */
export const shownPlans = ({ plan }: Pick<Studio, "plan"> = studio.getState()): Names<CardPlan> =>
  readPlans(plan?.nodes ?? null);

const NONE: ReadonlySet<string> = new Set();
let loose = NONE;
let looseOf: readonly unknown[] = [];

/** Return the nodes of the shown graph that a run leaves out, since nothing takes what they give. */
export function shownLoose(
  { plan, planned }: Pick<Studio, "plan" | "planned"> = studio.getState(),
): ReadonlySet<string> {
  if (!plan || !planned || plan.problems.length) return NONE;
  const scope = scopeOf(editor.getState());
  const now = [planned, scope, plan, shownPlans({ plan })];
  if (now.some((one, index) => one !== looseOf[index])) {
    loose = looseNodes(planned, scope, shownPlans({ plan }));
    looseOf = now;
  }
  return loose;
}

const UNCHANGED: ReadonlySet<string> = new Set();
let changes = UNCHANGED;
let changesOf: readonly unknown[] = [];

/** Return the nodes of the shown graph that are made differently than in the run that is shown. */
export function shownChanges(ran: Document | null, state: EditorState = editor.getState()): ReadonlySet<string> {
  if (!ran) return UNCHANGED;
  const now = [ran, documentOf(state), scopeOf(state)];
  if (now.some((one, index) => one !== changesOf[index])) {
    changes = changedSince(ran, documentOf(state), scopeOf(state));
    changesOf = now;
  }
  return changes;
}

let files: Names<string> = {};
let filesOf: readonly unknown[] = [];

/** Return the picture of the first file that each card of the shown graph wrote; in a run of others, before that. */
export function shownFiles({ result, former }: Pick<Studio, "result" | "former">): Names<string> {
  const state = editor.getState();
  const now = [result, former, documentOf(state), scopeOf(state)];
  if (now.some((one, index) => one !== filesOf[index])) {
    const [document, scope] = [documentOf(state), scopeOf(state)];
    files = { ...picturesByCard(former, document, scope), ...picturesByCard(result, document, scope) };
    filesOf = now;
  }
  return files;
}

function picturesByCard(run: Run | null, document: Document, scope: string | null): Names<string> {
  const found: Record<string, string> = {};
  for (const { node, thumbnail } of run?.files ?? []) {
    const card = placeOf(document, scope, node)?.card;
    if (card && thumbnail) found[card] ??= `${thumbnail}?size=512`;
  }
  return found;
}
