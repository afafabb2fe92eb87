"""A fake pack of generators: lists that grow, values that get better, and nodes that take a list item by item."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import NamedTuple, cast

from graphgen import AsyncStream, Context, Expansion, Lazy, NoValue, Preview, Stream, hookimpl, node

CALLS: Counter[str] = Counter()
"""How often each node was called, by the word it was given."""
GATES: dict[str, threading.Semaphore] = {}
"""Where a `gated` list waits before each item: a test that lets one pass releases it."""
MARKS: Counter[str] = Counter()
"""Generators that came to their end in an orderly way, by word: their `finally` ran."""


class Extent(NamedTuple):
    """Two outputs of a generator."""

    low: int
    high: int


@node(category="streams")
def counting(*, count: int = 3, fail_at: int = -1, word: str = "") -> Stream[int]:
    """List numbers from 0, one by one; raise at one of them."""
    CALLS[word] += 1
    for number in range(count):
        if number == fail_at:
            raise ValueError(f"no {number}")
        yield number


@node(category="streams")
def gated(context: Context, *, count: int = 3, gate: str = "", fail: bool = False) -> Stream[int]:
    """List numbers, each once the test lets it pass."""
    try:
        for number in range(count):
            _pass(context, gate)
            yield number
        _pass(context, gate)
        if fail:
            raise ValueError("the gate fell shut")
    finally:
        MARKS[gate] += 1


def _pass(context: Context, gate: str) -> None:
    while not GATES[gate].acquire(timeout=0.005):
        context.progress(0, 0)


@node(category="streams")
async def counting_async(*, count: int = 3) -> AsyncStream[int]:
    """List numbers from 0, on the loop."""
    for number in range(count):
        await asyncio.sleep(0)
        yield number


@node(category="streams", cheap=True)
def counting_inline(*, count: int = 3) -> Stream[int]:
    """List numbers from 0, inline."""
    yield from range(count)


@node(category="streams")
def plus(values: Stream[int], *, add: int = 1) -> Stream[int]:
    """Add to each number of a list, giving each as it comes."""
    for value in values:
        yield value + add


@node(category="streams")
def added(values: Stream[int], base: int | None = None, *, most: int = -1, fail: bool = False, word: str = "") -> int:
    """Add up a list as it comes, or no more than `most` numbers of it."""
    CALLS[word] += 1
    total, taken = base or 0, 0
    for value in values:
        if taken == most:
            break
        if fail and value == 1:
            raise ValueError("1 is too much")
        total, taken = total + value, taken + 1
    return total


@node(category="streams")
def twice(values: Stream[int]) -> list[int]:
    """Go through a list two times."""
    return [*values, *values]


@node(category="streams")
async def added_async(values: AsyncStream[int]) -> int:
    """Add up a list as it comes, on the loop."""
    return sum([value async for value in values])


@node(category="streams", cheap=True)
def added_inline(values: Stream[int]) -> int:
    """Add up a list, inline."""
    return sum(values)


@node(category="streams")
def halved(value: int, *, fail: bool = False, word: str = "") -> Iterator[int | Preview]:
    """Halve a number until it is odd, showing each; every value is better than the last."""
    CALLS[word] += 1
    yield value
    while value and value % 2 == 0:
        value //= 2
        yield Preview(str(value).encode(), "text/plain")
        yield value
    if fail:
        raise ValueError("it fell apart")


@node(category="streams")
async def halved_async(value: int) -> AsyncIterator[int]:
    """Halve a number until it is odd, on the loop."""
    yield value
    while value and value % 2 == 0:
        await asyncio.sleep(0)
        value //= 2
        yield value


@node(category="streams")
def extent(values: Stream[int]) -> Iterator[Extent]:
    """Give the least and the largest number so far."""
    seen: list[int] = []
    for value in values:
        seen.append(value)
        yield Extent(min(seen), max(seen))


@node(category="streams")
def changing(*, count: int = 3) -> Stream[list[int]]:
    """Yield one list again and again, and change it after each."""
    made: list[int] = []
    for number in range(count):
        made.append(number)
        yield made
    made.clear()


@node(category="streams")
def wrong(value: Lazy[int] | None = None, *, how: str = "type", at: int = 0) -> Stream[int]:
    """Misuse a growing list, after `at` items."""
    yield from range(at)
    if how == "type":
        yield cast(int, "a text")
    elif how == "no value":
        yield cast(int, NoValue("it is gone"))
    elif how == "graph":
        yield cast(int, Expansion({}))
    elif how == "ask" and value is not None:
        yield value.get()
    elif how == "return":
        return [1]  # type: ignore[return-value]


@node(category="streams")
def wrongly(*, how: str = "type", at: int = 0) -> Iterator[int]:
    """Misuse a value that gets better, after it was given `at` times; `blocked` blocks it, which is right."""
    yield from range(at)
    if how == "type":
        yield cast(int, "a text")
    elif how == "blocked":
        yield cast(int, NoValue("it came to nothing"))
    elif how == "graph":
        yield cast(int, Expansion({}))
    elif how == "return":
        return 7  # type: ignore[return-value]


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the nodes."""
    return [
        added, added_async, added_inline, changing, counting, counting_async, counting_inline, extent, gated, halved,
        halved_async, plus, twice, wrong, wrongly,
    ]  # fmt: skip
