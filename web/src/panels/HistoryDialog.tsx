/** The versions of a workflow that are kept, what changed in each, its name, and the way back to it. */

import { type FormEvent, type ReactElement, useEffect, useState } from "react";

import { labelVersion, listVersions, readVersion, type Version } from "../api/client";
import { wordsOf } from "../api/socket";
import { useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { readDocument } from "../model/reading";
import { choices, type SavedVersion, type Sitting, sittings } from "../model/versions";
import { restoreDocument } from "../session/library";
import { notify } from "../session/notices";
import { flush } from "../session/workspace";
import { Dialog } from "../widgets/Dialog";
import { useWhen } from "./times";
import { VersionChanges } from "./VersionChanges";

interface HistoryDialogProps {
  readonly name: string;
  onClose(): void;
}

export function HistoryDialog({ name, onClose }: HistoryDialogProps): ReactElement {
  const say = useSay();
  const isOpen = useWorkspace((state) => state.name === name);
  const [versions, setVersions] = useState<readonly Version[] | null>(null);
  const [opened, setOpened] = useState<ReadonlySet<number>>(new Set());
  const [picked, setPicked] = useState<number | null>(null);
  useEffect(() => {
    (isOpen ? flush() : Promise.resolve())
      .then(() => listVersions(name))
      .then(setVersions)
      .catch((error: unknown) => notify("error", "failed", { why: wordsOf(error) }));
  }, [name, isOpen]);
  const list = sittings(versions ?? []);
  const rows = choices(list, opened);
  const at = Math.max(
    0,
    rows.findIndex(({ version }) => version === picked),
  );
  const chosen = rows[at];
  const file = useStudio((state) => state.workflows.find((one) => one.name === name)?.etag);
  // a file that was changed by hand is none of the versions yet
  const isNow = isOpen || versions?.[0]?.etag === file;
  const restore = async () => {
    const reading = readDocument(await readVersion(name, chosen!.version));
    if (reading.ok && (await restoreDocument(name, reading.document))) onClose();
  };
  const label = async (text: string) => {
    try {
      const named = await labelVersion(name, chosen!.version, text);
      setVersions((known) => known?.map((one) => (one.version === named.version ? named : one)) ?? null);
    } catch (error) {
      notify("error", "failed", { why: wordsOf(error) });
    }
  };
  return (
    <Dialog title={say("historyOf", { name })} className="history-dialog" onClose={onClose}>
      {versions?.length === 0 && <p className="side-empty">{say("noHistory")}</p>}
      <div className="history">
        <ul className="history-list">
          {rows.map((one, index) => (
            <li key={one.version}>
              <button type="button" aria-pressed={index === at} onClick={() => setPicked(one.version)}>
                <VersionRow {...one} isNow={isNow && index === 0} />
              </button>
              <Earlier
                sitting={list.find(({ version }) => version === one.version)}
                opened={opened}
                onOpen={() => setOpened(new Set([...opened, one.version]))}
              />
            </li>
          ))}
        </ul>
        {chosen && (
          <section className="history-changes" aria-live="polite">
            <h3>{say("changedHere")}</h3>
            <VersionChanges
              key={chosen.version}
              name={name}
              version={chosen.version}
              before={rows[at + 1]?.version ?? null}
            />
            <LabelField key={`${chosen.version} ${chosen.label}`} label={chosen.label} onLabel={label} />
            <button type="button" className="primary" disabled={isNow && at === 0} onClick={() => void restore()}>
              {say("restoreThis")}
            </button>
          </section>
        )}
      </div>
    </Dialog>
  );
}

/** When a version was saved, what it is called, and why it is kept. */
function VersionRow({ saved, label, automatic, ran, isNow }: SavedVersion & { readonly isNow: boolean }) {
  const say = useSay();
  const when = useWhen();
  const reasons = [ran && say("versionRan"), !automatic && say("versionOnPurpose")].filter(Boolean).join(", ");
  return (
    <>
      {label && <strong>{label}</strong>}
      <span>{isNow ? say("versionNow") : when(saved)}</span>
      <small>
        {new Date(saved * 1000).toLocaleString(document.documentElement.lang)}
        {reasons && ` · ${reasons}`}
      </small>
    </>
  );
}

interface LabelFieldProps {
  readonly label: string;
  onLabel(text: string): Promise<void>;
}

function LabelField({ label, onLabel }: LabelFieldProps): ReactElement {
  const say = useSay();
  const [text, setText] = useState(label);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void onLabel(text.trim());
  };
  return (
    <form className="history-label" onSubmit={submit}>
      <label>
        {say("versionLabel")}
        <input
          value={text}
          maxLength={100}
          placeholder={say("versionUnnamed")}
          onChange={({ target }) => setText(target.value)}
        />
      </label>
      <button type="submit" disabled={text.trim() === label}>
        {say("apply")}
      </button>
    </form>
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
