import { expect, test } from "vitest";

import { placeOf, planCards, runCards } from "./cards";
import type { Document } from "./document";
import { advance, queued, type RunEvent, type RunState } from "./runs";

const DOCUMENT: Document = {
  graphgen: 1,
  nodes: {
    one: { type: "subgraph.outer" },
    each: { type: "subgraph.inner", map: { over: ["width"] } },
    save: { type: "images.save" },
  },
  subgraphs: {
    outer: { nodes: { in: { type: "subgraph.inner" } }, outputs: { picture: { from: "in.image" } } },
    inner: { nodes: { solid: { type: "images.solid" } }, outputs: { image: { from: "solid.image" } } },
  },
};

test.each([
  [null, "save", "save", ""],
  [null, "save@3", "save", ""],
  [null, "one/in/solid", "one", "in/solid"],
  [null, "each@2/1/solid", "each", "1/solid"],
  [null, "save/image:to_mask", "save", "image:to_mask"],
  ["inner", "each/12/solid", "solid", ""],
  ["inner", "one/in/solid", "solid", ""],
  ["outer", "one/in/solid", "in", "solid"],
] as const)("in %s, %s is shown at %s", (scope, name, card, within) => {
  expect(placeOf(DOCUMENT, scope, name)).toEqual({ card, within });
});

test("what is not in the shown graph has no card", () => {
  expect(placeOf(DOCUMENT, "inner", "save")).toBeNull();
  expect(placeOf(DOCUMENT, "outer", "each/0/solid")).toBeNull();
  expect(placeOf(DOCUMENT, null, "gone")).toBeNull();
});

function after(...events: RunEvent[]): RunState {
  const start: RunState = { ...queued("r"), expected: ["one/in/solid", "each", "save"] };
  return advance(start, events);
}

const STARTED = { event: "run_started", nodes: 3, seconds: 0 };

test("a card waits, works, and is done with what lies in it", () => {
  const begun = after(STARTED, { event: "node_started", node: "one/in/solid" });
  expect(runCards(DOCUMENT, null, begun).states).toMatchObject({
    one: { status: "running", stage: "in/solid" },
    each: { status: "queued" },
    save: { status: "queued" },
  });
  const done = advance(begun, [{ event: "node_finished", node: "one/in/solid", seconds: 2, digests: { image: "d1" } }]);
  expect(runCards(DOCUMENT, null, done).states.one).toMatchObject({
    status: "done",
    seconds: 2,
    digests: { picture: "d1" },
  });
  expect(runCards(DOCUMENT, "inner", done).states.solid).toMatchObject({ status: "done", digests: { image: "d1" } });
});

test("a zone counts its items, and tells of the one that failed", () => {
  const begun = after(
    STARTED,
    { event: "node_started", node: "each" },
    { event: "node_finished", node: "each/0/solid", seconds: 1 },
    { event: "node_started", node: "each/1/solid" },
  );
  expect(runCards(DOCUMENT, null, begun).states.each).toMatchObject({ status: "running", done: 1, total: 2 });
  const failed = after({ event: "node_failed", node: "one/in/solid", message: "no room" });
  expect(runCards(DOCUMENT, null, failed).states.one).toMatchObject({ status: "failed", message: "in/solid: no room" });
});

test("what did not change stays the same object", () => {
  const begun = after(STARTED, { event: "node_finished", node: "one/in/solid", seconds: 1 });
  const before = runCards(DOCUMENT, null, begun);
  const next = runCards(DOCUMENT, null, advance(begun, [{ event: "node_started", node: "save" }]), before);
  expect(next.states.one).toBe(before.states.one);
  expect(next.states.save).not.toBe(before.states.save);
});

test("a plan is told by card: what runs comes first", () => {
  const node = (name: string, state: "run" | "cached", seconds: number | null) => ({
    node: name,
    state,
    because: state === "run" ? [{ kind: "setting", words: "w", about: "width", parts: {} }] : [],
    seconds,
    digests: state === "cached" ? { image: `of ${name}` } : {},
  });
  const { states } = planCards(DOCUMENT, null, [node("one/in/solid", "cached", null), node("each", "run", 3)]);
  expect(states).toMatchObject({
    one: { state: "cached", digests: { picture: "of one/in/solid" } },
    each: { state: "run", seconds: 3, because: [{ about: "width" }] },
  });
});

test("a card inside a subgraph never borrows how one outside stands that has its name", () => {
  const document: Document = {
    graphgen: 1,
    nodes: { solid: { type: "images.solid" }, use: { type: "subgraph.inner" } },
    subgraphs: { inner: { nodes: { solid: { type: "images.solid" } }, outputs: { image: { from: "solid.image" } } } },
  };
  const outside = advance(queued("r"), [STARTED, { event: "node_failed", node: "solid", message: "no", type: "E" }]);
  expect(runCards(document, "inner", outside).states).toEqual({});
  expect(runCards(document, null, outside).states).toMatchObject({ solid: { status: "failed" } });
  const inside = advance(queued("r"), [STARTED, { event: "node_started", node: "use/solid" }]);
  const before = runCards(document, null, outside);
  expect(runCards(document, "inner", inside, before).states).toMatchObject({ solid: { status: "running" } });
  expect(Object.keys(runCards(document, null, inside, before).states)).toEqual(["use"]);
  const planned = { node: "solid", state: "run" as const, because: [], seconds: null, digests: {} };
  expect(planCards(document, "inner", [planned]).states).toEqual({});
  expect(Object.keys(planCards(document, "inner", [{ ...planned, node: "use/solid" }]).states)).toEqual(["solid"]);
});
