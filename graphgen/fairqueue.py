"""A queue that is fair: the highest priority first, and among equals each caller in turn.

In: items, each with its caller and a priority. Out: the same, one at a time. Somebody who puts a thousand items in at
once keeps nobody waiting who has one: callers take turns, and a caller's own items keep their order. Not thread-safe.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Hashable, Iterator
from itertools import chain, zip_longest
from typing import Generic, TypeAlias, TypeVar

Item = TypeVar("Item", bound=Hashable)
_Ring: TypeAlias = "OrderedDict[Hashable, OrderedDict[Item, None]]"
"""The items of each caller, first the caller whose turn it is."""


class FairQueue(Generic[Item]):
    """Holds items until they are taken; an item can be in it once.

    Every operation takes the same time however many items and callers there are; finding a priority among those in use
    takes the logarithm of their number.
    """

    def __init__(self) -> None:
        self._rings: dict[int, _Ring[Item]] = {}
        self._priorities: list[int] = []
        """Those in use, in rising order."""
        self._places: dict[Item, tuple[int, Hashable]] = {}

    def __len__(self) -> int:
        """Count the items."""
        return len(self._places)

    def __contains__(self, item: Item) -> bool:
        """Tell whether an item is waiting."""
        return item in self._places

    def __iter__(self) -> Iterator[Item]:
        """Iterate over the items in the order in which they would be taken."""
        for priority in reversed(self._priorities):
            rounds = zip_longest(*self._rings[priority].values())
            yield from (item for item in chain.from_iterable(rounds) if item is not None)

    def put(self, item: Item, caller: Hashable, priority: int = 0) -> None:
        """Put an item in; a caller that has none waiting comes after those who have."""
        ring = self._rings.get(priority)
        if ring is None:
            ring = self._rings[priority] = OrderedDict()
            insort(self._priorities, priority)
        ring.setdefault(caller, OrderedDict())[item] = None
        self._places[item] = priority, caller

    def take(self) -> Item:
        """Take the item whose turn it is.

        Raises:
            IndexError: there is none.
        """
        ring = self._rings[self._priorities[-1]]
        caller, items = next(iter(ring.items()))
        item = next(iter(items))
        ring.move_to_end(caller)
        self.remove(item)
        return item

    def remove(self, item: Item) -> bool:
        """Take an item out, out of turn; False when it is not there."""
        if item not in self._places:
            return False
        priority, caller = self._places.pop(item)
        ring = self._rings[priority]
        del ring[caller][item]
        if not ring[caller]:
            del ring[caller]
        if not ring:
            del self._rings[priority]
            del self._priorities[bisect_left(self._priorities, priority)]
        return True
