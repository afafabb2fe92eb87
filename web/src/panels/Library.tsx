/** All workflows: the person's own, the examples, and those that were deleted. */

import { type ReactElement, useEffect, useMemo, useState } from "react";
import { useStore } from "zustand";

import type { WorkflowInfo } from "../api/client";
import { useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { chooseFiles, takeFiles } from "../session/dropping";
import { refreshWorkflows } from "../session/studio";
import { beginWorkflow, bringBack, library, lookForDeleted } from "../session/library";
import { Icon } from "../widgets/icons";
import { useDropTarget } from "../widgets/useDropTarget";
import { useWhen } from "./times";
import { Folders, Shelf } from "./Shelf";

const SORTS = ["changed", "title"] as const;
type Sort = (typeof SORTS)[number];

export function Library(): ReactElement {
  const say = useSay();
  const workflows = useStudio((state) => state.workflows);
  const [text, setText] = useState("");
  const [sort, setSort] = useState<Sort>("changed");
  const { isOver, handlers } = useDropTarget("Files", ({ files }) => void takeFiles([...files], null));
  const found = useMemo(() => workflows.filter((one) => matches(one, text)), [workflows, text]);
  const own = useMemo(() => found.filter((one) => one.own).sort(sort === "title" ? byTitle : byTime), [found, sort]);
  const examples = useMemo(() => found.filter((one) => !one.own).sort(byTitle), [found]);
  const [ready, lacking] = [examples.filter((one) => one.runs_here), examples.filter((one) => !one.runs_here)];
  useEffect(() => void refreshWorkflows(), []); // what they look like by now
  return (
    <div className={isOver ? "library library-over" : "library"} {...handlers}>
      <div className="library-head">
        <h1>{say("library")}</h1>
        <label className="library-search">
          <Icon name="search" />
          <input
            type="search"
            value={text}
            placeholder={say("searchWorkflows")}
            aria-label={say("searchWorkflows")}
            onChange={({ target }) => setText(target.value)}
          />
        </label>
        <select value={sort} aria-label={say("sortBy")} onChange={({ target }) => setSort(target.value as Sort)}>
          {SORTS.map((one) => (
            <option key={one} value={one}>
              {say(`sort_${one}`)}
            </option>
          ))}
        </select>
        <span className="top-gap" />
        <button type="button" className="with-icon" onClick={chooseFiles}>
          <Icon name="import" />
          {say("importFile")}
        </button>
        <button type="button" className="primary with-icon" onClick={() => void beginWorkflow()}>
          <Icon name="add" />
          {say("newWorkflow")}
        </button>
      </div>
      {text && !found.length && <p className="library-empty">{say("noneFound", { text })}</p>}
      {(own.length > 0 || !text) && (
        <section aria-labelledby="shelf-own">
          <h2 id="shelf-own">{say("own")}</h2>
          {!own.length && <p className="library-empty">{say("ownEmpty")}</p>}
          <Folders list={own} unfolded={text !== ""} />
        </section>
      )}
      {ready.length > 0 && (
        <section aria-labelledby="shelf-examples">
          <h2 id="shelf-examples">{say("examples")}</h2>
          <Shelf list={ready} />
        </section>
      )}
      {lacking.length > 0 && (
        <section aria-labelledby="shelf-lacking">
          <h2 id="shelf-lacking">{say("examplesLacking")}</h2>
          <p className="library-empty">{say("examplesLackingHow")}</p>
          <Shelf list={lacking} />
        </section>
      )}
      <Deleted />
      {isOver && <p className="library-drop">{say("dropToImport")}</p>}
    </div>
  );
}

function matches({ name, title, description, missing }: WorkflowInfo, text: string): boolean {
  const lacks = missing.map((one) => one.name).join(" ");
  const about = `${name} ${title} ${description} ${lacks}`.toLocaleLowerCase();
  return text
    .toLocaleLowerCase()
    .split(/\s+/)
    .every((word) => about.includes(word));
}

const { compare } = new Intl.Collator(undefined, { numeric: true });
const byTitle = (one: WorkflowInfo, other: WorkflowInfo): number => compare(one.title, other.title);
const byTime = (one: WorkflowInfo, other: WorkflowInfo): number => other.changed - one.changed;

function Deleted(): ReactElement | null {
  const say = useSay();
  const when = useWhen();
  const deleted = useStore(library, (state) => state.deleted);
  useEffect(() => void lookForDeleted(), []);
  if (!deleted.length) return null;
  return (
    <details className="library-deleted">
      <summary>
        {say("deletedWorkflows")} ({deleted.length})
      </summary>
      <ul>
        {deleted.map(({ name, title, saved }) => (
          <li key={name}>
            <strong>{title}</strong>
            <span>{when(saved)}</span>
            <button type="button" aria-label={`${say("bringBack")}: ${title}`} onClick={() => void bringBack(name)}>
              {say("bringBack")}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}
