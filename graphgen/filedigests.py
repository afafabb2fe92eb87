"""The digests of whole model files, taken while they are loaded, for the run record.

In: files that are about to be read. Out: SHA-256 of all their bytes, worked out by a thread beside the loading, and
remembered by path, size, time of change and inode, so that each file is read once for it. Of 8 GB this takes 5 s of one
core; the identity that enters the keys samples the files and costs a millisecond.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from hashlib import sha256
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread

from graphgen.ledger import Ledger

_PIECE = 1 << 20


def stamp_of(path: Path) -> str:
    """Return what changes when a file does: its size, time of change and inode, and its path.

    Raises:
        OSError: it is not there.
    """
    status = path.stat()
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}:{path}"


def path_of_stamp(stamp: str) -> Path:
    """Return the path of the file that a stamp was of."""
    return Path(stamp.split(":", 3)[3])


class FileDigests:
    """Digests files behind the back of who loads them. Thread-safe."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, Future[str | None]] = {}
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._lock = Lock()
        self._closed = False

    def begin(self, stamps: Iterable[str]) -> None:
        """Have files digested, unless their digests are known. Returns at once."""
        for stamp in stamps:
            with self._lock:
                if stamp in self._known or self._closed:
                    continue
                self._known[stamp] = Future()
                self._queue.put(stamp)
                if self._thread is None:
                    self._thread = Thread(target=self._work, name="graphgen-digests", daemon=True)
                    self._thread.start()

    def of(self, stamp: str) -> str | None:
        """Return the digest of the file that bore a stamp, when it is there; None if the file is another by now."""
        self.begin([stamp])
        future = self._known.get(stamp)
        return future.result() if future else None

    def close(self) -> None:
        """Stop; what is not known by now stays unknown."""
        with self._lock:
            self._closed = True
        self._queue.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while (stamp := self._queue.get()) is not None:
            digest = self._ledger.digest_of(stamp)
            if digest is None and (digest := self._digest(stamp)) is not None:
                self._ledger.remember_digest(stamp, digest)
            self._known[stamp].set_result(digest)

    def _digest(self, stamp: str) -> str | None:
        """Read a file through; None when it is not, or no longer, the one with this stamp."""
        path, total = path_of_stamp(stamp), sha256()
        try:
            with path.open("rb", buffering=0) as file:
                while piece := file.read(_PIECE):
                    total.update(piece)
                    if self._closed:
                        return None
            return total.hexdigest() if stamp_of(path) == stamp else None
        except OSError:
            return None
