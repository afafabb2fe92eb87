"""A fake pack that steers runs: lazy inputs, blocked outputs, lists, and graphs in a node's place."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from graphgen import Expansion, Facts, Known, Lazy, NoValue, hookimpl, node
from graphgen.jsontypes import JSON

CALLS: Counter[str] = Counter()
"""How often each node was called, by the word it was given."""
TRAPS = "STEERING_TRAPS"
"""The environment variable that names a folder of files: a call of `counted` takes the first away, and where that is
not empty, its process is killed."""


class Halves(NamedTuple):
    """Two outputs, of which one may be blocked."""

    even: int
    odd: int


def _counted(known: Known) -> Mapping[str, Facts]:
    value, add = known.inputs["value"].get("value"), known.settings.get("add")
    return {"int": {"value": value + add}} if isinstance(value, int) and isinstance(add, int) else {}


def _below(known: Known) -> Mapping[str, Facts]:
    value, limit = known.inputs["value"].get("value"), known.settings.get("limit")
    return {"bool": {"value": value < limit}} if isinstance(value, int) and isinstance(limit, int) else {}


def _numbers(known: Known) -> Mapping[str, Facts]:
    count = known.settings.get("count")
    return {"ints": {"count": max(count, 0)}} if isinstance(count, int) else {}


@node(category="steering", infer=_counted)
def counted(value: int, *, word: str = "", add: int = 0) -> int:
    """Add, and count the call, unless it goes into a trap."""
    CALLS[word] += 1
    if folder := os.environ.get(TRAPS):
        _go_past(Path(folder))
    return value + add


def _go_past(traps: Path) -> None:
    for trap in sorted(traps.iterdir()):
        with suppress(FileNotFoundError):  # another process has taken it
            deadly = trap.stat().st_size > 0
            trap.unlink()
            if deadly:
                os.kill(os.getpid(), signal.SIGKILL)
            return


@node(category="steering")
def choose(first: Lazy[int], second: Lazy[int] | None = None, *, take: int = 1) -> int:
    """Ask for the first input, the second, both (3) or none (0)."""
    total = 0
    if take & 1:
        total += first.get()
    if take & 2 and second is not None:
        total += second.get()
    return total


@node(category="steering")
def sides(value: int) -> Halves:
    """Give a number at one output and block the other."""
    shut = NoValue(f"{value} is {'odd' if value % 2 else 'even'}")
    return Halves(shut, value) if value % 2 else Halves(value, shut)  # type: ignore[arg-type]


@node(category="steering", infer=_below)
def below(value: int, *, limit: int = 3) -> bool:
    """Tell whether a number is below a limit."""
    return value < limit


@node(category="steering", infer=_numbers)
def numbers(*, count: int = 3) -> list[int]:
    """List numbers from 0."""
    return list(range(count))


@node(category="steering")
def not_three(value: int, *, word: str = "") -> int:
    """Raise at 3."""
    CALLS[word] += 1
    if value == 3:
        raise ValueError("three is too much")
    return value * 10


@node(category="steering")
def summed(values: list[int]) -> int:
    """Add the numbers of a list."""
    return sum(values)


@node(category="steering", cheap=True)
def anything(value: int, *, as_text: bool = False) -> object:
    """Give a number or a text."""
    return str(value) if as_text else value


@node(category="steering")
def countdown(value: int) -> int | Expansion:
    """Count down to 0 by returning a graph that holds the same node again."""
    if value <= 0:
        return 0
    return Expansion(_next_step(), {"value": value - 1})


@node(category="steering")
def unfold(value: int, *, word: str = "") -> int | Expansion:
    """Count up to a multiple of 3 by returning graphs that count the call and hold the same node again."""
    if value % 3 == 0:
        return value
    nodes: dict[str, JSON] = {
        "plus": {"type": "steering.counted", "inputs": {"value": "inputs.value"}, "settings": {"word": word, "add": 1}},
        "again": {"type": "steering.unfold", "inputs": {"value": "plus.int"}, "settings": {"word": word}},
    }
    inside: dict[str, JSON] = {"inputs": {"value": {"type": "int"}}, "outputs": {"int": {"from": "again.int"}}}
    return Expansion({**inside, "nodes": nodes}, {"value": value})


@node(category="steering")
def astray(value: int) -> int | Expansion:
    """Return a graph that cannot run."""
    return Expansion({"outputs": {"int": {"from": "n.int"}}, "nodes": {"n": {"type": "maths.nothing"}}})


@node(category="steering")
def reads(value: int) -> str | Expansion:
    """Return a graph that reads `note.txt`."""
    return Expansion({"outputs": {"str": {"from": "read.str"}}, "nodes": {"read": {"type": "probe.read"}}})


@node(category="steering")
def endless(value: int, *, rise: int = 1) -> int | Expansion:
    """Return itself for ever, with the same number or a higher one."""
    inside: JSON = {"type": "steering.endless", "settings": {"rise": rise}, "inputs": {"value": "inputs.value"}}
    document: dict[str, JSON] = {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "again.int"}},
        "nodes": {"again": inside},
    }
    return Expansion(document, {"value": value + rise})


def _next_step() -> dict[str, JSON]:
    return {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "plus.int"}},
        "nodes": {
            "down": {"type": "steering.countdown", "inputs": {"value": "inputs.value"}},
            "plus": {"type": "maths.add", "inputs": {"a": "down.int"}, "settings": {"extra": 1}},
        },
    }


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the nodes."""
    return [
        counted,
        choose,
        sides,
        below,
        numbers,
        not_three,
        summed,
        anything,
        countdown,
        astray,
        endless,
        reads,
        unfold,
    ]
