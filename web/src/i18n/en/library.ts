/** What is said about saved workflows. */

export const library = {
  library: "Workflows",
  examples: "Examples",
  own: "Your workflows",
  newWorkflow: "New workflow",
  untitled: "Untitled",
  copied: "An example is never changed; this is your own copy now: {name}",
  copyOf: "{name} copy",
} as const;
