import { expect, test } from "vitest";

import type { CardPlan } from "./cards";
import { CATALOGUE } from "./fixtures";
import { outcomeOf, pictureOf } from "./outcome";
import type { NodeRun } from "./runs";

const plan = (state: CardPlan["state"], kind = "setting", digests = {}): CardPlan => ({
  state,
  because: state === "run" || state === "may run" ? [{ kind, words: "", about: "width", parts: {} }] : [],
  seconds: null,
  digests,
});
const DONE: NodeRun = { status: "done", seconds: 1 };

test.each([
  ["what runs is told of the run", DONE, plan("run"), true, "done"],
  ["a change makes it stale", DONE, plan("run"), false, "stale"],
  ["what only values will tell may run", DONE, plan("may run"), false, "perhaps"],
  ["what runs every time is done all the same", DONE, plan("run", "every_time"), false, "done"],
  ["a failure stays until the next run", { status: "failed" } as NodeRun, plan("run"), false, "failed"],
  ["what was never run and is kept is cached", undefined, plan("cached"), false, "kept"],
  ["so is what nothing needs to be run for", undefined, plan("not needed", "", { image: "d" }), false, "kept"],
  ["of what is not known nothing is said", undefined, plan("not needed"), false, undefined],
  ["so does what was skipped", { status: "skipped" } as NodeRun, plan("run", "first"), false, "skipped"],
  ["where no plan is known a change is told", DONE, undefined, false, "changed"],
  ["a pinned node is pinned", DONE, plan("pinned"), false, "pinned"],
] as const)("%s", (_, run, planned, open, kind) => {
  expect(outcomeOf(run, planned, open, true)?.kind).toBe(kind);
});

test("what nothing takes says so, until it ran by itself", () => {
  expect(outcomeOf(undefined, undefined, false, false, true)?.kind).toBe("loose");
  expect(outcomeOf(DONE, undefined, false, false, true)?.kind).toBe("done");
});

test("what has run does not go on saying why it would", () => {
  expect(outcomeOf(DONE, plan("run", "first"), true, false)?.because).toEqual([]);
  expect(outcomeOf(DONE, plan("run", "every_time"), false, false)?.because).toHaveLength(1);
});

test("what is as it ran is done, though no plan is known", () => {
  expect(outcomeOf(DONE, undefined, false, false)?.kind).toBe("done");
});

test("the first output that can be seen is shown, lists too", () => {
  const cut = CATALOGUE.nodes["images.cut"];
  expect(pictureOf({ type: "images.cut" }, cut, { outside: "b" })).toBe("b");
  expect(pictureOf({ type: "images.cut", map: { over: ["image"] } }, cut, { inside: "a", outside: "b" })).toBe("a");
  const mask = CATALOGUE.nodes["make.mask"];
  expect(pictureOf({ type: "make.mask" }, mask, { whole: "n" })).toBeNull();
});
