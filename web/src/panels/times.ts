/** Points in time as people say them. */

import { useStore } from "zustand";

import { language } from "../i18n";

const UNITS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];
const WEEK = 7 * 86_400;

/** Return how to say when something was, given in seconds since 1970: lately by how long ago, else by the date. */
export function useWhen(): (time: number) => string {
  const code = useStore(language, (state) => state.code);
  return (time) => {
    const ago = Math.max(0, Date.now() / 1000 - time);
    if (ago > WEEK) return new Date(time * 1000).toLocaleDateString(code, { dateStyle: "medium" });
    const [unit, size] = UNITS.find(([, one]) => ago >= one) ?? ["second", 1];
    const format = new Intl.RelativeTimeFormat(code, { numeric: "auto" });
    return unit === "second" ? format.format(0, "second") : format.format(-Math.floor(ago / size), unit);
  };
}
