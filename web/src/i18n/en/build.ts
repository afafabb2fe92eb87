/** What is said about building a graph. */

export const build = {
  addNode: "Add a node",
  searchNodes: "Search nodes",
  nothingFound: "Nothing found for “{text}”",
  noFit: "{from} does not fit {into}",
  circle: "that would close a circle",
  converts: "through {node}",
  problems: "{count} problems",
  notInstalled: "not installed",
  emptyCanvas: "Press Tab or double-click to add a node",
  canvas: "Workflow graph",
} as const;
