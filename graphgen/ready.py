"""What is ready to start, the most urgent first: a deque's methods over a heap, so that either can be used.

Urgent is what has the longest way before the end, in the seconds that are expected of each node (estimates.py); of
equally urgent ones the first to come is the first to go. Adding and taking cost O(log n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from typing import Generic, TypeVar

T = TypeVar("T")


class Ready(Generic[T]):
    """A queue of items by rank, the highest first."""

    def __init__(self, rank: Callable[[T], float]) -> None:
        self._rank = rank
        self._heap: list[tuple[float, int, T]] = []
        self._count = 0

    def append(self, item: T) -> None:
        """Add an item."""
        self._count += 1
        heappush(self._heap, (-self._rank(item), self._count, item))

    def extend(self, items: Iterable[T]) -> None:
        """Add items."""
        for item in items:
            self.append(item)

    def popleft(self) -> T:
        """Take the most urgent item."""
        return heappop(self._heap)[2]

    def __bool__(self) -> bool:
        return bool(self._heap)
