/** Two of several pictures, chosen to be compared: a third one takes the place of the first. */

import { useState } from "react";

import type { Piece } from "../model/pieces";

export interface ChosenPair {
  /** The two, once both are chosen and still there. */
  readonly both: readonly [Piece, Piece] | null;
  readonly comparing: boolean;
  isChosen(key: string): boolean;
  choose(key: string): void;
  compare(): void;
  end(): void;
}

export function useChosenPair(pieces: readonly Piece[]): ChosenPair {
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const [comparing, setComparing] = useState(false);
  const [one, other] = chosen.flatMap((key) => pieces.find((piece) => piece.key === key) ?? []);
  return {
    both: one && other ? [one, other] : null,
    comparing,
    isChosen: (key) => chosen.includes(key),
    choose: (key) =>
      setChosen(chosen.includes(key) ? chosen.filter((known) => known !== key) : [...chosen.slice(-1), key]),
    compare: () => setComparing(true),
    end: () => setComparing(false),
  };
}
