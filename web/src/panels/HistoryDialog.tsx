/** The versions of a workflow that were saved, what changed in each, and the way back to one. */

import { type ReactElement, useEffect, useState } from "react";

import { listVersions, readVersion } from "../api/client";
import { wordsOf } from "../api/socket";
import { useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { type Change, changesBetween } from "../model/changes";
import { EMPTY } from "../model/document";
import { readDocument } from "../model/reading";
import { choices, type Sitting, sittings } from "../model/versions";
import { restoreDocument } from "../session/library";
import { notify } from "../session/notices";
import { flush } from "../session/workspace";
import { Dialog } from "../widgets/Dialog";
import { useWhen } from "./times";

interface HistoryDialogProps {
  readonly name: string;
  onClose(): void;
}

export function HistoryDialog({ name, onClose }: HistoryDialogProps): ReactElement {
  const say = useSay();
  const when = useWhen();
  const isOpen = useWorkspace((state) => state.name === name);
  const [list, setList] = useState<readonly Sitting[] | null>(null);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const [picked, setPicked] = useState<number | null>(null);
  useEffect(() => {
    (isOpen ? flush() : Promise.resolve())
      .then(() => listVersions(name))
      .then((versions) => setList(sittings(versions)))
      .catch((error: unknown) => notify("error", "failed", { why: wordsOf(error) }));
  }, [name, isOpen]);
  const rows = choices(list ?? [], opened);
  const at = Math.max(
    0,
    rows.findIndex(({ version }) => version === picked),
  );
  const chosen = rows[at];
  const before = rows[at + 1];
  const restore = async () => {
    const reading = readDocument(await readVersion(name, chosen!.version));
    if (reading.ok && (await restoreDocument(name, reading.document))) onClose();
  };
  return (
    <Dialog title={say("historyOf", { name })} className="history-dialog" onClose={onClose}>
      {list?.length === 0 && <p className="side-empty">{say("noHistory")}</p>}
      <div className="history">
        <ul className="history-list">
          {rows.map(({ version, saved }, index) => (
            <li key={version}>
              <button type="button" aria-pressed={index === at} onClick={() => setPicked(version)}>
                <span>{index === 0 ? say("versionNow") : when(saved)}</span>
                <small>{new Date(saved * 1000).toLocaleString(document.documentElement.lang)}</small>
              </button>
              <Earlier
                sitting={list?.find((one) => one.version === version)}
                opened={opened}
                onOpen={() => setOpened(new Set([...opened, version]))}
              />
            </li>
          ))}
        </ul>
        {chosen && (
          <section className="history-changes" aria-live="polite">
            <h3>{say("changedHere")}</h3>
            <Changes key={chosen.version} name={name} version={chosen.version} before={before?.version ?? null} />
            <button type="button" className="primary" disabled={at === 0} onClick={() => void restore()}>
              {say("restoreThis")}
            </button>
          </section>
        )}
      </div>
    </Dialog>
  );
}

interface EarlierProps {
  readonly sitting: Sitting | undefined;
  readonly opened: ReadonlySet<number>;
  onOpen(): void;
}

/** The way to the single saves of a sitting, which are shown as one at first. */
function Earlier({ sitting, opened, onOpen }: EarlierProps): ReactElement | null {
  const say = useSay();
  if (!sitting?.earlier.length || opened.has(sitting.version)) return null;
  return (
    <button type="button" className="history-more" onClick={onOpen}>
      {say("savesTogether", { count: sitting.earlier.length + 1 })}
    </button>
  );
}

interface ChangesProps {
  readonly name: string;
  readonly version: number;
  readonly before: number | null;
}

function Changes({ name, version, before }: ChangesProps): ReactElement {
  const say = useSay();
  const [changes, setChanges] = useState<readonly Change[] | null>(null);
  useEffect(() => {
    let isWanted = true;
    const read = async (one: number | null) => {
      const reading = one === null ? null : readDocument(await readVersion(name, one));
      return reading?.ok ? reading.document : EMPTY;
    };
    Promise.all([read(before), read(version)]).then(
      ([old, now]) => isWanted && setChanges(changesBetween(old, now)),
      (error: unknown) => notify("error", "failed", { why: wordsOf(error) }),
    );
    return () => void (isWanted = false);
  }, [name, version, before]);
  if (changes?.length === 0) return <p className="side-empty">{say("nothingChanged")}</p>;
  return (
    <ul>
      {changes?.map(({ kind, node, parts }) => (
        <li key={`${kind} ${node}`} className={`change-${kind}`}>
          <strong>{node || say("wholeWorkflow")}</strong>{" "}
          {kind === "changed" ? parts.map((part) => partLabel(say, node, part)).join(", ") : say(`change_${kind}`)}
        </li>
      ))}
    </ul>
  );
}

const FACE = ["name", "description", "parameters", "outputs", "inputs", "view"] as const;

/** Say what of the workflow itself changed; what of a node did stays as the file names it. */
function partLabel(say: ReturnType<typeof useSay>, node: string, part: string): string {
  const face = FACE.find((one) => one === part);
  return face && !node ? say(`part_${face}`) : part;
}
