import { describe, expect, test } from "vitest";

import type { Document, DocNode } from "./document";
import { specOf } from "./catalogue";
import { CATALOGUE } from "./fixtures";
import { joinsOf } from "./joining";
import { INPUTS_END, NEW, takenAt, verdict, wireOpen } from "./wiring";

const from = (socket: string) => ({ node: INPUTS_END, socket });
const into = { node: "soft", socket: "radius" };

/** A subgraph with an input that could go into a setting of its node, used by some nodes of the workflow. */
function around(soft: DocNode, uses: readonly DocNode[], parameters = {}): Document {
  return {
    graphgen: 1,
    nodes: Object.fromEntries(uses.map((node, index) => [`use_${index}`, node])),
    subgraphs: { part: { inputs: { size: { type: "int" } }, parameters, nodes: { soft }, outputs: {} } },
  };
}

const SOFT = { type: "images.blur", settings: { radius: 4 } };
const FED = { type: "subgraph.part", inputs: { size: "number.int" } };
const UNFED = { type: "subgraph.part" };
const judged = (document: Document, socket: string) =>
  verdict(CATALOGUE, document, document.subgraphs!.part!, from(socket), into);

describe("what comes into a subgraph, wired into a setting", () => {
  test("never costs its value where nothing comes in, and is not offered there", () => {
    const document = around(SOFT, [FED, UNFED]);
    expect(judged(document, "size")).toEqual({ ok: false, reason: "losesValue", from: "size", into: "radius" });
    expect(joinsOf(CATALOGUE, document, document.subgraphs!.part!, "soft")).toEqual([]);
  });

  test("takes the value's place where something comes in everywhere, or there is none", () => {
    expect(judged(around(SOFT, [FED, FED]), "size").ok).toBe(true);
    expect(judged(around({ type: "images.blur" }, [UNFED]), "size").ok).toBe(true);
    const document = around(SOFT, [FED]);
    expect(joinsOf(CATALOGUE, document, document.subgraphs!.part!, "soft")).toMatchObject([{ into }]);
  });

  test("makes a parameter of the empty socket, whose value nodes outside have as their own", () => {
    const document = around(SOFT, [UNFED]);
    const part = document.subgraphs!.part!;
    expect(judged(document, NEW).ok).toBe(true);
    const wired = wireOpen(part, from(NEW), into, takenAt(CATALOGUE, document, part, into)!);
    expect(wired.nodes).toEqual(part.nodes);
    const after = { ...document, subgraphs: { part: wired } };
    expect(specOf(CATALOGUE, after, "subgraph.part")!.settings.properties!.radius!.default).toBe(4);
  });

  test("is refused where nodes outside set it already", () => {
    const document = around(SOFT, [FED], { blur: { sets: ["soft.radius"] } });
    for (const socket of ["size", NEW]) {
      expect(judged(document, socket)).toMatchObject({ ok: false, reason: "isParameter" });
    }
  });
});
