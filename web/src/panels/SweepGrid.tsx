/** The pictures of a sweep, in rows and columns by their values, as they come. */

import { type ReactElement, useState } from "react";

import { useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import { labelOf } from "../model/catalogue";
import type { Json, Names } from "../model/document";
import type { Piece } from "../model/pieces";
import { isOpen } from "../model/runs";
import { pictureOfVariation, pictureSources } from "../model/sweep";
import { forgetSweep, type ShownSweep } from "../session/sweeping";
import { pictureUrl } from "../session/values";
import { PieceDialog } from "./PieceDialog";

interface Cell {
  readonly values: Names<Json>;
  readonly picture: string | null;
  readonly large: string | null;
  readonly file: { readonly url: string; readonly name: string } | null;
}

export function SweepGrid({ shown }: { readonly shown: ShownSweep }): ReactElement {
  const say = useSay();
  const cellAt = useCells(shown);
  const run = useStudio((state) => (state.run?.id === shown.run ? state.run : null));
  const result = useStudio(({ result }) => (result?.id === shown.run ? result : null));
  const identity = useWorkspace((state) => state.name) ?? "";
  const [large, setLarge] = useState<Cell | null>(null);
  const { across, down } = shown;
  const rows: readonly (Json | undefined)[] = down ? down.values : [undefined];
  const all = rows.flatMap((row) => across.values.map((column) => cellAt(column, row)));
  const made = all.filter(({ picture }) => picture).length;
  return (
    <div className="sweep-result">
      <div className="sweep-start">
        <span role="status">{say(isOpen(run) ? "sweepSoFar" : "sweepDone", { made, count: all.length })}</span>
        <button type="button" onClick={forgetSweep}>
          {say("sweepOther")}
        </button>
      </div>
      {result?.failures.slice(0, 3).map(({ node, message }) => (
        <p key={node + message} className="details-problem">
          <strong>{node}</strong> {message}
        </p>
      ))}
      <div className="sweep-scroll" tabIndex={0} role="region" aria-label={say("sweepTitle")}>
        <table className="sweep-grid">
          <thead>
            <tr>
              {down && <th scope="col">{`${labelOf(down.parameter)} ╲ ${labelOf(across.parameter)}`}</th>}
              {across.values.map((value) => (
                <th key={said(value)} scope="col">
                  {down ? said(value) : `${labelOf(across.parameter)}: ${said(value)}`}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={said(row ?? null)}>
                {down && <th scope="row">{said(row ?? null)}</th>}
                {across.values.map((column) => (
                  <td key={said(column)}>
                    <CellView cell={cellAt(column, row)} open={isOpen(run)} onShow={setLarge} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {large && <PieceDialog piece={pieceOf(large, shown, identity)} onClose={() => setLarge(null)} />}
    </div>
  );
}

interface CellViewProps {
  readonly cell: Cell;
  readonly open: boolean;
  onShow(cell: Cell): void;
}

function CellView({ cell, open, onShow }: CellViewProps): ReactElement {
  const say = useSay();
  const label = Object.entries(cell.values)
    .map(([name, value]) => `${labelOf(name)} ${said(value)}`)
    .join(", ");
  if (!cell.picture)
    return <span className="sweep-cell sweep-empty">{say(open ? "state_queued" : "sweepNoPicture")}</span>;
  return (
    <button type="button" className="sweep-cell" onClick={() => onShow(cell)}>
      <img src={cell.picture} alt={say("pictureOf", { label })} />
    </button>
  );
}

/** Return how to find the cell of two values: its file when the sweep is over, else what it has made so far. */
function useCells(shown: ShownSweep): (column: Json, row: Json | undefined) => Cell {
  const run = useStudio((state) => (state.run?.id === shown.run ? state.run : null));
  const result = useStudio(({ result }) => (result?.id === shown.run ? result : null));
  const catalogue = useStudio((state) => state.catalogue);
  const { across, down, document } = shown;
  const sources = pictureSources(catalogue, document);
  return (column, row) => {
    const values = { ...(down ? { [down.parameter]: row! } : {}), [across.parameter]: column };
    const isIt = ({ parameters }: { readonly parameters: object }) => said(parameters as Json) === said(values);
    const file = result?.variations.find(isIt)?.files.find(({ thumbnail }) => thumbnail);
    const variation = run?.variations.find(isIt);
    const digest = run && variation ? pictureOfVariation(run, variation, sources) : null;
    if (file) return { values, picture: `${file.thumbnail}?size=256`, large: file.url, file };
    return {
      values,
      picture: digest && pictureUrl(digest, 0, 256),
      large: digest && pictureUrl(digest, 0, 2048),
      file: null,
    };
  };
}

function pieceOf({ values, picture, large, file }: Cell, { run, document }: ShownSweep, identity: string): Piece {
  return {
    key: `${run}/${said(values)}`,
    run,
    number: null,
    title: document.name || identity,
    identity,
    ended: null,
    name: file?.name ?? "",
    thumbnail: picture ?? "",
    url: large ?? "",
    file: file?.url ?? null,
    given: values,
  };
}

/** Say a value, the same for equal ones. */
function said(value: Json): string {
  if (typeof value === "string") return value;
  if (value === null || typeof value !== "object" || Array.isArray(value)) return JSON.stringify(value);
  return JSON.stringify(Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1))));
}
