"""The memory tier: results by key, within a budget of bytes.

In: results under one or more keys. Out: the same, in a microsecond. `worth` decides, here and on disk, what goes first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from time import monotonic

from graphgen.cache.stored import Result, StoredValue

TARGET = 0.9
"""The part of a budget that eviction goes down to, so that it does not run again at every new result."""

_OVERHEAD = 1024  # bytes a result takes besides its values: objects, keys, table entries


def worth(seconds: float, size: int, age: float) -> float:
    """Return what keeping a result is worth: seconds of work saved per byte, for each second it was not asked for.

    A result computed in 10 s and used a minute ago is worth as much as one of the same size that took 1 s and was used
    six seconds ago. Ages under a second, and below zero after a clock was set back, count as one.
    """
    return seconds / (max(size, 1) * max(age, 1.0))


class _Entry:
    __slots__ = ("keys", "result", "size", "used")

    def __init__(self, result: Result, size: int, used: float) -> None:
        self.keys: set[str] = set()
        self.result = result
        self.size = size
        self.used = used


class MemoryTier:
    """Results in memory. Values that several results share are counted once; what is evicted stays usable by holders.

    `budget` is in bytes; 0 keeps nothing. Thread-safe.
    """

    def __init__(self, budget: int, clock: Callable[[], float] = monotonic) -> None:
        self.budget = budget
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._values: dict[str, tuple[StoredValue, int]] = {}  # by digest: a value, and how many entries hold it
        self._bytes = 0
        self._lock = Lock()

    def get(self, key: str) -> Result | None:
        """Return the result kept under a key, or None."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        entry.used = self._clock()
        return entry.result

    def value(self, digest: str) -> StoredValue | None:
        """Return the value with a digest that some result holds, or None."""
        return self._values.get(digest, (None,))[0]

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def put(self, keys: Sequence[str], result: Result) -> None:
        """Keep a result under all the keys, in place of what was there; evict what is least worth keeping."""
        size = _OVERHEAD + sum(value.size for value in result.values.values())
        with self._lock:
            for key in keys:
                self._forget(key)
            if size > self.budget:
                return
            entry = _Entry(result, size, self._clock())
            entry.keys.update(keys)
            self._entries.update(dict.fromkeys(keys, entry))
            self._count(result, 1)
            if self._bytes > self.budget:
                self._evict()

    def clear(self) -> None:
        """Let everything go."""
        with self._lock:
            self._entries.clear()
            self._values.clear()
            self._bytes = 0

    def totals(self) -> tuple[int, int]:
        """Return how many results there are, and their bytes."""
        with self._lock:
            return len({id(entry) for entry in self._entries.values()}), self._bytes

    def _evict(self) -> None:
        now = self._clock()
        entries = list({id(entry): entry for entry in self._entries.values()}.values())
        entries.sort(key=lambda entry: (worth(entry.result.seconds, entry.size, now - entry.used), entry.used))
        for entry in entries:
            if self._bytes <= self.budget * TARGET:
                break
            for key in tuple(entry.keys):
                self._forget(key)

    def _forget(self, key: str) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        entry.keys.discard(key)
        if not entry.keys:
            self._count(entry.result, -1)

    def _count(self, result: Result, step: int) -> None:
        self._bytes += step * _OVERHEAD
        for value in result.values.values():
            held, before = self._values.get(value.digest, (value, 0))
            after = before + step
            if after:
                self._values[value.digest] = (held, after)
            else:
                del self._values[value.digest]
            if not before or not after:
                self._bytes += step * value.size
