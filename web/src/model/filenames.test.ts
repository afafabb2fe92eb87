import { expect, test } from "vitest";

import { baseOf, fileNameFrom, folderOf, inFolder, isFileName } from "./filenames";

test.each(["a", "내 그림", "portraits/oil", "a.b (2)", "1/2/3/4/5/6/7/8"])("%s can be saved", (name) => {
  expect(isFileName(name)).toBe(true);
});

test.each([
  "",
  "/a",
  "a/",
  "a//b",
  "..",
  "a/../b",
  ".a",
  "a.",
  "a ",
  "con",
  "NUL.txt",
  "a.json/b",
  "a\\b",
  "x".repeat(101),
])("%j cannot", (name) => {
  expect(isFileName(name)).toBe(false);
});

test("there are eight parts and two hundred characters at most", () => {
  expect(isFileName("1/2/3/4/5/6/7/8/9")).toBe(false);
  expect(isFileName(`${"a".repeat(99)}/${"b".repeat(100)}`)).toBe(true);
  expect(isFileName(`${"a".repeat(100)}/${"b".repeat(100)}`)).toBe(false);
});

test("a name is a folder and what lies in it", () => {
  for (const name of ["a", "a/b", "a/b/c"]) expect(inFolder(folderOf(name), baseOf(name))).toBe(name);
  expect([folderOf("a/b/c"), baseOf("a/b/c"), folderOf("a")]).toEqual(["a/b", "c", ""]);
});

test("any text gives a name that can be saved, or none", () => {
  expect(fileNameFrom("before/after: 100%")).toBe("before after 100");
  expect(fileNameFrom("…")).toBe("");
  expect(isFileName(fileNameFrom(`${"x".repeat(89)}. y`))).toBe(true);
});
