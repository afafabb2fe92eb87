/** How the person wants the page to look and to tell; chosen once, kept in the browser. The language is in i18n. */

import { createStore } from "zustand/vanilla";

import { notify } from "./notices";

export type Theme = "system" | "light" | "dark";
export const THEMES: readonly Theme[] = ["system", "light", "dark"];

export interface Preferences {
  readonly theme: Theme;
  /** Whether the desktop tells of a long run that ends while the page is not seen. */
  readonly notify: boolean;
  /** The folders of the library that are closed. */
  readonly folded: ReadonlySet<string>;
}

const THEME = "graphgen-theme";
const NOTIFY = "graphgen-notify";
const FOLDED = "graphgen-folded";

function themeAtFirst(): Theme {
  const kept = localStorage.getItem(THEME);
  return THEMES.find((theme) => theme === kept) ?? "system";
}

export const preferences = createStore<Preferences>()(() => ({
  theme: themeAtFirst(),
  notify: localStorage.getItem(NOTIFY) === "yes" && mayNotify(),
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
  localStorage.setItem(THEME, theme);
  preferences.setState({ theme });
}

function mayNotify(): boolean {
  return "Notification" in window && Notification.permission === "granted";
}

/** Let the desktop tell of runs that end, or not; the browser asks the person the first time. */
export async function setNotify(wanted: boolean): Promise<void> {
  if (wanted && !mayNotify() && "Notification" in window) await Notification.requestPermission();
  const granted = wanted && mayNotify();
  if (wanted && !granted) notify("warning", "notifyRefused");
  localStorage.setItem(NOTIFY, granted ? "yes" : "no");
  preferences.setState({ notify: granted });
}

/** Tell whether the person wants the page to move as little as can be. */
export function isCalm(): boolean {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}
