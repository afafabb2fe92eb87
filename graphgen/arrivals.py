"""The items of a stream input while they come in: put in by a lane, taken out by the node.

In: stored values, from any thread. Out: values, each a copy of the node's own, in the thread or on the loop of the
node, which waits for those that are not there yet. Items stay until the task is over, so that each `for` has them all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from threading import Condition
from time import perf_counter

from graphgen.cache import StoredValue
from graphgen.errors import Cancelled


class Arrivals:
    """A stream whose items are still coming. `check` is given each value and its place, and may raise.

    `waited` are the seconds in which the node has waited for items.
    """

    def __init__(self, check: Callable[[object, int], None]) -> None:
        self.waited = 0.0
        self._check = check
        self._items: list[StoredValue] = []
        self._whole = False
        self._stopped = False
        self._change = Condition()
        self._wakers: list[Callable[[], object]] = []
        """Rung once, at the next change, for iterations that wait on a loop."""

    def put(self, items: Sequence[StoredValue], *, last: bool) -> None:
        """Take in items; `last` tells that no more will come."""
        with self._change:
            self._items += items
            self._whole |= last
            self._ring()

    def stop(self) -> None:
        """Let those who wait, and those who go on, be cancelled."""
        with self._change:
            self._stopped = True
            self._ring()

    def _ring(self) -> None:
        self._change.notify_all()
        for wake in self._wakers:
            wake()
        self._wakers.clear()

    def _there(self, place: int) -> bool:
        """Tell whether it is known what is at a place: an item, or the end."""
        if self._stopped:
            raise Cancelled("the run was cancelled")
        return place < len(self._items) or self._whole

    def _load(self, place: int) -> object:
        value = self._items[place].load()
        self._check(value, place)
        return value

    def __iter__(self) -> Iterator[object]:
        """Yield the items, waiting in this thread.

        Raises:
            Cancelled: the task is to stop.
        """
        place = 0
        while True:
            with self._change:
                if not self._there(place):
                    began = perf_counter()
                    while not self._there(place):
                        self._change.wait()
                    self.waited += perf_counter() - began
                if place == len(self._items):
                    return
            yield self._load(place)
            place += 1

    async def __aiter__(self) -> AsyncIterator[object]:
        """Yield the items, waiting on the running loop."""
        import asyncio  # whoever is here has it already

        loop, place = asyncio.get_running_loop(), 0
        while True:
            began = perf_counter()
            while True:
                with self._change:
                    if self._there(place):
                        break
                    changed = asyncio.Event()
                    self._wakers.append(partial(loop.call_soon_threadsafe, changed.set))
                await changed.wait()
            self.waited += perf_counter() - began
            if place == len(self._items):
                return
            yield self._load(place)
            place += 1
