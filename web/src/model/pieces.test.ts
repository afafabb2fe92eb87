import { expect, test } from "vitest";

import { entriesOf, foldCancelled, type PastRun } from "./pieces";

const run = (id: string, rest: Partial<PastRun> = {}): PastRun => ({
  id,
  number: 1,
  status: "done",
  started: 1,
  ran: 0,
  cached: 0,
  sweep: null,
  failures: [],
  problems: [],
  identity: "w",
  name: "W",
  ended: 2,
  parameters: {},
  files: [{ name: `${id}.png`, digest: id, media_type: "image/png", url: `/o/${id}`, thumbnail: `/o/${id}/thumbnail` }],
  outputs: {},
  variations: [],
  ...rest,
});
const kinds = (one: PastRun) => entriesOf(one).map(({ kind }) => kind);

test("a run is its pictures, a sweep one entry, and a bad end comes before what it gave", () => {
  expect(kinds(run("a"))).toEqual(["picture"]);
  expect(kinds(run("a", { status: "running", files: [] }))).toEqual([]);
  expect(kinds(run("a", { status: "running", files: [], sweep: { axes: {}, how: "product" } }))).toEqual(["sweep"]);
  expect(kinds(run("a", { status: "failed" }))).toEqual(["ended", "picture"]);
});

test("cancelled runs that follow each other are one", () => {
  const cancelled = (id: string) => run(id, { status: "cancelled", files: [] });
  const all = [cancelled("a"), cancelled("b"), run("c"), cancelled("d"), run("e", { status: "failed", files: [] })];
  const shown = foldCancelled(all.flatMap((one) => entriesOf(one)));
  expect(shown.map(({ key, kind }) => `${kind} ${key.split("/")[0]}`)).toEqual([
    "ended a",
    "picture c",
    "ended d",
    "ended e",
  ]);
  expect(shown[0]).toMatchObject({ before: 1 });
});
