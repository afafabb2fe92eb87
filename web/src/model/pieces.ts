/** What runs gave, as a gallery shows it: pictures, sweeps as one, and runs that came to no good end. */

import type { Json, Names } from "./document";
import type { RunStatus } from "./runs";

/** The parts of a run that are needed here. */
export interface PastRun {
  readonly id: string;
  readonly number: number;
  readonly status: RunStatus;
  readonly started: number | null;
  readonly ran: number;
  readonly cached: number;
  readonly sweep: Readonly<Record<string, unknown>> | null;
  readonly failures: readonly { readonly node: string; readonly message: string }[];
  readonly problems: readonly { readonly place: string; readonly message: string }[];
  readonly identity: string;
  readonly name: string;
  readonly ended: number | null;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly files: readonly GivenFile[];
  readonly outputs: Readonly<Record<string, { readonly digest: string; readonly summary: string }>>;
  readonly variations: readonly {
    readonly variation: number;
    readonly parameters: Readonly<Record<string, unknown>>;
    readonly files: readonly GivenFile[];
  }[];
}

interface GivenFile {
  readonly name: string;
  readonly digest: string;
  readonly media_type: string;
  readonly url: string;
  readonly thumbnail: string | null;
}

/** A picture that a run gave. */
export interface Piece {
  readonly key: string;
  readonly run: string;
  readonly number: number | null;
  /** The workflow it is of, as people call it. */
  readonly title: string;
  readonly identity: string;
  readonly ended: number | null;
  readonly name: string;
  readonly thumbnail: string;
  /** The whole picture, and where it can be downloaded; null where it was never saved as a file. */
  readonly url: string;
  readonly file: string | null;
  /** Values that were given with the run, or by a sweep: they come before what its workflow says. */
  readonly given: Names<Json>;
}

/** What a gallery shows as one thing; `R` is a run as the server has it. */
export type Entry<R extends PastRun = PastRun> =
  | { readonly kind: "picture"; readonly key: string; readonly piece: Piece }
  | { readonly kind: "sweep"; readonly key: string; readonly run: R; readonly pieces: readonly Piece[] }
  | { readonly kind: "ended"; readonly key: string; readonly run: R; readonly before?: number };

/** List what a gallery shows of a run: nothing of one that is not over yet, unless it is a sweep. */
export function entriesOf<R extends PastRun>(run: R): readonly Entry<R>[] {
  const pieces = piecesOf(run);
  if (run.sweep) return [{ kind: "sweep", key: run.id, run, pieces }];
  const isBad = run.status === "failed" || run.status === "cancelled";
  const pictures = pieces.map((piece) => ({ kind: "picture", key: piece.key, piece }) as const);
  return isBad ? [{ kind: "ended", key: run.id, run }, ...pictures] : pictures;
}

/** Show cancelled runs that follow each other as one, which counts those `before` it: the live mode leaves many. */
export function foldCancelled<R extends PastRun>(entries: readonly Entry<R>[]): readonly Entry<R>[] {
  const folded: Entry<R>[] = [];
  for (const entry of entries) {
    const last = folded.at(-1);
    if (isCancelled(entry) && last && isCancelled(last))
      folded[folded.length - 1] = { ...last, before: (last.before ?? 0) + 1 };
    else folded.push(entry);
  }
  return folded;
}

const isCancelled = <R extends PastRun>(entry: Entry<R>): entry is Entry<R> & { readonly kind: "ended" } =>
  entry.kind === "ended" && entry.run.status === "cancelled";

/** List the pictures of a run: its files, else what its outputs show. */
export function piecesOf(run: PastRun): readonly Piece[] {
  const found = run.variations.length
    ? run.variations.flatMap(({ variation, parameters, files }) =>
        files.map((file) => piece(run, file, `${variation}`, { ...run.parameters, ...parameters })),
      )
    : run.files.map((file) => piece(run, file, "", run.parameters));
  const shown = found.filter((one) => one !== null);
  return shown.length ? shown : Object.entries(run.outputs).map(([name, { digest }]) => drawn(run, name, digest));
}

function head(run: PastRun, given: Readonly<Record<string, unknown>>) {
  return {
    run: run.id,
    number: run.number,
    title: run.name || run.identity,
    identity: run.identity,
    ended: run.ended,
    given: given as Names<Json>,
  };
}

function piece(run: PastRun, file: GivenFile, part: string, given: Readonly<Record<string, unknown>>): Piece | null {
  if (!file.thumbnail) return null;
  const { name, url, digest } = file;
  const thumbnail = `${file.thumbnail}?size=256`;
  return { ...head(run, given), key: `${run.id}/${part}/${digest}`, name, thumbnail, url, file: url };
}

/** What was never saved is drawn by the cache, for as long as it has it. */
function drawn(run: PastRun, name: string, digest: string): Piece {
  const at = `/api/values/${digest}/picture`;
  return {
    ...head(run, run.parameters),
    key: `${run.id}/${name}`,
    name,
    thumbnail: `${at}?size=256`,
    url: `${at}?size=2048`,
    file: null,
  };
}
