/**
 * What is wrong with a workflow, in the person's language. The server says it in English; other languages have lines by
 * its codes.
 */

import type { Language } from ".";
import { problems as ko } from "./ko/problems";

const LINES: Readonly<Record<Language, Readonly<Record<string, string>>>> = { en: {}, ko };

/** The parts of a problem that are said. */
export interface Said {
  readonly code: string;
  readonly place: string;
  readonly message: string;
  readonly value?: unknown;
  readonly cure?: string;
  readonly parts?: Readonly<Record<string, unknown>>;
}

export interface Phrase {
  readonly message: string;
  /** What to do about it, where the message does not say so itself. */
  readonly cure: string | undefined;
}

/** Say a problem in a language; in the server's words where there is no line for it, or it does not tell all that is said. */
export function phraseOf(code: Language, problem: Said): Phrase {
  const values: Readonly<Record<string, unknown>> = { ...problem, ...problem.parts };
  const line = LINES[code][problem.code];
  const isComplete = line !== undefined && [...line.matchAll(PART)].every(([, name]) => values[name!] !== undefined);
  if (!isComplete) return { message: problem.message, cure: problem.cure };
  return { message: line.replaceAll(PART, (_, name: string) => said(values[name])), cure: undefined };
}

const PART = /\{(\w+)\}/g;
const said = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
