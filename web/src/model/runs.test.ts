import { expect, test } from "vitest";

import { advance, queued, type RunEvent } from "./runs";

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
