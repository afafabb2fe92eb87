import { describe, expect, test } from "vitest";

import { specOf } from "./catalogue";
import { makeSubgraph } from "./collapse";
import type { Document } from "./document";
import { CATALOGUE, Chance, dangling, randomDocument } from "./fixtures";
import { copy, paste, readFragment } from "./fragment";
import { dropSubgraphs, moveFace, removeFace, renameFace, renameSubgraph, unusedSubgraphs } from "./subgraphs";
import { unpack } from "./unpack";

/** What is computed: all but places; what a parameter sets is a set. */
function meaning({ nodes, outputs, parameters, subgraphs }: Document): unknown {
  const sets = Object.entries(parameters ?? {}).map(([name, one]) => [name, [...one.sets].sort()] as const);
  return { nodes, outputs: outputs ?? {}, subgraphs: subgraphs ?? {}, parameters: Object.fromEntries(sets) };
}

describe("made and unpacked again", () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))("a part of graph %i is what it was", (seed) => {
    const document = randomDocument(seed, 80);
    const chance = new Chance(seed + 1000);
    let wrapped = 0;
    for (let time = 0; time < 12; time += 1) {
      const made = makeSubgraph(
        CATALOGUE,
        document,
        null,
        new Set(chance.some(Object.keys(document.nodes), 0.05 + 0.05 * time)),
        "part",
      );
      if (!made.ok) continue;
      wrapped += 1;
      expect(dangling(made.document)).toEqual([]);
      const back = unpack(made.document, null, made.node);
      expect(back.ok && meaning(back.document)).toEqual(meaning(document));
    }
    expect(wrapped).toBeGreaterThan(0);
  });
});

const document: Document = {
  graphgen: 1,
  nodes: {
    made: { type: "make.image", settings: { seed: 3 } },
    shape: { type: "make.mask" },
    cut: { type: "images.cut", inputs: { image: "made.image", mask: "shape.mask" } },
    soft: { type: "images.blur", inputs: { image: "cut.inside" }, settings: { radius: 4 } },
    saved: { type: "files.save", inputs: { image: "soft.image" } },
  },
  parameters: { blur: { sets: ["soft.radius"] } },
};

function wrap(names: string[], from = document) {
  const made = makeSubgraph(CATALOGUE, from, null, new Set(names), "part");
  if (!made.ok) throw new Error(made.reason);
  return made.document;
}

test("the face of a subgraph is that of the wires which cross its border", () => {
  const wrapped = wrap(["cut", "soft"]);
  expect(wrapped.subgraphs!.part).toMatchObject({
    inputs: { image: { type: "image" }, mask: { type: "mask?" } },
    outputs: { image: { from: "soft.image" } },
    parameters: { blur: { sets: ["soft.radius"] } },
  });
  expect(wrapped.nodes.part).toEqual({
    type: "subgraph.part",
    inputs: { image: "made.image", mask: "shape.mask" },
  });
  expect(wrapped.parameters).toEqual({ blur: { sets: ["part.blur"] } });
  expect(specOf(CATALOGUE, wrapped, "subgraph.part")?.settings.properties!.blur!.default).toBe(4);
});

test("what cannot be a subgraph is refused with the reason", () => {
  const refusal = (names: string[]) => makeSubgraph(CATALOGUE, document, null, new Set(names), "part");
  expect(refusal(["made", "soft"])).toEqual({ ok: false, reason: "wrapCircle" });
  expect(refusal([":note"])).toEqual({ ok: false, reason: "nothingToWrap" });
  expect(refusal(["saved"]).ok).toBe(true);
});

test("a renamed or removed socket is followed wherever the subgraph is used, and inside", () => {
  const twice = wrap(["part", "saved"], wrap(["cut", "soft"]));
  const inner = Object.keys(twice.subgraphs!).find((name) => name !== "part")!;
  const renamed = renameFace(
    renameFace(twice, "part", "inputs", "image", "picture"),
    "part",
    "outputs",
    "image",
    "out",
  );
  expect(dangling(renamed)).toEqual([]);
  expect(renamed.subgraphs!.part!.nodes.cut!.inputs).toMatchObject({ image: "inputs.picture" });
  expect(renamed.subgraphs![inner]!.nodes.part!.inputs).toMatchObject({ picture: "inputs.image" });
  expect(renamed.subgraphs![inner]!.nodes.saved!.inputs).toEqual({ image: "part.out" });
  expect(renameFace(twice, "part", "inputs", "image", "blur")).toBe(twice);
  const removed = removeFace(renamed, "part", "parameters", "blur");
  expect(dangling(removed)).toEqual([]);
  expect(removed.parameters).toEqual({});
});

