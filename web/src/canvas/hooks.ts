/** What components read of the stores. */

import { useStore } from "zustand";

import type { CardPlan } from "../model/cards";
import type { NodeRun } from "../model/runs";
import { documentOf, editor, type EditorState, scopeOf, shownGraph } from "../model/editor";
import { type Document, type Graph, type Scope, splitReference } from "../model/document";
import type { Checked, Problem } from "../api/client";
import { shownPlans, shownRuns } from "../session/shown";
import { studio, type Studio } from "../session/studio";
import { workspace, type Workspace } from "../session/workspace";
import { stage, type Stage } from "./stage";

export const useEditor = <T>(read: (state: EditorState) => T): T => useStore(editor, read);
export const useStudio = <T>(read: (state: Studio) => T): T => useStore(studio, read);
export const useWorkspace = <T>(read: (state: Workspace) => T): T => useStore(workspace, read);
export const useStage = <T>(read: (state: Stage) => T): T => useStore(stage, read);
export const useGraph = (): Graph => useEditor(shownGraph);
export const useDocument = (): Document => useEditor(documentOf);
export const useScope = (): Scope => useEditor(scopeOf);

/** Return how a node stands in the shown run. */
export const useNodeRun = (name: string): NodeRun | undefined => useStudio((state) => shownRuns(state)[name]);

/** Return what a run would do to a node. */
export const useNodePlan = (name: string): CardPlan | undefined => useStudio((state) => shownPlans(state)[name]);

/** Return what is wrong at a node; the same list for as long as nothing was checked anew. */
export const useProblems = (name: string): readonly Problem[] =>
  useStudio(({ checked }) => (checked && problemsByNode(checked).get(name)) ?? NONE);

const NONE: readonly Problem[] = [];
const sorted = new WeakMap<Checked, ReadonlyMap<string, readonly Problem[]>>();

/** Sort what was found by the node at which it is: once, not once for each node. */
function problemsByNode(checked: Checked): ReadonlyMap<string, readonly Problem[]> {
  const known = sorted.get(checked);
  if (known) return known;
  const made = new Map<string, Problem[]>();
  for (const problem of checked.problems) {
    const [node] = splitReference(problem.place);
    made.set(node, [...(made.get(node) ?? []), problem]);
  }
  sorted.set(checked, made);
  return made;
}
