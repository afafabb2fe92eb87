"""What must outlive the process: one SQLite file, written before anything is acknowledged.

In: functions that take a connection. Out: a future of what each returns. Those that write are carried out by one
thread, all that are waiting in one transaction, and their futures are done when that is committed, on disk, and not
before; so a thousand small writes at once cost as much as a few, and `kill -9` loses nothing that was answered.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Generic, TypeAlias, TypeVar

from graphgen.errors import ConfigError, Problem

T = TypeVar("T")
Act: TypeAlias = Callable[[sqlite3.Connection], T]

_MOST = 1000
"""Writes in one transaction."""
SCHEMA = (
    """
CREATE TABLE runs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    key TEXT UNIQUE,
    request TEXT NOT NULL,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL,
    place REAL NOT NULL,
    client TEXT NOT NULL,
    name TEXT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL,
    started REAL,
    ended REAL,
    cancelled INTEGER NOT NULL DEFAULT 0,
    asked TEXT NOT NULL,
    workflow TEXT NOT NULL,
    result TEXT
);
CREATE INDEX runs_by_status ON runs (status);
CREATE TABLE events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_by_run ON events (run, id);
CREATE TABLE files (
    digest TEXT NOT NULL,
    root TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size INTEGER NOT NULL,
    stamp INTEGER NOT NULL,
    PRIMARY KEY (digest, root, name)
);
CREATE TABLE versions (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    saved REAL NOT NULL,
    digest TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (name, version)
);
""",
    """
ALTER TABLE runs ADD COLUMN identity TEXT NOT NULL DEFAULT '';
CREATE INDEX runs_by_identity ON runs (identity, status, number);
""",
    """
CREATE TABLE moves (
    origin TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    done INTEGER NOT NULL DEFAULT 0
);
""",
    """
