/** What is said about runs that are over, and about what they gave. */

export const history = {
  run_queued: "Waiting",
  run_running: "At work",
  run_done: "Done",
  run_failed: "Failed",
  run_cancelled: "Cancelled",
  howEnded: "How the runs ended",
  ended_all: "All runs",
  ended_done: "Done",
  ended_failed: "Failed",
  ended_cancelled: "Cancelled",
  neverBegan: "It was cancelled before it began.",
  cancelledAfter: "It was stopped when {count} nodes were done.",
  noReason: "It left no reason behind.",
  sweepOf: "Sweep {label}, {count} pictures",
  showSweep: "Show the pictures of {name}",
  outOfDate: "Of the run before",
  outOfDateSince: "Before: {reason}",
  moreBefore: "Cancelled before it: {count}.",
} as const;
