/** What the latest run gives: the picture as it forms, then the files, or what went wrong. */

import { type ReactElement, useMemo } from "react";

import type { Run } from "../api/client";
import { useDocument, useStudio } from "../canvas/hooks";
import { useSay } from "../i18n";
import { changedSince } from "../model/recipe";
import { progressOf, type RunState } from "../model/runs";
import { FileActions } from "../widgets/FileActions";
import { Icon } from "../widgets/icons";
import { RunLeft } from "./RunLeft";

export function AppResult(): ReactElement {
  const say = useSay();
  const run = useStudio((state) => state.run);
  const result = useStudio((state) => state.result);
  const former = useStudio((state) => state.former);
  const pictures = (result?.files ?? []).filter(({ media_type }) => media_type.startsWith("image/"));
  const others = (result?.files ?? []).filter(({ media_type }) => !media_type.startsWith("image/"));
  const preview = run && latestPreview(run);
  const isPast = useIsPast() && result !== null;
  return (
    <section className="app-result" aria-label={say("result")}>
      {!run && <p className="app-empty">{say("appEmpty")}</p>}
      {run && !result && <RunProgress run={run} />}
      {run && !result && preview && <img className="app-picture app-preview" src={preview} alt={say("forming")} />}
      {run && !result && !preview && former && <FormerPictures run={former} />}
      {isPast && (
        <p className="app-past-why" role="status">
          <Icon name="stale" />
          {say("madeOtherwise")}
        </p>
      )}
      {result?.failures.map(({ node, message }) => (
        <p key={node} className="details-problem">
          {node && <strong>{node}</strong>} {message}
        </p>
      ))}
      {pictures.map(({ digest, url, name }) => (
        <figure key={digest}>
          <img className="app-picture" src={url} alt={name} />
          <figcaption>
            <span>{name}</span>
            <FileActions url={url} name={name} />
          </figcaption>
        </figure>
      ))}
      {others.map(({ digest, url, name }) => (
        <p key={digest} className="app-file">
          <span>{name}</span>
          <FileActions url={url} name={name} />
        </p>
      ))}
    </section>
  );
}

/** Tell whether what is shown was made with other values, or by another graph, than there are now. */
function useIsPast(): boolean {
  const ran = useStudio((state) => state.ran);
  const now = useDocument();
  return useMemo(() => ran !== null && changedSince(ran, now, null).size > 0, [ran, now]);
}

/** What was made before, until something of the new run can be seen. */
function FormerPictures({ run }: { readonly run: Run }): ReactElement {
  const say = useSay();
  const pictures = run.files.filter(({ media_type }) => media_type.startsWith("image/"));
  return (
    <>
      {pictures.map(({ digest, url, name }) => (
        <div key={digest} className="app-former">
          <img className="app-picture" src={url} alt={name} />
          <p className="past-badge">
            <Icon name="stale" />
            <span>{say("outOfDate")}</span>
          </p>
        </div>
      ))}
    </>
  );
}

function RunProgress({ run }: { readonly run: RunState }): ReactElement {
  const say = useSay();
  const { share, at } = progressOf(run);
  return (
    <div className="app-progress">
      <progress max={1} value={share} aria-label={say("running")} />
      <span>{at}</span>
      <span>
        <RunLeft />
      </span>
    </div>
  );
}

function latestPreview(run: RunState): string | null {
  return Object.values(run.nodes).findLast(({ preview }) => preview !== undefined)?.preview ?? null;
}
