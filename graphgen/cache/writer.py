"""Work for the disk, done behind the back of who asked for it.

In: small jobs, and the bytes each keeps in memory until it is done. Out: they are done one after another by one thread,
so that what was submitted first is on disk first: a claim is released after the result it was for.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from threading import Condition, Thread, current_thread

_log = logging.getLogger("graphgen.cache")
_MOST_PENDING = 256 << 20  # bytes: `submit` waits while more than this is to be written


class Writer:
    """One thread and its queue. The thread starts with the first job and never keeps a process alive."""

    def __init__(self) -> None:
        self._jobs: deque[tuple[Callable[[], None], int]] = deque()
        self._pending = 0
        self._busy = False
        self._closed = False
        self._changed = Condition()
        self._thread: Thread | None = None

    def submit(self, job: Callable[[], None], size: int = 0) -> None:
        """Queue a job; wait first while too many bytes are pending. After `close`, the caller does it itself."""
        with self._changed:
            while self._pending > _MOST_PENDING and not self._closed:
                self._changed.wait()
            if not self._closed:
                self._jobs.append((job, size))
                self._pending += size
                self._start()
                self._changed.notify_all()
                return
        self._run(job)

    def flush(self) -> None:
        """Wait until all that was submitted is done."""
        if current_thread() is self._thread:
            return
        with self._changed:
            while self._jobs or self._busy:
                self._changed.wait()

    def close(self) -> None:
        """Do what is left, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None and current_thread() is not self._thread:
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._work, name="graphgen-cache-writer", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if not self._jobs:
                    return
                job, size = self._jobs.popleft()
                self._busy = True
            self._run(job)
            del job
            with self._changed:
                self._pending -= size

    @staticmethod
    def _run(job: Callable[[], None]) -> None:
        try:
            job()
        except Exception:  # a lost cache entry must not end the thread, and with it all later ones
            _log.exception("a cache entry could not be written")
