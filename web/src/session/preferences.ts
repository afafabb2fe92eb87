/** How the person wants the page to look; chosen once, kept in the browser. The language is in i18n. */

import { createStore } from "zustand/vanilla";

export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

const KEY = "graphgen-theme";

function initial(): Theme {
  const kept = localStorage.getItem(KEY);
  return THEMES.find((theme) => theme === kept) ?? "system";
}

export const preferences = createStore<{ readonly theme: Theme }>()(() => ({ theme: initial() }));

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
