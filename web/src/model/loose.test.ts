import { expect, test } from "vitest";

import type { CardPlan } from "./cards";
import type { Document } from "./document";
import { looseNodes } from "./loose";

const PLANNED: CardPlan = { state: "cached", because: [], seconds: null, digests: {} };
const FLOW: Document = {
  graphgen: 1,
  nodes: {
    load: { type: "images.load" },
    save: { type: "images.save", inputs: { image: "load.image" } },
    look: { type: "images.resize", inputs: { image: "load.image" } },
    off: { type: "images.resize", inputs: { image: "load.image" }, mode: "mute" },
    behind: { type: "images.resize", inputs: { image: "off.image" } },
    held: { type: "images.resize", inputs: { image: "load.image" }, mode: "pin" },
  },
  subgraphs: { zone: { nodes: { inner: { type: "images.resize" } } } },
};

test("what no output takes is loose; what is muted, behind it or in another mode is told otherwise", () => {
  expect([...looseNodes(FLOW, null, { load: PLANNED, save: PLANNED })]).toEqual(["look"]);
});

test("of a subgraph that the plan does not go into nothing is said", () => {
  expect(looseNodes(FLOW, "zone", {}).size).toBe(0);
});
