/** What changed from one version of a workflow to the next, in words: nodes that came and went, settings and wires. */

import { type ReactElement, useEffect, useState } from "react";

import { readVersion } from "../api/client";
import { wordsOf } from "../api/socket";
import { useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { specOf } from "../model/catalogue";
import { type Change, changesBetween, valuesOf } from "../model/changes";
import { type Document, EMPTY } from "../model/document";
import { readDocument } from "../model/reading";
import { notify } from "../session/notices";

interface VersionChangesProps {
  readonly name: string;
  readonly version: number;
  /** The version before it; null for the first one. */
  readonly before: number | null;
}

interface Both {
  readonly old: Document;
  readonly now: Document;
}

export function VersionChanges({ name, version, before }: VersionChangesProps): ReactElement {
  const say = useSay();
  const [both, setBoth] = useState<Both | null>(null);
  useEffect(() => {
    let isWanted = true;
    const read = async (one: number | null) => {
      const reading = one === null ? null : readDocument(await readVersion(name, one));
      return reading?.ok ? reading.document : EMPTY;
    };
    Promise.all([read(before), read(version)]).then(
      ([old, now]) => isWanted && setBoth({ old, now }),
      (error: unknown) => notify("error", "failed", { why: wordsOf(error) }),
    );
    return () => void (isWanted = false);
  }, [name, version, before]);
  const changes = both && changesBetween(both.old, both.now);
  if (changes?.length === 0) return <p className="side-empty">{say("nothingChanged")}</p>;
  return (
    <ul>
      {changes?.map((change) => (
        <li key={`${change.kind} ${change.node}`} className={`change-${change.kind}`}>
          <strong>{change.node || say("wholeWorkflow")}</strong> <What {...both!} change={change} />
        </li>
      ))}
    </ul>
  );
}

const FACE = ["name", "description", "parameters", "outputs", "inputs", "view"] as const;

/** What of a node changed, or that it came or went and what kind of node it is. */
function What({ old, now, change }: Both & { readonly change: Change }): ReactElement {
  const say = useSay();
  const catalogue = useStudio((state) => state.catalogue);
  const { kind, node, parts } = change;
  if (kind !== "changed") {
    const document = kind === "added" ? now : old;
    const type = document.nodes[node]?.type;
    const title = type === undefined ? undefined : (specOf(catalogue, document, type)?.title ?? type);
    return <>{title ? `${say(`change_${kind}`)} (${title})` : say(`change_${kind}`)}</>;
  }
  const words = (part: string): string => {
    const face = FACE.find((one) => one === part);
    if (face && !node) return say(`part_${face}`);
    const values = valuesOf(old, now, node, part);
    return values ? say("part_changed", { part, old: values[0], now: values[1] }) : part;
  };
  return <>{parts.map(words).join(", ")}</>;
}
