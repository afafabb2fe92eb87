import { expect, test } from "vitest";

import { choices, sittings } from "./versions";

test("the latest stands alone; of those before it, what was saved in quick succession is one", () => {
  const versions = [1000, 990, 980, 500, 499].map((saved, index) => ({ version: 5 - index, saved }));
  expect(sittings(versions)).toEqual([
    { version: 5, saved: 1000, earlier: [] },
    { version: 4, saved: 990, earlier: [{ version: 3, saved: 980 }] },
    { version: 2, saved: 500, earlier: [{ version: 1, saved: 499 }] },
  ]);
  const chosen = (opened: number[]) => choices(sittings(versions), new Set(opened)).map(({ version }) => version);
  expect([chosen([]), chosen([2])]).toEqual([
    [5, 4, 2],
    [5, 4, 2, 1],
  ]);
  expect(sittings([])).toEqual([]);
});
