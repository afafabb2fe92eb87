import { expect, test } from "vitest";

import { weigh } from "./promptweights";

test("the word at the cursor gets a weight, then another, then none", () => {
  const more = weigh("a red apple", 3, 3, 0.1);
  expect(more.text).toBe("a (red:1.1) apple");
  expect(more.text.slice(more.start, more.end)).toBe("(red:1.1)");
  const again = weigh(more.text, more.start, more.end, 0.1);
  expect(again.text).toBe("a (red:1.2) apple");
  const less = weigh(again.text, 4, 4, -0.2);
  expect(less.text).toBe("a red apple");
});

test("a selection counts without the blanks around it", () => {
  expect(weigh("a red apple", 1, 6, -0.1).text).toBe("a (red:0.9) apple");
  expect(weigh("a red apple on snow", 2, 11, 0.05).text).toBe("a (red apple:1.05) on snow");
});

test("nothing to weigh, nothing done", () => {
  expect(weigh("a , b", 2, 2, 0.1).text).toBe("a , b");
  expect(weigh("", 0, 0, 0.1).text).toBe("");
});
