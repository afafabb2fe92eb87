/** The person's language: chosen once, else the browser's. */

import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";

import { en, type MessageKey } from "./en";
import { ko } from "./ko";

export type Language = "en" | "ko";
export type Values = Readonly<Record<string, string | number>>;

const MESSAGES: Readonly<Record<Language, Readonly<Record<MessageKey, string>>>> = { en, ko };
const KEY = "graphgen-language";

function initial(): Language {
  const chosen = localStorage.getItem(KEY) ?? navigator.language;
  return chosen.startsWith("ko") ? "ko" : "en";
}

export const language = createStore<{ readonly code: Language }>()(() => ({ code: initial() }));

/** Change the language, now and for the next time. */
export function setLanguage(code: Language): void {
  localStorage.setItem(KEY, code);
  document.documentElement.lang = code;
  language.setState({ code });
}

/** Say something in a language. */
export function say(code: Language, key: MessageKey, values: Values = {}): string {
  return MESSAGES[code][key].replaceAll(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Return how to say things in the person's language. */
export function useSay(): (key: MessageKey, values?: Values) => string {
  const code = useStore(language, (state) => state.code);
  return (key, values) => say(code, key, values);
}
