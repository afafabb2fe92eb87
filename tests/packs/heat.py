"""A fake pack of temperatures and words, which convert into each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from graphgen import Conversion, hookimpl, node

RUNS: list[str] = []


@dataclass(frozen=True)
class Degree:
    """A temperature."""

    celsius: int


@dataclass(frozen=True)
class Word:
    """A word for a temperature."""

    text: str


@node(category="test")
def degree(*, celsius: int = 20) -> Degree:
    """Give a temperature."""
    return Degree(celsius)


@node(category="test")
def degrees(*, count: int = 3, first: int = 14) -> list[Degree]:
    """Give rising temperatures."""
    return [Degree(first + step) for step in range(count)]


@node(category="test")
def chorus(words: list[Word]) -> Word:
    """Say a list of words."""
    return Word(" ".join(word.text for word in words))


@node(category="test")
def measure(word: Word) -> Degree:
    """Make a word a temperature, 10 for each letter."""
    return Degree(10 * len(word.text))


@node(category="test")
def sizes(text: str) -> Degree:
    """Make a text a temperature: there is no way back in one step."""
    return Degree(len(text))


@node(category="test")
def to_word(degree: Degree) -> Word:
    """Say whether it is warm."""
    RUNS.append("to_word")
    return Word("warm" if degree.celsius > 15 else "cold")


@node(category="test")
def dear(degree: Degree) -> Word:
    """Do what to_word does, at a higher cost."""
    return Word(f"dear {degree.celsius}")


@node(category="test")
def to_number(degree: Degree) -> int:
    """Give the number alone."""
    return degree.celsius


@node(category="test")
def letters(word: Word) -> str:
    """Give a word's letters: with to_word it would make a chain of two."""
    return word.text


@node(category="test")
def shout(word: Word, word2: Word | None = None) -> Word:
    """Say a word, or two, louder."""
    return Word(word.text.upper() + (word2.text if word2 else ""))


@node(category="test")
def join(*words: Word) -> Word:
    """Say several words."""
    return Word(" ".join(word.text for word in words))


@node(category="test")
def name_of(value: object) -> str:
    """Name the type of any value."""
    return type(value).__name__


@node(category="test")
def spell(text: str) -> str:
    """Spell a text."""
    return "-".join(text)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the nodes that convert nothing by themselves."""
    return [degree, degrees, chorus, measure, sizes, shout, join, name_of, spell]


@hookimpl
def register_conversions() -> list[Conversion]:
    """Contribute two ways to a word, one to a number, and one that would make a chain."""
    return [
        Conversion(dear, 5),
        Conversion(to_word, 2, lossy="the number"),
        Conversion(to_number, 1),
        Conversion(letters, 1),
    ]
