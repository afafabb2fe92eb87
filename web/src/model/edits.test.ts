import { beforeEach, describe, expect, test } from "vitest";

import { type Document, EMPTY } from "./document";
import { documentOf, editor } from "./editor";
import { connect, move, removeNodes, splice } from "./edits";
import { CATALOGUE, Chance, dangling, EDITS, randomDocument } from "./fixtures";
import { passing } from "./wiring";

describe("hundreds of random edits", () => {
  beforeEach(() => editor.getState().open(EMPTY));

  test.each([1, 2, 3, 4, 5, 6, 7, 8])("of seed %i are undone and done again exactly", (seed) => {
    const chance = new Chance(seed);
    const seen: Document[] = [documentOf(editor.getState())];
    for (let step = 0; step < 300; step += 1) {
      const document = documentOf(editor.getState());
      const scope = chance.next() < 0.6 ? null : (chance.pick(Object.keys(document.subgraphs ?? {})) ?? null);
      const label = chance.pick(Object.keys(EDITS))!;
      editor.getState().editDocument(label, (before) => EDITS[label]!(before, scope, chance));
      const after = documentOf(editor.getState());
      if (after === document) continue;
      expect(dangling(after), `after ${label} (step ${step})`).toEqual([]);
      seen.push(after);
    }
    expect(seen.length).toBeGreaterThan(100);
    const texts = seen.map((one) => JSON.stringify(one));
    for (const text of texts.slice(0, -1).reverse()) {
      editor.getState().undo();
      expect(JSON.stringify(documentOf(editor.getState()))).toBe(text);
    }
    expect(editor.getState().history.past).toEqual([]);
    for (const text of texts.slice(1)) {
      editor.getState().redo();
      expect(JSON.stringify(documentOf(editor.getState()))).toBe(text);
    }
    expect(editor.getState().history.future).toEqual([]);
  });
});

test("no edit changes the document it was given", () => {
  const chance = new Chance(9);
  for (const [label, edit] of Object.entries(EDITS)) {
    const document = EDITS.wrap!(randomDocument(20, 60), null, new Chance(3));
    const before = JSON.stringify(document);
    for (let time = 0; time < 20; time += 1) edit(document, null, chance);
    expect(JSON.stringify(document), label).toBe(before);
  }
});

const chain: Document = {
  graphgen: 1,
  nodes: {
    made: { type: "make.image" },
    soft: { type: "images.blur", inputs: { image: "made.image" } },
    softer: { type: "images.blur", inputs: { image: "soft.image" } },
    saved: { type: "files.save", inputs: { image: "softer.image" } },
  },
  outputs: { picture: { from: "softer.image" } },
  view: { wires: { "softer.image": [{ x: 5, y: 5 }] }, nodes: { soft: { x: 0, y: 0 }, softer: { x: 300, y: 0 } } },
};

test("deleting cuts the wires, deleting and healing closes the gap over several nodes", () => {
  const cut = removeNodes(chain, ["soft", "softer"]);
  expect(cut.nodes.saved!.inputs).toBeUndefined();
  expect(cut.outputs).toEqual({});
  const healed = removeNodes(chain, ["soft", "softer"], passing(CATALOGUE, chain, chain));
  expect(healed.nodes.saved!.inputs).toEqual({ image: "made.image" });
  expect(healed.outputs).toEqual({ picture: { from: "made.image" } });
});

test("a node is put into a wire, and the wire's other users are left alone", () => {
  const wire = { from: "softer.image", node: "saved", input: "image", index: 0, many: false };
  const added: Document = { ...chain, nodes: { ...chain.nodes, new: { type: "images.blur" } } };
  const spliced = splice(added, wire, "new", { input: "image", output: "image", many: false });
  expect(spliced.nodes.saved!.inputs).toEqual({ image: "new.image" });
  expect(spliced.nodes.new!.inputs).toEqual({ image: "softer.image" });
  expect(spliced.outputs).toEqual({ picture: { from: "softer.image" } });
});

test("the points of a wire go along where both of its ends do, and are forgotten with it", () => {
  const together = move(chain, { soft: { x: 10, y: 20 }, softer: { x: 310, y: 20 } });
  expect(together.view!.wires).toEqual({ "softer.image": [{ x: 15, y: 25 }] });
  expect(move(chain, { soft: { x: 10, y: 20 } }).view!.wires).toEqual(chain.view!.wires);
  expect(removeNodes(chain, ["softer"]).view!.wires).toEqual({});
});

test("an input that takes many wires takes each once, in order", () => {
  const batch: Document = { ...chain, nodes: { ...chain.nodes, batch: { type: "images.batch" } } };
  const twice = ["made.image", "soft.image", "made.image"].reduce(
    (graph, from) => connect(graph, from, "batch", "images", true),
    batch,
  );
  expect(twice.nodes.batch!.inputs).toEqual({ images: ["made.image", "soft.image"] });
});