ALTER TABLE versions ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE versions ADD COLUMN automatic INTEGER NOT NULL DEFAULT 1;
ALTER TABLE versions ADD COLUMN ran INTEGER NOT NULL DEFAULT 0;
ALTER TABLE versions ADD COLUMN label TEXT NOT NULL DEFAULT '';
""",
)
"""What makes each version of the file out of the one before."""
_VERSION = len(SCHEMA)


@dataclass(frozen=True, slots=True)
class _Job(Generic[T]):
    act: Act[Any]
    future: Future[T] | asyncio.Future[T]
    synced: bool
    then: Act[T] | None = None

    def settle(self, outcome: T | Exception) -> None:
        """Tell whoever waits what came of it; one who has gone is not there to be told."""
        if self.future.done():
            return
        if isinstance(outcome, Exception):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Store:
    """The file `server.sqlite` in a folder of its own, held by one process at a time. Thread-safe.

    Raises:
        ConfigError: another server holds the folder, or a newer graphgen wrote it.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._path = folder / "server.sqlite"
        self._lock = _hold(folder / "lock.sqlite")
        self._writer = _connect(self._path)
        _prepare(self._writer, self._path)
        self._reader = _connect(self._path)
        self._readers = ThreadPoolExecutor(1, "graphgen-store-reader")
        self._committed: Callable[[sqlite3.Connection], None] = lambda _: None
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name="graphgen-store", daemon=True)
        self._thread.start()

    def write(self, act: Act[T], *, synced: bool = True) -> Future[T]:
        """Have something written; the future is done when it is on disk.

        Order is kept. What raises is undone alone, and raises from its future. Where it is not to be `synced`, a power
        cut may lose it, though no end of the process does; that saves waiting for the disk.
        """
        future = Future[T]()
        self._jobs.put(_Job(act, future, synced))
        return future

    def write_from(self, loop: asyncio.AbstractEventLoop, act: Act[T]) -> asyncio.Future[T]:
        """Have something written, and hear of it in an event loop, in one call of all that was written at once.

        Whoever stops waiting does not stop the writing.
        """
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(act, future, synced=True))
        return future

    def write_twice(self, loop: asyncio.AbstractEventLoop, first: Act[None], then: Act[T]) -> asyncio.Future[T]:
        """Have something written, and what follows from it once that is on disk; nothing else comes between.

        So what no transaction can hold, such as the move of a file, is announced before it is done, and a start after
        `kill -9` knows of it. Where the first raises, the second is not carried out.
        """
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(_Job(first, future, synced=True, then=then))
        return future

    def read(self, act: Act[T]) -> Future[T]:
        """Have something read, as it was last committed."""
        return self._readers.submit(act, self._reader)

    def listen(self, committed: Callable[[sqlite3.Connection], None]) -> None:
        """Have something called after each commit, in the thread that writes, before anybody else hears of it."""
        self._committed = committed

    def close(self) -> None:
        """Write what is waiting, and let the folder go."""
        self._jobs.put(None)
        self._thread.join()
        self._readers.shutdown()
        for connection in (self._reader, self._writer, self._lock):
            connection.close()

    def _work(self) -> None:
        going = True
        while going:
            batch, going = self._take()
            if not batch:
                continue
            outcomes = self._attempt(batch, [job.act for job in batch])
            last = batch[-1]
            if last.then is not None and not isinstance(outcomes[-1], Exception):
                outcomes[-1:] = self._attempt([last], [last.then])
            _tell(batch, outcomes)

    def _take(self) -> tuple[list[_Job[Any]], bool]:
        """Wait for a job, and take with it those that are waiting too; False when it is time to end."""
        batch: list[_Job[Any]] = []
        try:
            job = self._jobs.get()
            while job is not None:
                batch.append(job)
                if len(batch) == _MOST or job.then is not None:
                    return batch, True
                job = self._jobs.get_nowait()
        except Empty:
            return batch, True
        return batch, False

    def _attempt(self, batch: list[_Job[Any]], acts: list[Act[Any]]) -> list[Any]:
        """Carry acts out in one transaction; return what each gave or raised."""
        try:
            return self._carry_out(acts, "FULL" if any(job.synced for job in batch) else "NORMAL")
        except Exception as error:  # a full disk, say: none of it is there, and everybody is told
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
            return [error] * len(acts)

    def _carry_out(self, acts: list[Act[Any]], level: str) -> list[Any]:
        outcomes: list[Any] = []
        self._writer.execute(f"PRAGMA synchronous = {level}")
        self._writer.execute("BEGIN IMMEDIATE")
        for act in acts:
            self._writer.execute("SAVEPOINT job")
            try:
                outcomes.append(act(self._writer))
            except Exception as error:  # whatever it is, it is for whoever asked
                if not self._writer.in_transaction:  # SQLite itself has undone all of it, as where the disk is full
                    raise
                self._writer.execute("ROLLBACK TO job")
                outcomes.append(error)
            self._writer.execute("RELEASE job")
        self._writer.execute("COMMIT")
        self._committed(self._writer)
        return outcomes


def _tell(batch: Sequence[_Job[Any]], outcomes: Sequence[Any]) -> None:
    """Tell everybody what came of their jobs: those who wait in threads at once, those of an event loop there."""
    there: dict[asyncio.AbstractEventLoop, list[tuple[_Job[Any], Any]]] = {}
    for job, outcome in zip(batch, outcomes, strict=True):
        if isinstance(job.future, Future):
            job.settle(outcome)
        else:
            there.setdefault(job.future.get_loop(), []).append((job, outcome))
    for loop, told in there.items():
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more, and all is written down
            loop.call_soon_threadsafe(_settle, told)


def _settle(told: Sequence[tuple[_Job[Any], Any]]) -> None:
    for job, outcome in told:
        job.settle(outcome)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA journal_mode = WAL")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > _VERSION:
        message = f"was written by a newer graphgen (version {version}, this one reads {_VERSION})"
        raise ConfigError([Problem("newer_format", str(path), message, cure="update graphgen")])
    for number, step in enumerate(SCHEMA[version:], version + 1):
        connection.executescript(f"BEGIN IMMEDIATE; {step} PRAGMA user_version = {number}; COMMIT;")


def _hold(path: Path) -> sqlite3.Connection:
    """Hold a folder for this process: the lock goes with the process, however that ends."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        connection.close()
        cure = "stop that one, or set GRAPHGEN_DATA_DIR to another folder"
        raise ConfigError([Problem("in_use", str(path.parent), "another server works here", cure=cure)]) from error
    return connection
