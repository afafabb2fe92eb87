/** What is said about runs, the queue and what came out. */

export const run = {
  run: "Run",
  stop: "Stop",
  running: "Running",
  runRefused: "The workflow cannot run yet: {first}",
} as const;
