"""Which run is next: those of a higher priority first, and among equals each client in turn.

In: runs that wait. Out: calls that carry them out, a few at once, each in a thread of its own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from threading import Condition, Thread
from typing import Literal

from graphgen.control import Control
from graphgen.fairqueue import FairQueue
from graphgen.server.records import Waiting

_log = logging.getLogger("graphgen.server")


class Dispatcher:
    """Holds the runs that wait, by id. `carry_out` is given a run's id and its control. Thread-safe."""

    def __init__(self, carry_out: Callable[[str, Control], None], at_once: int) -> None:
        self._carry_out = carry_out
        self._line: FairQueue[str] = FairQueue()
        self._running: dict[str, Control] = {}
        self._changed = Condition()
        self._closing = False
        self._threads = [
            Thread(target=self._work, name=f"graphgen-run-{number}", daemon=True) for number in range(at_once)
        ]

    @property
    def closing(self) -> bool:
        """Tell whether no more runs are to be carried out."""
        return self._closing

    @property
    def waiting(self) -> int:
        """How many runs are in line."""
        return len(self._line)

    def start(self, waiting: Iterable[Waiting]) -> None:
        """Take in the runs that wait, and begin."""
        self.arrange(waiting)
        for thread in self._threads:
            thread.start()

    def add(self, run: Waiting) -> None:
        """Put a run in line; one that is known already stays where it is."""
        with self._changed:
            self._put(run)
            self._changed.notify()

    def arrange(self, waiting: Iterable[Waiting]) -> None:
        """Replace the line by another order of the same runs."""
        with self._changed:
            self._line = FairQueue()
            for run in waiting:
                self._put(run)
            self._changed.notify_all()

    def cancel(self, run: str) -> Literal["running", "waiting"] | None:
        """Take a run out of the line, or ask it to stop; return which, or None where it is neither."""
        with self._changed:
            if self._line.remove(run):
                return "waiting"
            control = self._running.get(run)
        if control is None:
            return None
        control.cancel()
        return "running"

    def order(self) -> tuple[list[str], list[str]]:
        """Return the runs at work, and those in line in the order in which they will come."""
        with self._changed:
            return list(self._running), list(self._line)

    def close(self) -> None:
        """Stop the runs at work, and wait for their threads; the line is left."""
        with self._changed:
            self._closing = True
            controls = list(self._running.values())
            self._changed.notify_all()
        for control in controls:
            control.cancel()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()

    def _put(self, run: Waiting) -> None:
        if run.id not in self._line and run.id not in self._running:
            self._line.put(run.id, run.client, run.priority)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or len(self._line))
                if self._closing:
                    return
                run, control = self._line.take(), Control()
                self._running[run] = control
            try:
                self._carry_out(run, control)
            except Exception:  # a fault in one run must not end the thread that all others need
                _log.exception("a fault while carrying out the run %s", run)
            finally:
                with self._changed:
                    del self._running[run]
