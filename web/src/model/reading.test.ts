import { expect, test } from "vitest";

import { readDocument, wantedAt } from "./reading";

const good = { graphgen: 1, nodes: { one: { type: "values.int", inputs: { a: "x.y", b: ["x.y"] } } } };

test("documents are read as they are, whatever else they hold", () => {
  const document = { ...good, more: 1, view: { nodes: { one: { x: 0, y: 0 } }, notes: [] } };
  expect(readDocument(document)).toEqual({ ok: true, document });
});

test.each([
  [[], "graphgen"],
  [{ nodes: {} }, "graphgen"],
  [{ graphgen: 1 }, "nodes"],
  [{ graphgen: 1, nodes: { one: {} } }, "nodes.one.type"],
  [{ graphgen: 1, nodes: { one: { type: "a.b", inputs: { a: [3] } } } }, "nodes.one.inputs.a.0"],
  [{ ...good, view: { nodes: { one: { x: "0", y: 0 } } } }, "view.nodes.one.x"],
  [{ ...good, parameters: { p: { sets: "one.a" } } }, "parameters.p.sets"],
  [{ ...good, subgraphs: { s: { nodes: [] } } }, "subgraphs.s.nodes"],
])("%j is no workflow at %s", (value, place) => {
  expect(readDocument(value)).toEqual({ ok: false, reason: "noWorkflow", place });
});

test("a newer format is named", () => {
  expect(readDocument({ graphgen: 2, anything: [] })).toEqual({ ok: false, reason: "tooNew", format: 2 });
});

test("what a workflow has at a place is told by its kind", () => {
  const places = ["graphgen", "nodes", "nodes.one.type", "nodes.type", "nodes.one.inputs.a", "parameters.p.sets"];
  expect(places.map(wantedAt)).toEqual(["number", "object", "text", "object", "wire", "list"]);
});
