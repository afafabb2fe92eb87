"""A list whose producer is still at work, as a run sees it: the items so far, and who reads them.

In: items, and at last the end. Out: calls to the readers. The producer never waits: what it yields is its value, and
would be held in any case; readers go on as fast as they can. All calls come from the run's thread.
"""

from __future__ import annotations

from collections.abc import Callable

from graphgen.cache import StoredValue


class Growing:
    """The items of one output. `whole` tells that no more will come."""

    __slots__ = ("_readers", "items", "whole")

    def __init__(self) -> None:
        self.items: list[StoredValue] = []
        self.whole = False
        self._readers: list[Callable[[], None]] = []

    def read(self, reader: Callable[[], None]) -> None:
        """Have a reader called now, with each new item, and at the end."""
        self._readers.append(reader)
        reader()

    def add(self, item: StoredValue) -> None:
        """Take in an item."""
        self.items.append(item)
        self._tell()

    def end(self) -> None:
        """Note that the list is whole."""
        self.whole = True
        self._tell()
        self._readers.clear()

    def _tell(self) -> None:
        for reader in tuple(self._readers):
            reader()
