/** The weight keys of prompts: `(word:1.1)`, as in docs/text.md. */

export interface Edited {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

const WEIGHTED = /^\((.*):(-?\d+(?:\.\d+)?)\)$/s;

/**
 * Make what is selected count for more or less; without a selection, the word at the cursor.
 *
 * What stands in weighted brackets already gets another weight, and loses the brackets at 1. The selection afterwards
 * holds the whole, so that the key can be pressed again.
 */
export function weigh(text: string, start: number, end: number, by: number): Edited {
  const [from, to] = start === end ? wordAt(text, start) : trimmed(text, start, end);
  if (from === to) return { text, start, end };
  const [left, right] = widened(text, from, to);
  const found = WEIGHTED.exec(text.slice(left, right));
  const words = found ? found[1]! : text.slice(left, right);
  const weight = Math.round(((found ? Number(found[2]) : 1) + by) * 100) / 100;
  const weighted = weight === 1 ? words : `(${words}:${weight})`;
  return { text: text.slice(0, left) + weighted + text.slice(right), start: left, end: left + weighted.length };
}

function wordAt(text: string, at: number): readonly [number, number] {
  let [from, to] = [at, at];
  while (from > 0 && isWord(text[from - 1]!)) from -= 1;
  while (to < text.length && isWord(text[to]!)) to += 1;
  return [from, to];
}

function isWord(letter: string): boolean {
  return /[^\s,.()[\]:|]/.test(letter);
}

function trimmed(text: string, start: number, end: number): readonly [number, number] {
  const inside = text.slice(start, end);
  const from = start + inside.length - inside.trimStart().length;
  return [Math.min(from, end), Math.max(from, start + inside.trimEnd().length)];
}

/** Take in the brackets around a selection, if they weigh just that. */
function widened(text: string, from: number, to: number): readonly [number, number] {
  const rest = /^:-?\d+(?:\.\d+)?\)/.exec(text.slice(to));
  return text[from - 1] === "(" && rest ? [from - 1, to + rest[0].length] : [from, to];
}
