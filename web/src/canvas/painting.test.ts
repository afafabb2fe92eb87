import { expect, test } from "vitest";

import { linesOf } from "./painting";

const widthOf = (text: string): number => text.length;

test("a title is broken between words, after hyphens, and within words that are too long", () => {
  expect(linesOf("Load model", 20, widthOf)).toEqual(["Load model"]);
  expect(linesOf("Classifier-free guidance", 14, widthOf)).toEqual(["Classifier-", "free guidance"]);
  expect(linesOf("An incomprehensible title", 8, widthOf)).toEqual(["An", "incompre", "hensible", "title"]);
  expect(linesOf("그림만들기", 2, widthOf)).toEqual(["그림", "만들", "기"]);
  expect(linesOf("wide", 0, widthOf)).toEqual(["w", "i", "d", "e"]);
  expect(linesOf("", 8, widthOf)).toEqual([]);
});
