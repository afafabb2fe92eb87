/** What components read of the stores. */

import { useMemo } from "react";
import { useStore } from "zustand";

import { labelOf } from "../model/catalogue";
import type { CardPlan } from "../model/cards";
import type { NodeRun } from "../model/runs";
import { documentOf, editor, type EditorState, scopeOf, shownGraph } from "../model/editor";
import { type Document, type Graph, type Scope } from "../model/document";
import { fields, parameterTitle } from "../model/parameters";
import type { Problem } from "../api/client";
import { language } from "../i18n";
import { type Outcome, outcomeOf } from "../model/outcome";
import { isOpen } from "../model/runs";
import { shownChanges, shownFiles, shownLoose, shownPlans, shownRuns } from "../session/shown";
import { studio, type Studio } from "../session/studio";
import { workspace, type Workspace } from "../session/workspace";
import { allProblems, problemsByCard } from "./problems";
import { stage, type Stage } from "./stage";

export const useEditor = <T>(read: (state: EditorState) => T): T => useStore(editor, read);
export const useStudio = <T>(read: (state: Studio) => T): T => useStore(studio, read);
export const useWorkspace = <T>(read: (state: Workspace) => T): T => useStore(workspace, read);
export const useStage = <T>(read: (state: Stage) => T): T => useStore(stage, read);
export const useGraph = (): Graph => useEditor(shownGraph);
export const useDocument = (): Document => useEditor(documentOf);
export const useScope = (): Scope => useEditor(scopeOf);

/** Return how to tell what a parameter of a workflow is called; by its name alone while the workflow is not known. */
export function useParameterTitle(document: Document | null): (name: string) => string {
  const catalogue = useStudio((state) => state.catalogue);
  const titles = useMemo(() => {
    const list = document ? fields(catalogue, document, document) : [];
    return new Map(list.map((field) => [field.name, parameterTitle(field)]));
  }, [catalogue, document]);
  return (name) => titles.get(name) ?? labelOf(name);
}

/** Return how a node stands in the shown run. */
export const useNodeRun = (name: string): NodeRun | undefined => useStudio((state) => shownRuns(state)[name]);

/** Return what a run would do to a node. */
export const useNodePlan = (name: string): CardPlan | undefined => useStudio((state) => shownPlans(state)[name]);

/** Return the picture of the first file that a node wrote. */
export const useNodeFile = (name: string): string | undefined => useStudio((state) => shownFiles(state)[name]);

/** Return what a node's card says of itself. */
export function useOutcome(name: string): Outcome | null {
  const run = useNodeRun(name);
  const plan = useNodePlan(name);
  const open = useStudio((state) => isOpen(state.run));
  const ran = useStudio((state) => state.ran);
  const changed = useEditor((state) => shownChanges(ran, state).has(name));
  const loose = useStudio((state) => shownLoose(state).has(name));
  return outcomeOf(run, plan, open, changed, loose);
}

/** Tell whether the shown run was asked to stop, and has not yet. */
export const useStopping = (): boolean => useStudio(({ run, stopping }) => isOpen(run) && run?.id === stopping);

/** Return all that is wrong, in the person's language. */
export function useAllProblems(): readonly Problem[] {
  const code = useStore(language, (state) => state.code);
  const checked = useStudio((state) => state.checked);
  return useMemo(() => allProblems(checked, code), [checked, code]);
}

/** Return what is wrong at a node, in the person's language. */
export function useProblems(name: string): readonly Problem[] {
  useStore(language); // what is wrong is said anew when it changes
  return useStudio(({ checked }) => {
    const state = editor.getState(); // looked at, not followed: what is checked follows it soon enough
    return problemsByCard(checked, documentOf(state), scopeOf(state)).get(name) ?? NO_PROBLEMS;
  });
}

const NO_PROBLEMS: readonly Problem[] = [];
