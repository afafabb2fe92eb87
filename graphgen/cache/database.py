"""What is small, in one SQLite file: results by key, and values of a few KB by digest.

In: rows to add, to mark as used, or to remove, many in one transaction. Out: the same rows, in any process. A file for
each would cost ten times as much to make as most of these take to compute.

The journal is a write-ahead log: readers and a writer do not wait for each other, and what a process that is killed had
not committed is as if it had never been. What SQLite itself finds damaged is dropped as a whole, with one warning; what
is changed within a row shows to whoever checks its digest.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeAlias

_log = logging.getLogger("graphgen.cache")
_PATIENCE = 20.0  # seconds to wait for other processes that write
_SCHEMA = """
    PRAGMA auto_vacuum = INCREMENTAL;
    PRAGMA journal_mode = WAL;
    CREATE TABLE results (key TEXT PRIMARY KEY, record BLOB NOT NULL, used REAL NOT NULL);
    CREATE TABLE images (digest TEXT PRIMARY KEY, image BLOB NOT NULL);
"""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)  # the last: our tables are not there

Row: TypeAlias = tuple[str, bytes, float]
"""A result: its key, its record, and when it was used last, in seconds since 1970."""


class Database:
    """One SQLite file in a folder of its own; made with the first row. Thread-safe, and shared by any processes."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "small.sqlite"
        self._reader = _Connection(self.path)
        self._writer = _Connection(self.path)

    def result(self, key: str) -> tuple[bytes, float] | None:
        """Return a result's record, and when it was used last; None when it is not there."""
        found = self._select("SELECT CAST(record AS BLOB), CAST(used AS REAL) FROM results WHERE key = ?", key)
        return (found[0][0], found[0][1]) if found else None

    def image(self, digest: str) -> bytes | None:
        """Return a value's image, or None."""
        found = self._select("SELECT CAST(image AS BLOB) FROM images WHERE digest = ?", digest)
        return found[0][0] if found else None

    def among(self, keys: Iterable[str]) -> set[str]:
        """Return those keys under which there are results: all in one question, 1 µs each."""
        if not self.path.exists():
            return set()
        question = "SELECT key FROM results WHERE key IN (SELECT value FROM json_each(?))"
        return {str(row[0]) for row in self._select(question, json.dumps(list(keys)))}

    def results(self) -> list[Row]:
        """Return all results."""
        return self._select("SELECT key, CAST(record AS BLOB), CAST(used AS REAL) FROM results")

    def images(self) -> dict[str, int]:
        """Return the sizes of all images, in bytes, by digest."""
        return dict(self._select("SELECT digest, length(image) FROM images"))

    def totals(self) -> tuple[int, int]:
        """Return how many results there are, and the bytes of all rows."""
        question = "SELECT count(*), coalesce(sum(length(record)), 0) FROM results"
        ((count, size),) = self._select(question) or [(0, 0)]
        return count, size + sum(self.images().values())

    def write(
        self, results: Sequence[Row], images: Sequence[tuple[str, bytes]], used: Sequence[tuple[float, str]] = ()
    ) -> None:
        """Add results and images, and set when results were used; all of it or nothing.

        Raises:
            OSError: the file cannot be written.
        """

        def act(connection: sqlite3.Connection) -> None:
            connection.executemany("INSERT OR IGNORE INTO images VALUES (?, ?)", images)
            connection.executemany("INSERT OR REPLACE INTO results VALUES (?, ?, ?)", results)
            connection.executemany("UPDATE results SET used = ? WHERE key = ?", used)

        self._change(act, make=True)

    def remove(self, keys: Sequence[str], digests: Sequence[str] = ()) -> None:
        """Remove results and images.

        Raises:
            OSError: the file cannot be written.
        """

        def act(connection: sqlite3.Connection) -> None:
            connection.executemany("DELETE FROM results WHERE key = ?", ((key,) for key in keys))
            connection.executemany("DELETE FROM images WHERE digest = ?", ((digest,) for digest in digests))

        self._change(act)

    def clear(self) -> None:
        """Remove everything.

        Raises:
            OSError: the file cannot be written.
        """

        def act(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM results")
            connection.execute("DELETE FROM images")

        self._change(act)
        self.shrink()

    def shrink(self) -> None:
        """Give the room of removed rows back to the disk."""
        with suppress(sqlite3.Error), self._writer as connection:
            if connection is not None:
                connection.executescript("PRAGMA incremental_vacuum; PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Let the file go; what comes after opens it again."""
        self._reader.close()
        self._writer.close()

    def _select(self, question: str, *values: str) -> list[tuple[Any, ...]]:
        """Ask; what cannot be read is not there."""
        try:
            with self._reader as connection:
                return [] if connection is None else connection.execute(question, values).fetchall()
        except sqlite3.Error as error:
            self._discard_if_damaged(error, self._reader.inode)
            return []

    def _change(self, act: Callable[[sqlite3.Connection], None], *, make: bool = False) -> None:
        """Act in one transaction; once more, with a new file, when this one proves damaged."""
        for last in (False, True):
            try:
                if make and not self.path.exists():
                    _make(self.path)
                with self._writer as connection:
                    if connection is not None:
                        _transact(connection, act)
                return
            except sqlite3.Error as error:
                if last or not self._discard_if_damaged(error, self._writer.inode):
                    raise OSError(str(error)) from error

    def _discard_if_damaged(self, error: sqlite3.Error, inode: int) -> bool:
        """Move a damaged file away, with its log, unless another process did; tell whether a new one can be made."""
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF not in _DAMAGED and code != sqlite3.SQLITE_IOERR_SHORT_READ:
            return False
        self.close()
        grave = f"{self.path.parent}.{secrets.token_hex(4)}.dead"
        try:
            if self.path.stat().st_ino == inode:
                self.path.parent.rename(grave)
                _log.warning("%s is damaged (%s) and dropped; what it held will be computed again", self.path, error)
        except OSError:
            return not self.path.exists()
        shutil.rmtree(grave, ignore_errors=True)
        return True


class _Connection:
    """A connection to a file, for one thread at a time; made when there is a file, and anew when it was replaced."""

    def __init__(self, path: Path) -> None:
        self.inode = 0
        self._path = path
        self._lock = Lock()
        self._made: sqlite3.Connection | None = None

    def __enter__(self) -> sqlite3.Connection | None:
        """Lend the connection; None while there is no file."""
        self._lock.acquire()
        try:
            inode = _inode(self._path)
            if inode != self.inode:
                self._close()
                self.inode = inode
                self._made = _connect(self._path) if inode else None
        except BaseException:
            self._lock.release()
            raise
        return self._made

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def close(self) -> None:
        """Let the file go."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        self.inode = 0
        if self._made is not None:
            self._made.close()
            self._made = None

    def __del__(self) -> None:
        self._close()


def _inode(path: Path) -> int:
    try:
        return os.stat(path).st_ino
    except OSError:
        return 0


def _connect(path: Path) -> sqlite3.Connection:
    mode = "mode=rw" if os.access(path.parent, os.W_OK) else "immutable=1"  # nobody writes to a read-only disk
    made = sqlite3.connect(
        f"{path.resolve().as_uri()}?{mode}", uri=True, timeout=_PATIENCE, isolation_level=None, check_same_thread=False
    )
    made.execute("PRAGMA synchronous = NORMAL")  # a power cut may take the last results, and harms no others
    made.text_factory = lambda text: text.decode(errors="replace")  # what is damaged must not raise
    return made


def _make(path: Path) -> None:
    """Make the file elsewhere and move its folder into place, so that nobody sees it half made."""
    folder = path.parent.with_name(f"{path.parent.name}.{secrets.token_hex(4)}.new")
    folder.mkdir(mode=0o700, parents=True)
    try:
        with closing(sqlite3.connect(folder / path.name)) as made:
            made.executescript(_SCHEMA)
        folder.rename(path.parent)
    except OSError:
        if not path.is_file():  # it is not that another process was quicker
            raise
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _transact(connection: sqlite3.Connection, act: Callable[[sqlite3.Connection], None]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        act(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
