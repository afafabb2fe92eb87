"""Who watches: events go out to any number of streams, none of which can hold anything up.

In: events that are written down, and passing ones, which are not (progress, previews, saved workflows). Out: for each
watcher batches of events as JSON, from the last one it has seen on. A watcher is a number, how far it has come, and the
latest passing event of each node and workflow: that is all it holds, however slow it is. What it has missed it gets
from the store.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from sqlite3 import Connection
from typing import TypeVarTuple

from graphgen.server.problems import Trouble
from graphgen.server.records import Entry, events_after, last_event
from graphgen.server.store import Store

Arguments = TypeVarTuple("Arguments")

BATCH = 500
"""Events that are sent at a time."""
_KEPT = 5_000
_MOST_PASSING = 256


class Hub:
    """Tells events to watchers, as the store commits them. It belongs to one event loop; any thread may `show`."""

    def __init__(self, store: Store, loop: asyncio.AbstractEventLoop, most: int) -> None:
        self.last = self._read = store.read(last_event).result()
        """The number of the last event told."""
        self.closed = False
        self._store = store
        self._loop = loop
        self._most = most
        self._recent: deque[Entry] = deque(maxlen=_KEPT)
        self._passing: dict[str, dict[tuple[str, str], str]] = {}
        self._watchers: set[Watcher] = set()
        store.listen(self._committed)

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watchers)

    def show(self, run: str, key: tuple[str, str], text: str) -> None:
        """Tell a passing event; `key` (node and kind) says which earlier one it takes the place of."""
        self._call(self._show, run, key, text)

    def announce(self, key: tuple[str, str], text: str) -> None:
        """Tell those who watch all runs something that is of no run; who comes later is not told."""
        self._call(self._announce, key, text)

    def forget(self, run: str) -> None:
        """Drop the passing events of a run that is over."""
        self._call(self._passing.pop, run, None)

    def later(self, seconds: float, act: Callable[[], None]) -> None:
        """Have something done a moment later."""
        self._call(self._loop.call_later, seconds, act)

    def watch(self, run: str | None, after: int | None) -> Watcher:
        """Begin to watch one run or all of them: from after an event on, or from now on.

        Raises:
            Trouble: too many watch already.
        """
        if len(self._watchers) >= self._most:
            detail = f"{self._most} streams are open already; close some"
            raise Trouble(429, "too-many-streams", detail, headers={"Retry-After": "5"})
        cursor = self.last if after is None else min(after, self.last)
        watcher = Watcher(self, self._store, run, cursor)
        for known in self._passing if run is None else (run,):
            for key, text in self._passing.get(known, {}).items():
                watcher.show((known, *key), text)
        self._watchers.add(watcher)
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Stop telling a watcher anything."""
        self._watchers.discard(watcher)

    def close(self) -> None:
        """End all streams."""
        self.closed = True
        for watcher in self._watchers:
            watcher.wake()

    def since(self, cursor: int) -> Iterable[Entry] | None:
        """Return the events after a number; None where some of them are only in the store."""
        if cursor >= self.last:
            return ()
        if not self._recent or self._recent[0].id > cursor + 1:
            return None
        return islice(self._recent, max(0, cursor + 1 - self._recent[0].id), None)

    def _committed(self, connection: Connection) -> None:
        """Take in, in the store's thread, what it has just committed."""
        while entries := events_after(connection, self._read, None, _KEPT):
            self._read = entries[-1].id
            self._call(self._tell, entries)

    def _call(self, act: Callable[[*Arguments], object], *arguments: *Arguments) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody watches any more, and all is written down
            self._loop.call_soon_threadsafe(act, *arguments)

    def _tell(self, entries: Sequence[Entry]) -> None:
        self._recent.extend(entries)
        self.last = entries[-1].id
        for watcher in self._watchers:
            watcher.wake()

    def _show(self, run: str, key: tuple[str, str], text: str) -> None:
        shown = self._passing.setdefault(run, {})
        shown.pop(key, None)
        shown[key] = text
        if len(shown) > _MOST_PASSING:
            del shown[next(iter(shown))]
        for watcher in self._watchers:
            if watcher.run in (None, run):
                watcher.show((run, *key), text)

    def _announce(self, key: tuple[str, str], text: str) -> None:
        for watcher in self._watchers:
            if watcher.run is None:
                watcher.show(("", *key), text)


class Watcher:
    """One stream of events, at its own pace. Iterate over `batches`, and `close` it."""

    def __init__(self, hub: Hub, store: Store, run: str | None, cursor: int) -> None:
        self.run = run
        self._hub = hub
        self._store = store
        self._cursor = cursor
        self._passing: dict[tuple[str, str, str], str] = {}
        self._bell = asyncio.Event()

    def wake(self) -> None:
        """Say that there is something new."""
        self._bell.set()

    def show(self, key: tuple[str, str, str], text: str) -> None:
        """Keep a passing event until it can be sent, or until a later one takes its place."""
        self._passing.pop(key, None)
        self._passing[key] = text
        if len(self._passing) > _MOST_PASSING:
            del self._passing[next(iter(self._passing))]
        self._bell.set()

    async def batches(self, patience: float) -> AsyncIterator[list[tuple[int | None, str]]]:
        """Yield events, each with its number, if it has one, as they come; an empty batch after `patience` seconds.

        It ends when the hub is closed.
        """
        while not self._hub.closed:
            self._bell.clear()
            entries = await self._next()
            passing = [] if entries else [(None, text) for text in self._passing.values()]
            if entries or passing:
                if passing:
                    self._passing.clear()
                yield [*((entry.id, entry.text) for entry in entries), *passing]
                continue
            try:
                await asyncio.wait_for(self._bell.wait(), patience)
            except TimeoutError:
                yield []

    def close(self) -> None:
        """Stop watching."""
        self._hub.leave(self)

    async def _next(self) -> list[Entry]:
        """Return the next events that are written down, and come so far."""
        while self._cursor < self._hub.last:
            last = self._hub.last
            recent = self._hub.since(self._cursor)
            if recent is not None:
                looked = list(islice(recent, BATCH))
                found = [entry for entry in looked if self.run in (None, entry.run)]
                self._cursor = looked[-1].id
            else:
                ask = partial(events_after, after=self._cursor, run=self.run, limit=BATCH)
                stored = await asyncio.wrap_future(self._store.read(ask))
                found = [entry for entry in stored if entry.id <= last]
                self._cursor = found[-1].id if len(found) == BATCH else last
            if found:
                return found
        return []
