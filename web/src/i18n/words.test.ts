import { readdirSync, readFileSync } from "node:fs";

import ts from "typescript";
import { expect, test } from "vitest";

import { ko } from "./ko";

/** Names, which are the same in every language. */
const NAMES = new Set(["graphgen"]);
const SAID = new Set(["aria-label", "title", "placeholder", "alt", "aria-description", "aria-roledescription"]);

/** List the words that a component shows without asking for them in the person's language. */
function hardWords(path: string): string[] {
  const source = ts.createSourceFile(path, readFileSync(path, "utf8"), ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const text = ts.isJsxText(node)
      ? node.text
      : ts.isJsxAttribute(node) &&
          SAID.has(node.name.getText()) &&
          node.initializer &&
          ts.isStringLiteral(node.initializer)
        ? node.initializer.text
        : "";
    const words = text.trim();
    if (/\p{L}{2}/u.test(words) && !NAMES.has(words)) found.push(`${path}: ${words}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

test("every word shown comes from the messages", () => {
  const paths = readdirSync("src", { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".tsx"))
    .map((path) => `src/${path}`);
  expect(paths.length).toBeGreaterThan(20);
  expect(paths.flatMap(hardWords)).toEqual([]);
});

test("Korean is Korean", () => {
  const foreign = Object.entries(ko).filter(
    ([, text]) => /[A-Za-z]{3}/.test(text.replaceAll(/\{\w+\}/g, "")) && !/[가-힣]/.test(text),
  );
  expect(foreign).toEqual([]);
});
