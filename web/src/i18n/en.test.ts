import { expect, test } from "vitest";

import { en } from "./en";
import { ko } from "./ko";

const parts = import.meta.glob<Record<string, Record<string, string>>>("./en/*.ts", { eager: true });

test("no two parts of the texts have a key in common", () => {
  const keys = Object.values(parts).flatMap((part) => Object.values(part).flatMap((texts) => Object.keys(texts)));
  expect(keys.filter((key, index) => keys.indexOf(key) < index)).toEqual([]);
  expect(keys).toHaveLength(Object.keys(en).length);
});

test("each language is given the same values", () => {
  const slots = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(([slot]) => slot).sort();
  for (const [key, text] of Object.entries(en)) expect(slots(ko[key as keyof typeof en]), key).toEqual(slots(text));
});
