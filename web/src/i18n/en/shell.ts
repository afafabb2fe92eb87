/** What is said about the frame around everything: saving, the connection, notices. */

export const shell = {
  undo: "Undo",
  redo: "Redo",
  saved: "Saved",
  changed: "Changed",
  saving: "Saving…",
  offline: "Not saved: the server cannot be reached. Trying again.",
  saveFailed: "Not saved: {why}",
  disconnected: "The connection to the server is lost. Trying again…",
  draftRestored: "Changes that were not saved yet have been restored.",
  draftTooLarge: "The browser's storage is full; changes are kept by the server alone.",
  merged: "Changes from another tab were taken in.",
  mergedWithConflicts: "Changes from another tab were taken in. Both changed {places}; yours was kept.",
  failed: "That did not work: {why}",
  inspector: "Node",
  nothingSelected: "Select a node to see all about it.",
  close: "Close",
} as const;
