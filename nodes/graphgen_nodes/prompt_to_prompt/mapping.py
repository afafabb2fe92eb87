"""Which tokens of an edited prompt are which of the source's (Hertz et al. 2022, section 3.2). Torch-free.

In: two prompts and their tokenizer. Out: a `TokenMap`, by words that are swapped for others (`swapped`) or by
what the two have in common (`refined`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Literal

from graphgen_nodes.text.tokenizers import PromptTokenizer

Mode = Literal["auto", "replace", "refine"]


@dataclass(frozen=True)
class TokenMap:
    """How an edited prompt's tokens take their attention from the source's.

    Token j takes `sum(weight * map of i)` over the entries `(i, j, weight)`, and its own map where it has none.
    """

    entries: tuple[tuple[int, int, float], ...]
    length: int

    @property
    def mapped(self) -> frozenset[int]:
        """Return the tokens that take theirs from the source."""
        return frozenset(j for _, j, _ in self.entries)


@dataclass(frozen=True)
class Tokens:
    """A prompt's ids in the window that an encoder reads, and the places of each of its words' tokens there."""

    text: str
    ids: tuple[int, ...]
    used: int
    words: tuple[tuple[str, tuple[int, ...]], ...]

    def places(self, word: str) -> tuple[int, ...]:
        """Return the places of the tokens of a word or phrase.

        Raises:
            ValueError: the prompt does not have it.
        """
        if (found := self._places(word)) is None:
            raise ValueError(f"{word!r} is no word of the prompt {self.text!r}; write it as it is there")
        return found

    def has(self, word: str) -> bool:
        """Tell whether a word or phrase is in the prompt."""
        return self._places(word) is not None

    def _places(self, word: str) -> tuple[int, ...] | None:
        wanted, names = [_bare(part) for part in word.split()], [_bare(name) for name, _ in self.words]
        for start in range(len(names) - len(wanted) + 1):
            if wanted and names[start : start + len(wanted)] == wanted:
                return tuple(place for _, own in self.words[start : start + len(wanted)] for place in own)
        return None


def tokens_of(text: str, tokenizer: PromptTokenizer, length: int) -> Tokens:
    """Return a prompt's tokens by its words, which blanks part."""
    encoded = tokenizer.backend.encode(text)
    words, end = [], 0
    for word in text.split():
        start = text.index(word, end)
        end = start + len(word)
        places = (place for place, (a, b) in enumerate(encoded.offsets) if start <= a < b <= end and place < length - 1)
        words.append((word, tuple(places)))
    used = min(len(encoded.ids), length)
    return Tokens(text, tuple(tokenizer.encode(text, length)), used, tuple(words))


def token_map(source: Tokens, target: Tokens, mode: Mode = "auto") -> TokenMap:
    """Return how tokens correspond; auto swaps words where both prompts have as many, and else refines.

    Raises:
        ValueError: words are to be swapped, and one prompt has more than the other.
    """
    same = len(source.words) == len(target.words)
    if mode == "replace" and not same:
        raise ValueError(
            f"has {len(target.words)} words and the source {len(source.words)}, and words can only be swapped one for "
            "one: write as many, or set mode to refine"
        )
    return swapped(source, target) if mode == "replace" or (mode == "auto" and same) else refined(source, target)


def swapped(source: Tokens, target: Tokens) -> TokenMap:
    """Map word to word: a word of other tokens spreads the source's attention evenly over its own."""
    entries, i, j = [], 0, 0
    pairs = {a[0]: (a, b) for (_, a), (_, b) in zip(source.words, target.words, strict=True) if a and b}
    length = len(target.ids)
    while i < len(source.ids) and j < length:
        ours, theirs = pairs.get(i, ((i,), (j,)))
        if len(ours) == len(theirs):
            entries += [(a, b, 1.0) for a, b in zip(ours, theirs, strict=True)]
        else:
            entries += [(a, b, 1 / len(theirs)) for a in ours for b in theirs]
        i, j = i + len(ours), j + len(theirs)
    return TokenMap(tuple(entries), length)


def refined(source: Tokens, target: Tokens) -> TokenMap:
    """Map the tokens that both prompts have in the same order (Needleman and Wunsch 1970); others are new.

    Matches count 1, gaps 0, and unequal tokens are never paired; what follows the prompts' ends stays in its place.
    """
    entries = [(i, j, 1.0) for i, j in _common(source.ids[: source.used], target.ids[: target.used])]
    entries += [(j, j, 1.0) for j in range(target.used, len(target.ids))]
    return TokenMap(tuple(entries), len(target.ids))


def parse_words(text: str) -> tuple[tuple[str, float], ...]:
    """Read words and numbers, as in 'red 1.5, apple 0'.

    Raises:
        ValueError: a part is no word and number; says how to write one.
    """
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        word, _, number = part.rpartition(" ")
        try:
            value = float(number)
        except ValueError:
            value = nan
        if not word.strip() or not isfinite(value):
            raise ValueError(f"{part!r} is no word and number; write them as in 'red 1.5, apple 0'")
        found.append((word.strip(), value))
    return tuple(found)


def _bare(word: str) -> str:
    return word.lower().strip(".,;:!?()\"'")


def _common(one: Sequence[int], other: Sequence[int]) -> list[tuple[int, int]]:
    """Return the places of a longest common subsequence, in order."""
    best = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for i in range(len(one) - 1, -1, -1):
        for j in range(len(other) - 1, -1, -1):
            equal = 1 + best[i + 1][j + 1] if one[i] == other[j] else 0
            best[i][j] = max(equal, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(one) and j < len(other):
        if one[i] == other[j] and best[i][j] == 1 + best[i + 1][j + 1]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i + 1][j] >= best[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs
