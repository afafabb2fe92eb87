/** The graph as a list, for those who do not see it: nodes in the order they work, and what is wrong. */

import { type ReactElement, useMemo } from "react";

import { useAllProblems, useDocument, useEditor, useGraph, useOutcome, useProblems, useStudio } from "../canvas/hooks";
import { show } from "../commands/walk";
import { useSay } from "../i18n";
import { type NodeSpec, specOf, titleOf } from "../model/catalogue";
import { splitReference } from "../model/document";
import { editor } from "../model/editor";
import { outlineOf, type OutlineEntry } from "../model/outline";
import { MissingNodes } from "./Strays";

/** Select a node and bring it into view. */
function goTo(name: string): void {
  editor.getState().select([name]);
  show(name);
}

export function Outline(): ReactElement {
  const say = useSay();
  const graph = useGraph();
  const entries = useMemo(() => outlineOf(graph), [graph]);
  return (
    <section className="outline">
      <h2>{say("outline")}</h2>
      <Problems />
      {!entries.length && <p className="side-empty">{say("outlineEmpty")}</p>}
      <ol>
        {entries.map((entry) => (
          <OutlineNode key={entry.name} entry={entry} />
        ))}
      </ol>
    </section>
  );
}

function Problems(): ReactElement | null {
  const say = useSay();
  const problems = useAllProblems();
  const graph = useGraph();
  if (!problems.length) return null;
  return (
    <section aria-label={say("problems", { count: problems.length })}>
      <h3>{say("problems", { count: problems.length })}</h3>
      <ul className="outline-problems">
        {problems.map(({ place, message }) => {
          const [name] = splitReference(place);
          return (
            <li key={place + message}>
              {graph.nodes[name] ? (
                <button type="button" onClick={() => goTo(name)}>
                  <strong>{place}</strong> {message}
                </button>
              ) : (
                <>
                  <strong>{place}</strong> {message}
                </>
              )}
            </li>
          );
        })}
      </ul>
      <MissingNodes />
    </section>
  );
}

function OutlineNode({ entry: { name, takes, gives } }: { readonly entry: OutlineEntry }): ReactElement {
  const say = useSay();
  const isChosen = useEditor(({ selected }) => selected.has(name));
  const problems = useProblems(name);
  const { title, spec } = useTitle(name);
  const outcome = useOutcome(name);
  return (
    <li>
      <button type="button" aria-pressed={isChosen} onClick={() => goTo(name)}>
        <strong>{title}</strong> <span>{name}</span>
        {outcome && <small> {say(`state_${outcome.kind}`)}</small>}
        {problems.length > 0 && <em> {say("problems", { count: problems.length })}</em>}
      </button>
      {(takes.length > 0 || gives.length > 0) && (
        <ul>
          {takes.map(({ input, from }, index) => (
            <li key={`${input} ${index}`}>{say("takesFrom", { input: titleOf(spec, input), from })}</li>
          ))}
          {gives.length > 0 && <li>{say("givesTo", { nodes: gives.join(", ") })}</li>}
        </ul>
      )}
    </li>
  );
}

function useTitle(name: string): { readonly title: string; readonly spec: NodeSpec | undefined } {
  const catalogue = useStudio((state) => state.catalogue);
  const document = useDocument();
  const graph = useGraph();
  const node = graph.nodes[name]!;
  const spec = specOf(catalogue, document, node.type);
  return { title: graph.view?.nodes?.[name]?.title ?? spec?.title ?? node.type, spec };
}
