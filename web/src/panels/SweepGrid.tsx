/** The pictures of a sweep, in rows and columns by their values, as they come. */

import { type ReactElement, useState } from "react";

import { useParameterTitle, useStudio, useWorkspace } from "../canvas/hooks";
import { useSay } from "../i18n";
import type { Json, Names } from "../model/document";
import type { Piece } from "../model/pieces";
import { isOpen } from "../model/runs";
import { gridOf, pictureOfVariation, pictureSources, said } from "../model/sweep";
import { cancelAll } from "../session/queue";
import { forgetSweep, type ShownSweep, sweepAgain, sweepOf } from "../session/sweeping";
import { pictureUrl } from "../session/values";
import { Compare } from "./Compare";
import { type ChosenPair, useChosenPair } from "./pair";
import { PieceDialog } from "./PieceDialog";

export function SweepGrid({ shown }: { readonly shown: ShownSweep }): ReactElement {
  const say = useSay();
  const pieceAt = usePieces(shown);
  const [large, setLarge] = useState<string | null>(null);
  const titleOf = useParameterTitle(shown.document);
  const { corner, columns, rows } = gridOf(sweepOf(shown.run)!, titleOf);
  const all = rows.flatMap((row) => columns.map((column) => pieceAt({ ...row.values, ...column.values })));
  const made = all.filter((piece) => piece !== null);
  const pair = useChosenPair(made);
  const at = made.findIndex(({ key }) => key === large);
  return (
    <div className="sweep-result">
      <Heading shown={shown} made={made.length} count={all.length} pair={pair} />
      {shown.run.failures.slice(0, 3).map(({ node, message }) => (
        <p key={node + message} className="details-problem">
          <strong>{node}</strong> {message}
        </p>
      ))}
      <div className="sweep-scroll" tabIndex={0} role="region" aria-label={say("sweepTitle")}>
        <table className="sweep-grid">
          <thead>
            <tr>
              {corner && <th scope="col">{corner}</th>}
              {columns.map(({ label }) => (
                <th key={label} scope="col">
                  {label}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row, index) => (
              <tr key={row.label}>
                {corner && <th scope="row">{row.label}</th>}
                {columns.map((column, side) => (
                  <td key={column.label}>
                    <Cell
                      values={{ ...row.values, ...column.values }}
                      piece={all[index * columns.length + side]!}
                      open={isOpen(shown.state)}
                      pair={pair}
                      titleOf={titleOf}
                      onShow={setLarge}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {at >= 0 && (
        <PieceDialog
          piece={made[at]!}
          onClose={() => setLarge(null)}
          onGo={(by) => setLarge(made[(at + by + made.length) % made.length]!.key)}
        />
      )}
      {pair.comparing && pair.both && <Compare one={pair.both[0]} other={pair.both[1]} onClose={pair.end} />}
    </div>
  );
}

interface HeadingProps {
  readonly shown: ShownSweep;
  readonly made: number;
  readonly count: number;
  readonly pair: ChosenPair;
}

/** How far the sweep is, and what can be done with it. */
function Heading({ shown: { run, state }, made, count, pair }: HeadingProps): ReactElement {
  const say = useSay();
  const isMine = useWorkspace(({ name }) => name === run.identity);
  const open = isOpen(state);
  const ended = open || state.status === "done" ? "" : ` · ${say(`run_${state.status}`)}`;
  return (
    <div className="sweep-start">
      <span role="status">{say(open ? "sweepSoFar" : "sweepDone", { made, count }) + ended}</span>
      <span className="queue-ways">
        <button type="button" disabled={!pair.both} onClick={pair.compare}>
          {say("compare")}
        </button>
        {open ? (
          <button type="button" onClick={() => void cancelAll([run.id])}>
            {say("stop")}
          </button>
        ) : (
          <button type="button" onClick={() => void sweepAgain()}>
            {say("runOnceMore")}
          </button>
        )}
        {isMine && (
          <button type="button" onClick={forgetSweep}>
            {say("sweepOther")}
          </button>
        )}
      </span>
    </div>
  );
}

interface CellProps {
  readonly values: Names<Json>;
  readonly piece: Piece | null;
  readonly open: boolean;
  readonly pair: ChosenPair;
  titleOf(name: string): string;
  onShow(key: string): void;
}

function Cell({ values, piece, open, pair, titleOf, onShow }: CellProps): ReactElement {
  const say = useSay();
  const label = Object.entries(values)
    .map(([name, value]) => `${titleOf(name)} ${said(value)}`)
    .join(", ");
  if (!piece) return <span className="sweep-cell sweep-empty">{say(open ? "state_queued" : "sweepNoPicture")}</span>;
  const { key } = piece;
  const chosen = pair.isChosen(key);
  return (
    <span className={chosen ? "thumb thumb-chosen" : "thumb"}>
      <button type="button" className="sweep-cell" onClick={() => onShow(key)}>
        <img src={piece.thumbnail} alt={say("pictureOf", { label })} />
      </button>
      <input
        type="checkbox"
        aria-label={say("chooseToCompare", { label })}
        checked={chosen}
        onChange={() => pair.choose(key)}
      />
    </span>
  );
}

/** Return how to find the picture of values: its file when the sweep is over, else what it has made so far. */
function usePieces({ run, state, document }: ShownSweep): (values: Names<Json>) => Piece | null {
  const catalogue = useStudio((studio) => studio.catalogue);
  const sources = document ? pictureSources(catalogue, document) : [];
  return (values) => {
    const isIt = ({ parameters }: { readonly parameters: object }) => said(parameters as Json) === said(values);
    const file = run.variations.find(isIt)?.files.find(({ thumbnail }) => thumbnail);
    const variation = state.variations.find(isIt);
    const digest = variation ? pictureOfVariation(state, variation, sources) : null;
    const head = {
      key: `${run.id}/${said(values)}`,
      run: run.id,
      number: run.number,
      title: run.name || run.identity,
      identity: run.identity,
      ended: run.ended,
      given: { ...(run.parameters as Names<Json>), ...values },
    };
    if (file) {
      return { ...head, name: file.name, thumbnail: `${file.thumbnail}?size=256`, url: file.url, file: file.url };
    }
    if (!digest) return null;
    return { ...head, name: "", thumbnail: pictureUrl(digest, 0, 256), url: pictureUrl(digest, 0, 2048), file: null };
  };
}
