/** Find nodes by a few letters of their names, and by what would fit a wire. */

import { type Catalogue, inputsOf, type NodeSpec, settingType } from "./catalogue";
import { judge } from "./types";

/** The loose end of a wire: what it carries out of a node, or what it must bring into one. */
export interface LooseEnd {
  readonly side: "in" | "out";
  readonly type: string;
}

/** A node that was found; `socket` is where a loose end fits best. */
export interface Found {
  readonly spec: NodeSpec;
  readonly socket: string | null;
  readonly score: number;
}

/** List the nodes that match a text, the best first; with a loose end, those alone that it fits. */
export function search(
  catalogue: Catalogue,
  specs: Iterable<NodeSpec>,
  text: string,
  end: LooseEnd | null,
): readonly Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const found: Found[] = [];
  for (const spec of specs) {
    const score = rate(spec, words, catalogue.categories[spec.category] ?? "");
    if (score === 0) continue;
    const socket = end ? socketFor(catalogue, spec, end) : null;
    if (end && !socket) continue;
    found.push({ spec, socket: socket?.name ?? null, score: score + (socket?.exact ? 0.5 : 0) });
  }
  // of those that fit a word equally well, the one that says little else is meant
  const length = ({ spec: { title } }: Found) => (words.length ? title.length : 0);
  return found.sort(
    (one, other) => other.score - one.score || length(one) - length(other) || one.spec.id.localeCompare(other.spec.id),
  );
}

/** Nodes of one category; without one, those that were used last. */
export interface Category {
  readonly category: string | null;
  readonly found: readonly Found[];
}

/** Sort what was found into categories, as the catalogue has them; those that were used last come first, and there alone. */
export function byCategory(found: readonly Found[], recent: readonly string[]): readonly Category[] {
  const last = recent.flatMap((id) => found.find(({ spec }) => spec.id === id) ?? []);
  const sorted = new Map<string, Found[]>();
  for (const one of found) {
    if (last.includes(one)) continue;
    sorted.set(one.spec.category, [...(sorted.get(one.spec.category) ?? []), one]);
  }
  const categories = [...sorted].sort(([one], [other]) => one.localeCompare(other));
  const rest = categories.map(([category, options]): Category => ({ category, found: options }));
  return last.length ? [{ category: null, found: last }, ...rest] : rest;
}

/** Rate a node by words, all of which must be found somewhere; 0 is no match. */
function rate(spec: NodeSpec, words: readonly string[], category: string): number {
  const id = spec.id.toLowerCase();
  const names = [spec.title, spec.english ?? ""].map((name) => name.toLowerCase()).concat(id);
  const starts = [...names, id.split(".")[1] ?? ""];
  const aliases = spec.aliases.map((name) => name.toLowerCase());
  const about = `${category} ${spec.description}`.toLowerCase();
  const ways: readonly (readonly [score: number, matches: (word: string) => boolean])[] = [
    [12, (word) => names.includes(word)],
    [10, (word) => aliases.includes(word)],
    [8, (word) => starts.some((name) => name.startsWith(word))],
    [5, (word) => names.some((name) => name.includes(word))],
    [4, (word) => aliases.some((name) => name.includes(word))],
    [2, (word) => names.some((name) => name !== id && isSubsequence(word, name))],
    [1, (word) => about.includes(word)],
  ];
  let total = 1;
  for (const word of words) {
    const found = ways.find(([, matches]) => matches(word));
    if (!found) return 0;
    total += found[0];
  }
  return total;
}

function isSubsequence(word: string, text: string): boolean {
  let at = 0;
  for (const letter of text) if (letter === word[at]) at += 1;
  return at === word.length;
}

/** Return the socket of a node into which a loose end fits: one of the very type before one that converts. */
export function socketFor(
  catalogue: Catalogue,
  spec: NodeSpec,
  end: LooseEnd,
): { readonly name: string; readonly exact: boolean; readonly many: boolean } | null {
  const settings = spec.settings.properties ?? {};
  const sockets =
    end.side === "in"
      ? spec.outputs.map(({ name, type }) => ({ name, type, many: false }))
      : [
          ...inputsOf({ type: spec.id }, spec).map(({ name, type, many }) => ({ name, type, many })),
          ...spec.wireable.map((name) => ({ name, type: settingType(settings[name] ?? {}), many: false })),
        ];
  let best: { name: string; exact: boolean; many: boolean } | null = null;
  for (const { name, type, many } of sockets) {
    const fit = end.side === "in" ? judge(type, end.type, catalogue.types) : judge(end.type, type, catalogue.types);
    if (!fit.ok) continue;
    const exact = !fit.conversion && type.replace("?", "") === end.type.replace("?", "");
    if (exact) return { name, exact, many };
    best ??= { name, exact, many };
  }
  return best;
}