test("sockets move up and down, and stay within their list", () => {
  const wrapped = wrap(["cut", "soft"]);
  const names = (one: Document) => Object.keys(one.subgraphs!.part!.inputs!);
  expect(names(moveFace(wrapped, "part", "inputs", "mask", -1))).toEqual(["mask", "image"]);
  expect(moveFace(wrapped, "part", "inputs", "mask", 1)).toBe(wrapped);
});

test("a subgraph is renamed with all that stand for it, and gone when nobody needs it", () => {
  const renamed = renameSubgraph(wrap(["cut", "soft"]), "part", "masked");
  expect(renamed.nodes.part!.type).toBe("subgraph.masked");
  expect(unusedSubgraphs(renamed)).toEqual([]);
  const { part: _, ...nodes } = renamed.nodes;
  const left: Document = { ...renamed, nodes };
  expect(unusedSubgraphs(left)).toEqual(["masked"]);
  expect(dropSubgraphs(left, ["masked"])).not.toHaveProperty("subgraphs");
});

test("what is set and wired at a subgraph goes to its nodes when it is unpacked", () => {
  const wrapped = wrap(["cut", "soft"]);
  const set: Document = {
    ...wrapped,
    nodes: { ...wrapped.nodes, part: { ...wrapped.nodes.part!, settings: { blur: 9 } } },
  };
  const back = unpack(set, null, "part");
  expect(back.ok && back.document.nodes.soft!.settings).toEqual({ radius: 9 });
  const zone: Document = {
    ...wrapped,
    nodes: { ...wrapped.nodes, part: { ...wrapped.nodes.part!, map: { over: ["image"] } } },
  };
  expect(unpack(zone, null, "part")).toEqual({ ok: false, reason: "unpackZone" });
});

describe("copied and pasted", () => {
  const at = { x: 40, y: 50 };
  const text = (names: string[], from = document) => JSON.stringify(copy(from, null, new Set(names)));
  const read = (names: string[], from = document) => readFragment(text(names, from))!;

  test("nodes come under free names with the wires among them, and those from outside if asked", () => {
    const plain = paste(document, null, read(["cut", "soft"]), { at, wired: false });
    if (typeof plain === "string") throw new Error(plain);
    expect(plain.ids).toEqual(["cut_2", "soft_2"]);
    expect(plain.document.nodes.soft_2).toMatchObject({ inputs: { image: "cut_2.inside" }, settings: { radius: 4 } });
    expect(plain.document.nodes.cut_2!.inputs).toBeUndefined();
    const wired = paste(document, null, read(["cut", "soft"]), { at, wired: true });
    expect(typeof wired !== "string" && wired.document.nodes.cut_2!.inputs).toEqual(document.nodes.cut!.inputs);
  });

  test("subgraphs come along: the same one is shared, another one of its name gets a free one", () => {
    const wrapped = wrap(["cut", "soft"]);
    const fragment = read(["part"], wrapped);
    const fresh = paste(document, null, fragment, { at, wired: false });
    expect(typeof fresh !== "string" && Object.keys(fresh.document.subgraphs!)).toEqual(["part"]);
    const again = paste(wrapped, null, fragment, { at, wired: false });
    expect(typeof again !== "string" && Object.keys(again.document.subgraphs!)).toEqual(["part"]);
    const other = paste(wrap(["soft"]), null, fragment, { at, wired: false });
    if (typeof other === "string") throw new Error(other);
    expect(other.document.nodes.part_2!.type).toBe("subgraph.part_2");
    expect(dangling(other.document)).toEqual([]);
  });

  test("a subgraph that would hold itself is refused by name", () => {
    const wrapped = wrap(["cut", "soft"]);
    expect(paste(wrapped, "part", read(["part"], wrapped), { at, wired: false })).toBe("part");
  });

  test("a whole workflow comes with its face into an empty one; other texts are none", () => {
    const whole = readFragment(JSON.stringify(document))!;
    const pasted = paste({ graphgen: 1, nodes: {} }, null, whole, { at, wired: false });
    expect(typeof pasted !== "string" && pasted.document.parameters).toEqual(document.parameters);
    for (const other of [
      "a red apple",
      "{}",
      '{"graphgen": 1, "nodes": {"a": 3}}',
      '{"graphgen": 2, "nodes": {}}',
      "{",
    ]) {
      expect(readFragment(other)).toBeNull();
    }
  });
});
