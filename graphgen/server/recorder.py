"""What a run tells, written down before it is told: the listener of one run.

In: the engine's events, in the run's thread. Out: rows in the store, many at a time. Progress and
previews pass by: they are shown to who watches, and not kept.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Mapping
from concurrent.futures import Future
from threading import Condition

from graphgen.events import Event, NodePartial, NodePreview, NodeProgress, RunFinished, event_json
from graphgen.jsontypes import JSON
from graphgen.server.hub import Hub
from graphgen.server.records import append, body_of
from graphgen.server.store import Store

_MOST = 10_000
"""Events that may wait for the disk; then the run waits."""
_GATHER = 0.02
"""Seconds that events gather: a short run is written down in one go."""
_log = logging.getLogger("graphgen.server")


class Recorder:
    """Listens to one run. The event that it is over is held back, to be written with what came of it."""

    def __init__(self, run: str, store: Store, hub: Hub) -> None:
        self._run = run
        self._store = store
        self._hub = hub
        self._bodies: list[str] = []
        self._writing = 0
        self._due = False
        """Whether what waits is about to be written, or never will be, since the run is over."""
        self._changed = Condition()
        self.last: dict[str, JSON] | None = None
        """The event that the run is over."""

    def __call__(self, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, RunFinished):
            self.last = event_json(event)
        elif isinstance(event, NodeProgress | NodePreview | NodePartial):
            shown = event_json(event)
            self._hub.show(self._run, (event.node, str(shown["event"])), body_of(self._run, shown))
        else:
            self.add(event_json(event))

    def add(self, event: Mapping[str, JSON]) -> None:
        """Write an event down, soon; wait where too many wait already."""
        body = body_of(self._run, event)
        with self._changed:
            self._changed.wait_for(lambda: len(self._bodies) < _MOST)
            self._bodies.append(body)
            if not (self._writing or self._due):
                self._due = True
                self._hub.later(_GATHER, self._write)

    def close(self) -> list[str]:
        """Wait for what is being written; return what could not be, to be written with the end of the run."""
        with self._changed:
            self._changed.wait_for(lambda: not self._writing)
            self._due = True
            rest, self._bodies = self._bodies, []
            return rest

    def _write(self) -> None:
        with self._changed:
            self._due = False
            if not self._bodies:
                return
            self._writing = len(self._bodies)
        self._store.write(self._append, synced=False).add_done_callback(self._written)

    def _append(self, connection: sqlite3.Connection) -> None:
        with self._changed:
            bodies = self._bodies[:]
            self._writing = len(bodies)
        append(connection, self._run, bodies)

    def _written(self, future: Future[None]) -> None:
        error = future.exception()
        with self._changed:
            if error is None:
                del self._bodies[: self._writing]
            else:
                _log.error("events of the run %s are not written yet: %s", self._run, error)
                del self._bodies[: max(0, len(self._bodies) - _MOST + 1)]
            self._writing = 0
            if self._bodies and not self._due:
                self._due = True
                self._hub.later(_GATHER, self._write)
            self._changed.notify_all()
