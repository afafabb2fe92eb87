import { expect, test } from "vitest";

import { choices, type SavedVersion, sittings } from "./versions";

/** Versions with the times that they were saved at, the latest first. */
function saves(times: readonly number[], more: Readonly<Record<number, Partial<SavedVersion>>> = {}): SavedVersion[] {
  return times.map((saved, index) => {
    const version = times.length - index;
    return { version, saved, label: "", automatic: true, ran: false, ...more[version] };
  });
}

const shape = (versions: readonly SavedVersion[]) =>
  sittings(versions).map(({ version, earlier }) => [version, ...earlier.map((one) => one.version)]);

test("the latest stands alone; of those before it, what was saved in quick succession is one", () => {
  const versions = saves([1000, 990, 980, 500, 499]);
  expect(shape(versions)).toEqual([[5], [4, 3], [2, 1]]);
  const chosen = (opened: number[]) => choices(sittings(versions), new Set(opened)).map(({ version }) => version);
  expect([chosen([]), chosen([2])]).toEqual([
    [5, 4, 2],
    [5, 4, 2, 1],
  ]);
  expect(sittings([])).toEqual([]);
});

test("what was named or saved on purpose is not hidden behind what came soon after", () => {
  const times = [1000, 990, 980, 970, 960, 950];
  expect(shape(saves(times, { 4: { label: "good" }, 2: { automatic: false } }))).toEqual([[6], [5], [4, 3], [2, 1]]);
});
