"""What the cache folder remembers of results besides their values: what they were, and what they were made with.

In: a line for each node that ran. Out: the same lines by key, in any later process, for the run records of what is
cached by then. It is one small SQLite file, of which the oldest lines go. Losing or damaging it costs a record some of
its words, and nothing else: whatever goes wrong here is passed over.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import sqlite3  # takes as long to import as a cached run has in all, and a cached run needs none of this

Rows: TypeAlias = list[tuple[str, ...]]
_Many: TypeAlias = tuple[str, Sequence[tuple[str, ...]]]

MOST = 100_000
"""How many results are remembered, and how many files' digests."""

SAMPLES = 32
"""How many samples are remembered of each kind of node."""

_SCHEMA = """
    PRAGMA synchronous = OFF;
    CREATE TABLE IF NOT EXISTS made (key TEXT PRIMARY KEY, given TEXT NOT NULL, files TEXT, environment TEXT);
    CREATE TABLE IF NOT EXISTS costs (kind TEXT NOT NULL, sample TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS costs_by_kind ON costs (kind);
    CREATE TABLE IF NOT EXISTS files (stamp TEXT PRIMARY KEY, digest TEXT NOT NULL);
"""
_ASK = "SELECT key, given, files, environment FROM made WHERE key IN (SELECT value FROM json_each(?))"
# What was made first stays, as long as the values are the same: so a record does not depend on what ran in between.
_TELL = """
    INSERT INTO made VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
    SET given = excluded.given, files = excluded.files, environment = excluded.environment
    WHERE given <> excluded.given OR (environment = '{}' AND excluded.environment <> '{}')
"""
_SAMPLES = "SELECT kind, sample FROM costs WHERE kind IN (SELECT value FROM json_each(?)) ORDER BY rowid"
_OLD_SAMPLES = """
    DELETE FROM costs WHERE kind = ?1 AND rowid NOT IN
    (SELECT rowid FROM costs WHERE kind = ?1 ORDER BY rowid DESC LIMIT ?2)
"""
_FORGET = "DELETE FROM {0} WHERE rowid <= (SELECT max(rowid) FROM {0}) - {1}"


class Sample(NamedTuple):
    """One call of a node: its own seconds, without loading, and the sizes it worked on.

    `working` is the most bytes it took, without weights, None if unknown; `weights` are those it leased, by identity:
    their bytes and the seconds that loading them took.
    """

    seconds: float
    sizes: Mapping[str, float] = {}
    working: int | None = None
    weights: Mapping[str, tuple[int, float]] = {}


class Made(NamedTuple):
    """One result: the digests of its values by output, the stamps of the model files used, and the environment."""

    values: Mapping[str, str]
    stamps: tuple[str, ...] = ()
    environment: Mapping[str, str] = {}


class Ledger:
    """The memory of one cache folder, None for none. Thread-safe, and shared by any processes; raises nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._path = folder / "ledger.sqlite" if folder else None
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None

    def recall(self, keys: Iterable[str]) -> dict[str, Made]:
        """Return what is remembered of results, by key."""
        rows = self._act(lambda connection: connection.execute(_ASK, (json.dumps(list(keys)),)).fetchall())
        found: dict[str, Made] = {}
        for key, values, stamps, environment in rows:
            with suppress(ValueError, TypeError):
                found[key] = Made(json.loads(values), tuple(json.loads(stamps)), json.loads(environment))
        return found

    def remember(self, made: Mapping[str, Made]) -> None:
        """Remember results by key, all at once."""
        written = [
            (key, json.dumps(item.values), json.dumps(item.stamps), json.dumps(item.environment, sort_keys=True))
            for key, item in made.items()
        ]
        if written:
            self._change("made", _TELL, written)

    def digest_of(self, stamp: str) -> str | None:
        """Return the digest of the file that bore this stamp, if it is known."""
        rows = self._act(
            lambda connection: connection.execute("SELECT digest FROM files WHERE stamp = ?", (stamp,)).fetchall()
        )
        return rows[0][0] if rows else None

    def remember_digest(self, stamp: str, digest: str) -> None:
        """Remember a file's digest."""
        self._change("files", "INSERT OR REPLACE INTO files VALUES (?, ?)", [(stamp, digest)])

    def samples(self, kinds: Iterable[str]) -> dict[str, list[Sample]]:
        """Return the samples of kinds of nodes, the latest last."""
        asked = json.dumps(list(kinds))
        found: dict[str, list[Sample]] = {}
        for kind, text in self._act(lambda connection: connection.execute(_SAMPLES, (asked,)).fetchall()):
            with suppress(ValueError, TypeError, LookupError):
                seconds, sizes, working, weights = json.loads(text)
                costs = {name: (int(size), float(took)) for name, (size, took) in weights.items()}
                found.setdefault(kind, []).append(Sample(float(seconds), sizes, working, costs))
        return found

    def learn(self, samples: Iterable[tuple[str, Sample]]) -> None:
        """Remember samples; of each kind the latest are kept."""
        rows = [
            (kind, json.dumps([sample.seconds, sample.sizes, sample.working, sample.weights]))
            for kind, sample in samples
        ]
        if rows:
            kinds = [(kind, str(SAMPLES)) for kind in sorted({kind for kind, _ in rows})]
            self._change("costs", "INSERT INTO costs VALUES (?, ?)", rows, [(_OLD_SAMPLES, kinds)])

    def close(self) -> None:
        """Let the file go; what comes after opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _change(self, table: str, statement: str, rows: Sequence[tuple[str, ...]], then: Sequence[_Many] = ()) -> None:
        def act(connection: sqlite3.Connection) -> Rows:
            with connection:
                connection.executemany(statement, rows)
                for following, values in then:
                    connection.executemany(following, values)
                connection.execute(_FORGET.format(table, MOST))
            return []

        self._act(act, make=True)

    def _act(self, act: Callable[[sqlite3.Connection], Rows], *, make: bool = False) -> Rows:
        """Do something with the file; once more with a new one when this one proves damaged."""
        path = self._path
        if path is None or not (make or path.exists()):
            return []
        import sqlite3

        with self._lock:
            for _ in range(2):
                try:
                    self._connection = self._connection or _open(path)
                    return act(self._connection)
                except sqlite3.OperationalError:
                    return []  # locked for long, on a full or read-only disk
                except (sqlite3.Error, OSError):
                    if self._connection is not None:
                        self._connection.close()
                        self._connection = None
                    with suppress(OSError):
                        path.unlink(missing_ok=True)
        return []


def _open(path: Path) -> sqlite3.Connection:
    import sqlite3

    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=1.0, check_same_thread=False)
    try:
        connection.executescript(_SCHEMA)
    except BaseException:
        connection.close()
        raise
    return connection
