/** Colours for what is painted: canvases know no variables of style sheets, so these are looked up where the page has them. */

import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";

import { preferences } from "../session/preferences";

/** Return what a colour of the style sheets is in the theme that is shown, as a canvas takes it. */
export type Ink = (color: string) => string;

const darkness = window.matchMedia("(prefers-color-scheme: dark)");

function inkOf(): Ink {
  const known = new Map<string, string>();
  return (color) => {
    const found = known.get(color);
    if (found !== undefined) return found;
    const probe = document.createElement("i");
    probe.style.color = color;
    document.querySelector(".canvas")?.append(probe);
    const ink = getComputedStyle(probe).color;
    probe.remove();
    known.set(color, ink);
    return ink;
  };
}

const shown = createStore<{ readonly ink: Ink }>()(() => ({ ink: inkOf() }));
const renew = (): void => shown.setState({ ink: inkOf() });
darkness.addEventListener("change", renew);
preferences.subscribe(renew);

/** Return how colours are looked up; another function for each theme. */
export const useInk = (): Ink => useStore(shown, ({ ink }) => ink);
