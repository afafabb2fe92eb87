import { expect, test } from "vitest";

import { sittings } from "./versions";

test("the latest stands alone; of those before it, what was saved in quick succession is one", () => {
  const versions = [1000, 990, 980, 500, 499].map((saved, index) => ({ version: 5 - index, saved }));
  expect(sittings(versions)).toEqual([
    { version: 5, saved: 1000, count: 1 },
    { version: 4, saved: 990, count: 2 },
    { version: 2, saved: 500, count: 2 },
  ]);
  expect(sittings([])).toEqual([]);
});
