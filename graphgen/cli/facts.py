"""What is known on each wire of a checked workflow, in words and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from graphgen.cli.screen import Screen, style
from graphgen.cli.words import value_text
from graphgen.foresight import ITEM
from graphgen.graph import Graph
from graphgen.inference import NOTE
from graphgen.jsontypes import JSON
from graphgen.spec import Facts
from graphgen.types import SocketType, TypeTable
from graphgen.wirefacts import axes_of, notes_of, outputs_of

LONGEST = 60
"""The most characters of a constant that are shown."""


def rows_of(graph: Graph, types: TypeTable) -> list[tuple[str, str, str]]:
    """Return a row for each output: `node.output`, its type, and what is known of its value."""
    return [
        (wire, str(kind), ", ".join(_parts(facts, axes_of(_innermost(kind), types))))
        for wire, kind, facts in outputs_of(graph)
        if facts
    ]


def show_notes(screen: Screen, graph: Graph) -> None:
    """Print what nodes say about themselves, each sentence once."""
    for place, note in notes_of(graph):
        screen.line(f"{style('note', 'yellow')}: {place}: {note}")


def _innermost(kind: SocketType) -> SocketType:
    return _innermost(kind.item) if kind.item else kind


def _parts(facts: Facts, axes: Sequence[str]) -> Iterator[str]:
    if any(name in facts for name in axes):
        yield "x".join(str(facts.get(name, "?")) for name in axes)
    for name, fact in facts.items():
        word = name.replace("_", " ")
        if name == "value":
            text = value_text(fact)
            yield text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
        elif name in axes or name == NOTE:
            continue
        elif name == ITEM and isinstance(fact, Mapping):
            yield " ".join(["each", *_parts(fact, axes)])
        elif isinstance(fact, bool):
            yield word if fact else f"no {word}"
        elif text := _text(fact):
            yield f"{word} {text}"


def _text(fact: JSON) -> str:
    """Write a fact in a word; one of several parts goes by its first, a list of such ones is left out."""
    if isinstance(fact, Mapping):
        first = next(iter(fact.values()), None)
        return "" if isinstance(first, Mapping) else _text(first)
    if isinstance(fact, Sequence) and not isinstance(fact, str):
        return "" if any(isinstance(item, Mapping) for item in fact) else "+".join(map(_text, fact))
    return fact if isinstance(fact, str) else value_text(fact)
