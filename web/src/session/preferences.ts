/** How the person wants the page to look; chosen once, kept in the browser. The language is in i18n. */

import { createStore } from "zustand/vanilla";

export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

const KEY = "graphgen-theme";

function initial(): Theme {
  const kept = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === kept) ?? "system";
}

const FOLDED = "graphgen-folded";

interface Preferences {
  readonly theme: Theme;
  /** The folders of the library that are closed. */
  readonly folded: ReadonlySet<string>;
}

export const preferences = createStore<Preferences>()(() => ({
  theme: initial(),
  folded: new Set(JSON.parse(localStorage.getItem(FOLDED) ?? "[]") as string[]),
}));

/** Close a folder of the library or open it, now and for the next time. */
export function fold(folder: string, isFolded: boolean): void {
  const folded = new Set(preferences.getState().folded);
  if (isFolded) folded.add(folder);
  else folded.delete(folder);
  localStorage.setItem(FOLDED, JSON.stringify([...folded]));
  preferences.setState({ folded });
}

/** Show the page in the chosen theme; `system` leaves it to the browser. */
export function applyTheme(): void {
  const { theme } = preferences.getState();
  if (theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
}

preferences.subscribe(applyTheme);

/** Change the theme, now and for the next time. */
export function setTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  preferences.setState({ theme });
}
