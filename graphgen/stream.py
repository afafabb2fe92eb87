"""Lists whose items are taken, or given, one by one.

    @node(category="video")
    def frames(*, path: str) -> Stream[Image]:          # gives a list of pictures, one as soon as it is there
        for frame in open_video(path):
            yield Image(frame)

    @node(category="video")
    def encode(frames: Stream[Image]) -> Video:         # takes a list of pictures, and begins with the first
        for frame in frames:
            ...

On a wire both are `list[image]`. A map over such a list, and a node that takes a stream, start with the first item;
all else waits for the whole list. What comes out is the same as if the list had been returned.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Stream(Protocol[T_co]):
    """A list that is gone through item by item, in plain nodes. A test that calls a node gives it any iterable."""

    def __iter__(self) -> Iterator[T_co]:
        """Yield the items, waiting for those that are not there yet; each `for` begins with the first."""


class AsyncStream(Protocol[T_co]):
    """A list that is gone through item by item, in async nodes."""

    def __aiter__(self) -> AsyncIterator[T_co]:
        """Yield the items, waiting for those that are not there yet; each `async for` begins with the first."""


class Items(Generic[T]):
    """A stream whose items are all there."""

    def __init__(self, items: Sequence[T]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[T]:
        """Yield the items."""
        return iter(self._items)

    async def __aiter__(self) -> AsyncIterator[T]:
        """Yield the items."""
        for item in self._items:
            yield item
