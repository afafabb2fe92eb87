"""Work for the disk, done behind the back of who asked for it.

In: small jobs, and the bytes each keeps in memory until it is done. Out: they are done one after another by one thread,
so that what was submitted first is on disk first: a claim is released after the result it was for. The thread lets jobs
gather for a moment: one that woke up for every job would fight the submitting thread for the interpreter each time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread, current_thread

_log = logging.getLogger("graphgen.cache")
_MOST_PENDING = 256 << 20  # bytes: `submit` waits while more than this is to be written
_GATHER = 0.05  # seconds that jobs gather, unless somebody waits for them


class Writer:
    """One thread and its queue. The thread starts with the first job and never keeps a process alive."""

    def __init__(self, conclude: Callable[[], None]) -> None:
        self._conclude = conclude
        self._jobs: deque[tuple[Callable[[], None], int]] = deque()
        self._pending = 0
        self._waiting = 0
        self._blocked = 0  # of those that wait, who wait for room: the others need not wake up for every job
        self._idle = True
        self._closed = False
        self._changed = Condition()
        self._thread: Thread | None = None

    def submit(self, job: Callable[[], None], size: int = 0) -> None:
        """Queue a job; wait first while too many bytes are pending. After `close`, the caller does it itself."""
        with self._changed:
            if self._pending > _MOST_PENDING:
                self._blocked += 1
                self._wait(lambda: self._pending <= _MOST_PENDING)
                self._blocked -= 1
            if not self._closed:
                self._jobs.append((job, size))
                self._pending += size
                if self._idle:
                    self._idle = False
                    self._start()
                return
        self._run(job)
        self._run(self._conclude)

    def flush(self) -> None:
        """Wait until all that was submitted is done."""
        if current_thread() is not self._thread:
            with self._changed:
                self._wait(lambda: self._idle)

    def close(self) -> None:
        """Do what is left, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and current_thread() is not self._thread:
            self._thread.join()

    def _wait(self, done: Callable[[], bool]) -> None:
        """Wait for the thread, which stops gathering meanwhile. Call with the condition held."""
        self._waiting += 1
        self._changed.notify_all()
        self._changed.wait_for(done)
        self._waiting -= 1

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._work, name="graphgen-cache-writer", daemon=True)
            self._thread.start()
        else:
            self._changed.notify_all()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._idle or self._closed)
                if self._idle:
                    return
                self._changed.wait_for(lambda: self._waiting or self._closed, _GATHER)
            self._drain()

    def _drain(self) -> None:
        concluded = False
        while True:
            with self._changed:
                if not self._jobs and concluded:
                    self._idle = True
                    self._changed.notify_all()
                    return
                concluded = not self._jobs
                job, size = (self._conclude, 0) if concluded else self._jobs.popleft()
            self._run(job)
            del job
            if size:
                with self._changed:
                    self._pending -= size
                    if self._blocked:
                        self._changed.notify_all()

    @staticmethod
    def _run(job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:  # a lost cache entry must not end the thread, and with it all later ones
            _log.exception("a cache entry could not be written")
