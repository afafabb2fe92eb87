import { expect, test } from "vitest";

import { advance, nodesLeft, progressOf, queued, type RunEvent, type RunState, secondsLeft } from "./runs";

const started: RunEvent = { event: "run_started", nodes: 2, seconds: 1, time: 5 };
const told: readonly RunEvent[] = [
  { event: "run_queued" },
  started,
  { event: "node_started", node: "solid" },
  { event: "node_log", node: "solid", level: "info", message: "hello" },
  { event: "node_finished", node: "solid", seconds: 2, summaries: {}, digests: { image: "d" } },
  { event: "node_started", node: "save" },
  { event: "run_interrupted" },
  started,
  { event: "node_cached", node: "solid", digests: { image: "d" } },
  { event: "node_started", node: "save" },
  { event: "run_finished", status: "cancelled", time: 9 },
];

test("events told together leave a run as when they are told one by one", () => {
  const singly = told.reduce((run, event) => advance(run, [event]), queued("r"));
  expect(advance(queued("r"), told)).toEqual(singly);
  expect(singly).toMatchObject({
    status: "cancelled",
    nodes: { solid: { status: "cached" }, save: { status: "skipped" } },
  });
});

test("events leave the run before them as it was, and nodes of which they tell nothing", () => {
  const before = advance(queued("r"), told.slice(0, 6));
  const copy = structuredClone(before);
  const after = advance(before, [
    { event: "node_progress", node: "save", done: 1, total: 4 },
    { event: "node_progress", node: "save", done: 2, total: 4 },
  ]);
  expect(before).toEqual(copy);
  expect(after.nodes.save).toMatchObject({ done: 2, total: 4 });
  expect(after.nodes.solid).toBe(before.nodes.solid);
  expect(advance(after, [{ event: "unheard_of", node: "save" }])).toBe(after);
});

const EXPECTED: RunState = {
  ...queued("r"),
  expected: ["encode", "sample", "decode"],
  estimates: { encode: 1, sample: 8, decode: 1 },
};
const after = (start: RunState, ...events: RunEvent[]): RunState => advance(start, events);
const STARTED = { event: "run_started", nodes: 5, seconds: 10, time: 100 };
const finished = (node: string) => ({ event: "node_finished", node, seconds: 1 });

test("what is left to run counts down, cached nodes not among it", () => {
  expect(nodesLeft(queued("r"))).toBeNull();
  expect(nodesLeft(EXPECTED)).toBe(3);
  const begun = after(EXPECTED, STARTED, { event: "node_cached", node: "load" }, finished("encode"));
  expect(nodesLeft(begun)).toBe(2);
  expect(nodesLeft(after(begun, { event: "node_started", node: "sample" }))).toBe(2);
  expect(nodesLeft(after(queued("r"), STARTED, finished("one"), finished("two")))).toBe(3);
});

test("a long node is more of the work than a quick one", () => {
  const quick = after(EXPECTED, STARTED, finished("encode"), finished("decode"));
  expect(progressOf(quick).share).toBeCloseTo(0.2);
  const half = after(quick, { event: "node_progress", node: "sample", done: 4, total: 8, stage: "" });
  expect(progressOf(half)).toMatchObject({ share: 0.6, at: "sample 4/8" });
  const { estimates: _, ...rest } = EXPECTED;
  expect(progressOf(after({ ...rest, estimates: {} }, STARTED, finished("encode"))).share).toBeCloseTo(1 / 3);
});

test("what a node has shown counts for more than what was thought of it", () => {
  const begun = after(EXPECTED, STARTED, finished("encode"), { event: "node_started", node: "sample", time: 101 });
  const slow = after(begun, { event: "node_progress", node: "sample", done: 1, total: 8, stage: "", time: 106 });
  expect(progressOf(slow).share).toBeCloseTo((1 + 5) / (1 + 40 + 1));
  expect(progressOf(after(slow, { ...finished("sample"), seconds: 38 })).share).toBeCloseTo(39 / 40);
});

test("the time left is what was known before, and then more and more what the run has shown", () => {
  expect(secondsLeft(EXPECTED, 100)).toBeNull();
  const begun = after(EXPECTED, STARTED);
  expect(secondsLeft(begun, 103)).toBe(7);
  expect(secondsLeft(begun, 130)).toBeNull();
  // at half of the work after 20 seconds instead of 5: the plan has nothing left to say
  const late = after(begun, { event: "node_progress", node: "sample", done: 5, total: 8, stage: "" });
  expect(secondsLeft(late, 120)).toBeCloseTo(20);
  const early = after(begun, { event: "node_progress", node: "sample", done: 4, total: 8, stage: "" });
  expect(secondsLeft(early, 102)).toBeCloseTo(8 * 0.6 + 3 * 0.4);
  expect(secondsLeft(after(begun, ...["encode", "sample", "decode"].map(finished)), 105)).toBeNull();
});

test("progress that is told late leaves a node over, and starting anew does not", () => {
  const finished = { event: "node_finished", node: "save", seconds: 1, summaries: {}, digests: {} };
  const late = { event: "node_progress", node: "save", done: 1, total: 1, stage: "" };
  const ended = { event: "run_finished", status: "done", time: 9 };
  const run = advance(queued("a"), [{ event: "node_started", node: "save", time: 1 }, finished, late]);
  expect(run.nodes.save!.status).toBe("done");
  expect(advance(run, [ended]).nodes.save!.status).toBe("done");
  expect(advance(run, [{ event: "node_started", node: "save", time: 2 }, late]).nodes.save!.status).toBe("running");
});
