"""Claims: who computes what, so that two processes (or two runs in one) do not compute the same.

In: a key. Out: a `Claim`, or None when somebody else holds it. On disk a claim is a hard link, named by its key, to the
one small file that its process owns: made in a single step that fails if it is there, and a single touch of that file
keeps all of a process's claims alive. A claim whose file was not touched for a lease, or whose process is gone, is
anybody's. Where there is no disk, or one without links, claims hold within the process only; the worst that follows
from a lost claim is work done twice.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Lock, Thread
from time import time
from types import TracebackType

if sys.platform != "win32":
    import fcntl

LEASE = 30.0
"""Seconds without a heartbeat after which a claim expires."""


class Claim:
    """The right, and the promise, to compute one key. Release it when the result was kept, or will never be."""

    def __init__(self, key: str, release: Callable[[str], None]) -> None:
        self.key = key
        self._release: Callable[[str], None] | None = release

    def release(self) -> None:
        """Give the claim back; doing so twice is harmless."""
        release, self._release = self._release, None
        if release is not None:
            release(self.key)

    def __enter__(self) -> Claim:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Claims:
    """All claims of this process in one cache directory (None: within the process only).

    `defer` runs the removal of a claim's file, after what was submitted before it. `lease` is in seconds, `clock` tells
    the time that is compared with the files' times of change.
    """

    def __init__(
        self,
        directory: Path | None,
        defer: Callable[[Callable[[], None]], None],
        lease: float = LEASE,
        clock: Callable[[], float] = time,
    ) -> None:
        self._directory = directory
        self._defer = defer
        self._lease = lease
        self._clock = clock
        self._held: set[str] = set()
        self._lock = Lock()
        self._owner: Path | None = None
        self._beaten = 0.0
        self._heart: Thread | None = None
        self._stopped = Event()

    def take(self, key: str) -> Claim | None:
        """Return the claim to a key, or None while somebody else holds it. Never waits."""
        with self._lock:
            if key in self._held:
                return None
            if self._directory is not None and not self._link(self._directory, key):
                return None
            self._held.add(key)
        return Claim(key, self._release)

    def beat(self) -> None:
        """Keep this process's claims alive for another lease."""
        if self._owner is not None:
            self._beaten = self._clock()
            with suppress(OSError):
                os.utime(self._owner, (self._beaten, self._beaten))

    def sweep(self) -> None:
        """Delete the claims of the dead."""
        if self._directory is not None:
            for path in (*self._directory.glob("*/*.claim"), *self._directory.glob("*/*.dead")):
                if self._is_dead(path):
                    self._bury(path)
            for owner in self._directory.glob("*.owner"):
                if owner != self._owner and self._is_dead(owner):
                    with suppress(OSError):
                        owner.unlink()

    def close(self) -> None:
        """End the heartbeat. Claims still held expire at once."""
        self._stopped.set()
        if self._heart is not None:
            self._heart.join()
        if self._owner is not None:
            for key in tuple(self._held):
                self._unlink(key)
            with suppress(OSError):
                self._owner.unlink()

    def _release(self, key: str) -> None:
        with self._lock:
            self._held.discard(key)
        if self._directory is not None:
            self._defer(lambda: self._unlink(key))

    def _path(self, key: str) -> str:
        return f"{self._directory}/{key[:2]}/{key}.claim"

    def _link(self, directory: Path, key: str) -> bool:
        """Make the claim's file; False while a living process has one."""
        path = self._path(key)
        for _ in range(3):
            try:
                owner = self._living_owner(directory)
            except OSError:
                return True  # a disk that is full or read-only: compute, perhaps twice
            try:
                os.link(owner, path)
            except FileExistsError:
                if not self._is_dead(path):
                    return False
                self._bury(path)
            except FileNotFoundError:  # the folder is not there yet, or somebody deleted the owner's file
                with suppress(OSError):
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                if not owner.exists():
                    self._owner = None
            except OSError:
                return True  # a disk without links
            else:
                return True
        return True

    def _living_owner(self, directory: Path) -> Path:
        """Return this process's own file, made when missing and touched when its last heartbeat is long ago."""
        owner = self._owner
        if owner is None:
            directory.mkdir(parents=True, exist_ok=True)
            owner = directory / f"{os.getpid()}-{secrets.token_hex(6)}.owner"
            owner.write_text(json.dumps({"pid": os.getpid(), "host": platform.node()}), encoding="utf-8")
            self._owner = owner
            self.beat()
        elif abs(self._clock() - self._beaten) > self._lease / 4:
            self.beat()
        if self._heart is None:
            self._heart = Thread(target=self._keep_beating, name="graphgen-cache-claims", daemon=True)
            self._heart.start()
        return owner

    def _keep_beating(self) -> None:
        while not self._stopped.wait(self._lease / 4):
            if self._held:
                self.beat()

    def _is_dead(self, path: str | Path) -> bool:
        """Tell whether a claim's process is gone. A time far ahead, after a clock was set back, counts as old."""
        try:
            if abs(self._clock() - os.stat(path).st_mtime) > self._lease:
                return True
            owner = json.loads(Path(path).read_text(encoding="utf-8"))
            return owner["host"] == platform.node() and not _is_alive(int(owner["pid"]))
        except FileNotFoundError:
            return False  # released just now; the next attempt will see
        except (OSError, ValueError, TypeError, LookupError):
            return False  # not readable; its age will tell

    def _bury(self, path: str | Path) -> None:
        """Remove a dead claim, unless another process removed it and claimed the key since we looked.

        One at a time: with two at it, the second could remove the claim that the first has just made, and a third
        claim the key before it is put back.
        """
        grave = Path(path).with_suffix(f".{secrets.token_hex(4)}.dead")
        with suppress(OSError), _alone(f"{self._directory}/burials.lock"):
            if self._is_dead(path):
                os.rename(path, grave)
                if not self._is_dead(grave):
                    os.link(grave, path)
        grave.unlink(missing_ok=True)

    def _unlink(self, key: str) -> None:
        """Remove our claim's file; not one that another process made after ours had expired."""
        if self._owner is not None:
            path = self._path(key)
            with suppress(OSError):
                if os.path.samefile(path, self._owner):
                    os.unlink(path)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Be the only one among all threads and processes; the lock ends with its holder, however that ends."""
    with open(path, "a", encoding="utf-8") as file:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_alive(pid: int) -> bool:
    if os.name != "posix":
        return True  # there is no harmless signal to ask with; the lease decides
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it lives, under another user
    return True
