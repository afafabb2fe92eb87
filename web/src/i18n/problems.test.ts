import { expect, test } from "vitest";

import { phraseOf, type Said } from "./problems";

const LOW: Said = {
  code: "bad_value_greater_than_equal",
  place: "sampler.steps",
  message: "must be at least 1 (got 0)",
  value: 0,
  cure: "raise it",
  parts: { ge: 1, got: "0" },
};

test("a problem is said in the person's language, with its numbers, and in the server's words in English", () => {
  expect(phraseOf("ko", LOW)).toEqual({ message: "1 이상이어야 합니다(지금 0).", cure: undefined });
  expect(phraseOf("en", LOW)).toEqual({ message: "must be at least 1 (got 0)", cure: "raise it" });
});

test("what has no line, or lacks a part of it, is said in the server's words", () => {
  expect(phraseOf("ko", { ...LOW, code: "refused" }).message).toBe("must be at least 1 (got 0)");
  expect(phraseOf("ko", { ...LOW, parts: {} })).toEqual({ message: "must be at least 1 (got 0)", cure: "raise it" });
});
