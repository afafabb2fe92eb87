/** How far away the canvas is looked at: from afar nodes are outlines with a title, and many wires are one drawing. */

import { createContext, useContext } from "react";

/** Below this zoom sockets and settings are too small to be read or hit. */
const FAR = 0.35;
/** Below this one titles are too, even large ones. */
const REMOTE = 0.14;

export type Distance = "near" | "far" | "remote";

/** Return how far away a zoom is. */
export function distanceAt(zoom: number): Distance {
  return zoom >= FAR ? "near" : zoom >= REMOTE ? "far" : "remote";
}

/** Whether nodes are outlines; one value for all of them, which changes only where the zoom passes the bound. */
export const FarContext = createContext(false);
export const useIsFar = (): boolean => useContext(FarContext);
