"""The versions of saved workflows, as rows: kept with each save, listed, taken back, and moved along with a name.

Each function takes a connection. A workflow of which versions are kept, but no file, was deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import count, islice
from time import time

from graphgen.jsontypes import digest
from graphgen.server.names import LONGEST
from graphgen.server.problems import missing
from graphgen.server.shapes import DeletedView, VersionView

KEPT = 200
"""Versions of one workflow that are kept."""
_SHORTENED = 90
"""Characters that are left of a name to which a number is added."""


def add(connection: sqlite3.Connection, name: str, data: bytes) -> None:
    """Keep a version, unless it is the latest one already; of many, drop the oldest."""
    question = "SELECT version, digest FROM versions WHERE name = ? ORDER BY version DESC LIMIT 1"
    number, known = connection.execute(question, (name,)).fetchone() or (0, "")
    if known == digest(data):
        return
    row = (name, number + 1, time(), digest(data), data.decode("utf-8", errors="replace"))
    connection.execute("INSERT INTO versions VALUES (?, ?, ?, ?, ?)", row)
    connection.execute("DELETE FROM versions WHERE name = ? AND version <= ?", (name, number + 1 - KEPT))


def listed(connection: sqlite3.Connection, name: str) -> list[VersionView]:
    """List the versions of a workflow, the latest first."""
    question = "SELECT version, saved, digest FROM versions WHERE name = ? ORDER BY version DESC"
    return [
        {"version": version, "saved": saved, "etag": etag}
        for version, saved, etag in connection.execute(question, (name,))
    ]


def text_of(connection: sqlite3.Connection, name: str, number: int) -> str:
    """Return a version of a workflow as JSON text.

    Raises:
        Trouble: there is none of that number.
    """
    question = "SELECT document FROM versions WHERE name = ? AND version = ?"
    found = connection.execute(question, (name, number)).fetchone()
    if found is None:
        raise missing("version")
    return str(found[0])


def deleted(
    connection: sqlite3.Connection, is_there: Callable[[str], bool], title_of: Callable[[str, bytes], str]
) -> list[DeletedView]:
    """List the workflows of which versions are kept, but no file, the latest first; at most 100."""
    question = (
        "SELECT name, MAX(version), saved, document FROM versions GROUP BY name ORDER BY saved DESC"  # of the latest
    )
    gone = (row for row in connection.execute(question) if not is_there(row[0]))
    return [
        {"name": name, "title": title_of(name, text.encode()), "version": number, "saved": saved}
        for name, number, saved, text in islice(gone, 100)
    ]


def move(connection: sqlite3.Connection, origin: str, target: str, is_there: Callable[[str], bool]) -> None:
    """Let the versions of one name go by another. What was deleted under that one before stays apart, under a third."""
    if _has_any(connection, target):
        aside = next(name for name in _numbered(target) if not (_has_any(connection, name) or is_there(name)))
        connection.execute("UPDATE versions SET name = ? WHERE name = ?", (aside, target))
    connection.execute("UPDATE versions SET name = ? WHERE name = ?", (target, origin))


def _numbered(name: str) -> Iterator[str]:
    """Yield names that are like another one, and no longer than a name may be."""
    folder, slash, last = name.rpartition("/")
    within = f"{folder}{slash}" if len(name) < LONGEST - len(" (1000)") else ""
    return (f"{within}{last[:_SHORTENED].rstrip(' .')} ({number})" for number in count(1))


def _has_any(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT 1 FROM versions WHERE name = ? LIMIT 1", (name,)).fetchone() is not None
