import { describe, expect, it, test } from "vitest";

import type { Catalogue } from "./catalogue";
import { CATALOGUE } from "./fixtures";
import { byCategory, search } from "./search";

/** The catalogue of tests, with one node told in Korean. */
const KOREAN: Catalogue = {
  ...CATALOGUE,
  categories: { test: "시험" },
  nodes: {
    ...CATALOGUE.nodes,
    "images.blur": {
      ...CATALOGUE.nodes["images.blur"]!,
      title: "이미지 흐리기",
      english: "Soften picture",
      aliases: ["Gaussian", "Soft focus"],
    },
  },
};

const find = (text: string) => search(KOREAN, Object.values(KOREAN.nodes), text, null).map(({ spec }) => spec.id);

describe("search", () => {
  it("finds a node by its title, with and without spaces, by its English title, and by its id", () => {
    for (const text of ["흐리기", "이미지흐리기", "흐리기 이미지", "soften", "blur", "images.blur"]) {
      expect(find(text)[0], text).toBe("images.blur");
    }
    expect(find("날카롭게")).toEqual([]);
  });

  it("finds the nodes of a category after those that are called so", () => {
    expect(find("시험")).toHaveLength(Object.keys(KOREAN.nodes).length);
    expect(find("이미지")).toEqual(["images.blur"]);
  });

  it("finds a node by what other programs call it, a whole such name before parts of names", () => {
    expect(find("gaussian")[0]).toBe("images.blur");
    expect(find("soft focus")).toEqual(["images.blur"]);
  });
});

const all = () => search(CATALOGUE, Object.values(CATALOGUE.nodes), "", null);

test("nodes stand in their categories, each once, in the order of the alphabet", () => {
  const sections = byCategory(all(), []);
  const names = sections.map(({ category }) => category);
  expect(names).toEqual([...new Set(Object.values(CATALOGUE.nodes).map(({ category }) => category))].sort());
  const listed = sections.flatMap(({ category, found }) => found.map(({ spec }) => [spec.category, category]));
  expect(listed.every(([own, under]) => own === under)).toBe(true);
  expect(sections.flatMap(({ found }) => found)).toHaveLength(all().length);
});

test("those that were used last come first, the latest at the top, and there alone", () => {
  const [first, ...rest] = byCategory(all(), ["images.blur", "gone.node", "make.image"]);
  expect(first!.category).toBeNull();
  expect(first!.found.map(({ spec }) => spec.id)).toEqual(["images.blur", "make.image"]);
  const others = rest.flatMap(({ found }) => found.map(({ spec }) => spec.id));
  expect(others).not.toContain("images.blur");
  expect(others).toHaveLength(all().length - 2);
});
