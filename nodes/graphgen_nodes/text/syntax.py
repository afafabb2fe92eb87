r"""The signs in a prompt that weigh its words. Torch-free.

In: what a person typed, which can be anything. Out: a `Prompt`: its sections, which are spans of text with a weight
each, and notes about what was perhaps not meant. `(word)` weighs 1.1 times as much and `[word]` 1/1.1, `(word:1.3)`
1.3 times; brackets inside brackets multiply; `\(`, `\)`, `\[`, `\]` and `\\` are those signs themselves, and so is a
bracket without its partner. The word BREAK begins a new section. These are the rules of A1111's web interface.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

STRONGER, WEAKER = 1.1, 1 / 1.1
MOST = 100.0
"""Weights beyond this are cut to it, on both sides of 0."""

PAIRS = {")": "(", "]": "["}
SIGNS = re.compile(r"\\[()\[\]\\]|[()\[\]]")
NUMBER = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*$", re.ASCII)
LONGEST_NUMBER = 64
"""How far before a closing bracket its number may begin."""

BREAK = re.compile(r"\bBREAK\b")


@dataclass(frozen=True)
class Span:
    """A piece of a prompt without its signs, and how strongly it is meant."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True)
class Prompt:
    """A prompt's sections, at least one, which may be empty; and what to tell the person who typed it."""

    sections: tuple[tuple[Span, ...], ...]
    notes: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Return the text of each section."""
        return tuple("".join(span.text for span in section) for section in self.sections)

    def joined(self) -> Prompt:
        """Return the prompt as one section, for an encoder that reads everything at once."""
        spans = [span for section in self.sections for span in (Span(" "), *section)]
        return Prompt((tuple(spans[1:]),))


@dataclass(frozen=True)
class _Group:
    """A pair of brackets that belong together: where the first sign is and where the last begins and ends."""

    start: int
    stop: int
    end: int
    weight: float


def plain(text: str) -> Prompt:
    """Return a prompt in which every sign is a sign and nothing more."""
    return Prompt(((Span(text),),))


def parse(text: str) -> Prompt:
    """Read a prompt's signs; nothing that can be typed is a mistake."""
    groups, notes = _groups(text)
    sections: list[list[Span]] = [[]]
    for piece, weight in _pieces(text, groups):
        first, *others = BREAK.split(piece)
        sections[-1].append(Span(first, weight))
        sections += [[Span(part, weight)] for part in others]
    return Prompt(tuple(tuple(_merged(section)) for section in sections), tuple(notes))


def _groups(text: str) -> tuple[list[_Group], list[str]]:
    """Return the pairs of brackets, in the order in which they begin, and notes on brackets that are alone."""
    opened: list[re.Match[str]] = []
    found: list[_Group] = []
    alone: list[str] = []
    notes: list[str] = []
    for sign in SIGNS.finditer(text):
        if sign[0] in "([":
            opened.append(sign)
        elif sign[0] in PAIRS:
            if not opened or opened[-1][0] != PAIRS[sign[0]]:
                alone.append(sign[0])
                continue
            start = opened.pop().start()
            found.append(_group(text, start, sign.start()))
            if sign[0] == "]" and _number(text, start, sign.start()):
                said = f"{text[start : sign.end()]!r} is weighed 1/1.1, its number is not looked at"
                notes.append(f"{said}; text.encode_changing changes a prompt on the way")
    alone += [sign[0] for sign in opened]
    if alone:
        notes.append(f"without a partner, and so read as typed: {' '.join(alone[:8])}")
    return sorted(found, key=lambda group: group.start), notes


def _group(text: str, start: int, end: int) -> _Group:
    if text[start] == "[":
        return _Group(start, end, end + 1, WEAKER)
    number = _number(text, start, end)
    if number is None:
        return _Group(start, end, end + 1, STRONGER)
    return _Group(start, number.start(), end + 1, float(number[1]))


def _number(text: str, start: int, end: int) -> re.Match[str] | None:
    return NUMBER.search(text, max(start + 1, end - LONGEST_NUMBER), end)


def _pieces(text: str, groups: list[_Group]) -> Iterator[tuple[str, float]]:
    """Yield the text between signs, with the product of the weights around it."""
    signs = {group.start: (group.start + 1, 1) for group in groups} | {group.stop: (group.end, -1) for group in groups}
    signs |= {sign.start(): (sign.start() + 1, 0) for sign in SIGNS.finditer(text) if sign[0][0] == "\\"}
    weights = {group.start: group.weight for group in groups}
    around = [1.0]
    place = 0
    for begin in sorted(signs):
        if begin < place:
            continue
        yield text[place:begin], around[-1]
        place, kind = signs[begin]
        if kind == 1:
            around.append(max(-MOST, min(around[-1] * weights[begin], MOST)))
        elif kind == -1:
            around.pop()
    yield text[place:], around[-1]


def _merged(spans: list[Span]) -> Iterator[Span]:
    """Join neighbours of one weight, leaving empty ones out."""
    kept = Span("")
    for span in spans:
        if not span.text:
            continue
        if kept.text and kept.weight == span.weight:
            kept = Span(kept.text + span.text, kept.weight)
            continue
        if kept.text:
            yield kept
        kept = span
    yield kept
