/** Workflows side by side: those of a folder, or of none; of many, those in sight and a few more. */

import { type ReactElement, type ReactNode, useEffect, useMemo, useRef, useState } from "react";
import { useStore } from "zustand";

import type { WorkflowInfo } from "../api/client";
import { useSay } from "../i18n";
import { folderOf } from "../model/filenames";
import { draftedNames } from "../session/drafts";
import { moveToFolder } from "../session/library";
import { fold, preferences } from "../session/preferences";
import { Icon } from "../widgets/icons";
import { useDropTarget } from "../widgets/useDropTarget";
import { WORKFLOW_TYPE, WorkflowCard } from "./WorkflowCard";

/** Cards that are drawn with each step further down. */
const STEP = 60;
/** Cards of a folder that are drawn at first: there may be many folders. */
const FEW = 12;

interface ShelfProps {
  readonly list: readonly WorkflowInfo[];
  /** How many are drawn at first. */
  readonly first?: number;
}

/** A list of workflows, drawn as far as one has come. */
export function Shelf({ list, first = STEP }: ShelfProps): ReactElement {
  const say = useSay();
  const [shown, setShown] = useState(first);
  const drafted = draftedNames();
  const left = list.length - shown;
  return (
    <>
      <ul className="shelf">
        {list.slice(0, shown).map((info) => (
          <WorkflowCard key={info.name} info={info} drafted={info.own && drafted.has(info.name)} />
        ))}
      </ul>
      {left > 0 && (
        <More key={shown} onMore={() => setShown(shown + STEP)}>
          {say("moreWorkflows", { count: left })}
        </More>
      )}
    </>
  );
}

/** A button that presses itself when it comes into sight. */
function More({ onMore, children }: { onMore(): void; readonly children: ReactNode }): ReactElement {
  const button = useRef<HTMLButtonElement>(null);
  const more = useRef(onMore);
  useEffect(() => {
    more.current = onMore;
  });
  useEffect(() => {
    const watching = new IntersectionObserver(([entry]) => entry?.isIntersecting && more.current(), {
      rootMargin: "600px",
    });
    watching.observe(button.current!);
    return () => watching.disconnect();
  }, []);
  return (
    <button ref={button} type="button" className="shelf-more" onClick={onMore}>
      {children}
    </button>
  );
}

interface FoldersProps {
  readonly list: readonly WorkflowInfo[];
  /** Whether all folders are open, as where one searches. */
  readonly unfolded: boolean;
}

/** Workflows by their folders: first those in none. One that is dragged onto a folder is put there. */
export function Folders({ list, unfolded }: FoldersProps): ReactElement {
  const groups = useMemo(() => grouped(list), [list]);
  const folders = [...groups.keys()].filter(Boolean).sort((one, other) => one.localeCompare(other));
  return (
    <>
      {(groups.has("") || folders.length > 0) && (
        <Place folder="">
          <Shelf list={groups.get("") ?? []} />
        </Place>
      )}
      {folders.map((folder) => (
        <Folder key={folder} folder={folder} list={groups.get(folder)!} unfolded={unfolded} />
      ))}
    </>
  );
}

function grouped(list: readonly WorkflowInfo[]): ReadonlyMap<string, readonly WorkflowInfo[]> {
  const groups = new Map<string, WorkflowInfo[]>();
  for (const info of list) {
    const folder = folderOf(info.name);
    const group = groups.get(folder);
    if (group) group.push(info);
    else groups.set(folder, [info]);
  }
  return groups;
}

function Folder({ folder, list, unfolded }: FoldersProps & { readonly folder: string }): ReactElement {
  const isFolded = useStore(preferences, ({ folded }) => folded.has(folder)) && !unfolded;
  return (
    <Place folder={folder}>
      <details className="folder" open={!isFolded}>
        <summary
          onClick={(event) => {
            event.preventDefault(); // whether it is open is kept, and not the browser's to say
            if (!unfolded) fold(folder, !isFolded);
          }}
        >
          <Icon name="folder" />
          <span>{folder.replaceAll("/", " / ")}</span>
          <small>{list.length}</small>
        </summary>
        {!isFolded && <Shelf list={list} first={FEW} />}
      </details>
    </Place>
  );
}

/** Where a workflow can be dropped to be put into a folder. */
function Place({ folder, children }: { readonly folder: string; readonly children: ReactNode }): ReactElement {
  const { isOver, handlers } = useDropTarget(
    WORKFLOW_TYPE,
    (data) => void moveToFolder(data.getData(WORKFLOW_TYPE), folder),
  );
  return (
    <div className={isOver ? "folder-place folder-over" : "folder-place"} {...handlers}>
      {children}
    </div>
  );
}
