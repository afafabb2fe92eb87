r"""Prompts that change on the way, as A1111's web interface has them. Torch-free.

`[from:to:when]` is `from` up to a share of the steps and `to` after it, `[to:when]` nothing before, `[from::when]`
nothing after; `when` of 1 or more without a point is a number of steps. `[one|other]` takes turns from step to step.
Both may stand inside each other and inside other brackets; `\[` and `\]`, and within brackets `\|` and `\:`, are signs
and nothing more. What else stands in brackets is left to `graphgen_nodes.text.syntax`. In: a prompt, and of how many
steps. Out: its `Stretch`es.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from graphgen import Refusal

WHEN = re.compile(r"\s*(\d+\.?\d*|\.\d+)\s*", re.ASCII)

DEEPEST = 100
"""Brackets inside so many others are read as typed."""


@dataclass(frozen=True)
class Stretch:
    """A prompt that is meant from one share of the steps to another."""

    text: str
    start: float
    end: float


@dataclass(frozen=True)
class _Change:
    """Two prompts, of which the second is meant from a share of the steps on, or after so many of them."""

    before: _Text
    after: _Text
    when: float
    counted: bool


@dataclass(frozen=True)
class _Turns:
    """Prompts that take turns from step to step."""

    options: tuple[_Text, ...]


_Text = tuple["str | _Change | _Turns", ...]


def stretches(text: str, steps: int) -> tuple[Stretch, ...]:
    """Return what a prompt says from which share of the steps on; of so many steps, 0 where that is not told.

    Where it is told, a change happens after a whole number of steps, `when * steps` rounded down, as in A1111.

    Raises:
        Refusal: something depends on the number of steps, which is not told; at the setting `steps`.
    """
    parsed, _ = _parsed(text, 0, "", 0)
    changes = list(_changes(parsed))
    if not steps and any(isinstance(change, _Turns) or change.counted for change in changes):
        raise Refusal(
            "is 0, but the prompt takes turns or changes after a number of steps",
            at="steps",
            cure="set it to the steps of the schedule",
        )
    if steps:
        edges = [0.0, *((step - 0.5) / steps for step in range(1, steps)), 1.0]  # between steps, whatever is rounded
        said = [_at(parsed, step, steps) for step in range(steps)]
    else:
        whens = {change.when for change in changes if isinstance(change, _Change) and 0 < change.when < 1}
        edges = [0.0, *sorted(whens), 1.0]
        said = [_at(parsed, start, 0) for start in edges[:-1]]
    found: list[Stretch] = []
    for words, (start, end) in zip(said, pairwise(edges), strict=True):
        first = found.pop().start if found and found[-1].text == words else start
        found.append(Stretch(words, first, end))
    return tuple(found)


def _at(parsed: _Text, step: float, steps: int) -> str:
    """Return what is said at a step, or, where the number of steps is 0, at a share of them."""
    said = []
    for piece in parsed:
        if isinstance(piece, str):
            said.append(piece)
        elif isinstance(piece, _Turns):
            said.append(_at(piece.options[int(step) % len(piece.options)], step, steps))
        else:
            when = int(piece.when * (1 if piece.counted else steps)) if steps else piece.when
            said.append(_at(piece.before if step < when else piece.after, step, steps))
    return "".join(said)


def _changes(parsed: _Text) -> Iterator[_Change | _Turns]:
    for piece in parsed:
        if isinstance(piece, str):
            continue
        yield piece
        for inner in piece.options if isinstance(piece, _Turns) else (piece.before, piece.after):
            yield from _changes(inner)


def _parsed(text: str, place: int, closing: str, depth: int) -> tuple[_Text, int]:
    """Read from a place up to a closing bracket, or the end; return what is meant, and the place behind."""
    parts: list[list[str | _Change | _Turns]] = [[]]
    signs: list[str] = []
    while place < len(text):
        sign = text[place]
        place += 1
        if sign == "\\":
            ours = closing == "]" and text[place : place + 1] in (":", "|")
            parts[-1].append(text[place if ours else place - 1 : place + 1])
            place += 1
        elif sign == closing and closing:
            return _meant(parts, signs, closing, text[place - 1]), place
        elif sign in "([" and depth < DEEPEST:
            inner, place = _parsed(text, place, ")" if sign == "(" else "]", depth + 1)
            parts[-1] += (sign, *inner) if sign == "(" else inner
        elif sign in ":|" and closing == "]":
            signs.append(sign)
            parts.append([])
        else:
            parts[-1].append(sign)
    return _meant(parts, signs, closing, ""), place


def _meant(parts: list[list[str | _Change | _Turns]], signs: list[str], closing: str, closed: str) -> _Text:
    """Return what the parts between a bracket's signs are together; a bracket that is none of ours is as typed."""
    texts = [tuple(part) for part in parts]
    if closing == "]" and closed:
        if signs and set(signs) == {"|"}:
            return (_Turns(tuple(texts)),)
        last = "".join(piece for piece in texts[-1] if isinstance(piece, str))
        when = WHEN.fullmatch(last) if len(last) == len(texts[-1]) else None
        if when is not None and signs in ([":"], [":", ":"]):
            before, after = ((), texts[0]) if len(signs) == 1 else (texts[0], texts[1])
            number = float(when[1])
            return (_Change(before, after, number, counted=number >= 1 and "." not in when[1]),)
    typed = [*parts[0]]
    for sign, part in zip(signs, parts[1:], strict=True):
        typed += (sign, *part)
    return (*(["["] if closing == "]" else []), *typed, *([closed] if closed else []))
