"""The versions of saved workflows, as rows: kept with each save, listed, taken back, and moved along with a name.

Each function takes a connection. A workflow of which versions are kept, but no file, was deleted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from itertools import count, islice
from typing import NamedTuple

from graphgen.jsontypes import digest
from graphgen.server.names import LONGEST
from graphgen.server.problems import missing
from graphgen.server.shapes import DeletedView, VersionView
from graphgen.server.thinning import Mark, superfluous

_SHORTENED = 90
"""Characters that are left of a name to which a number is added."""


class Moment(NamedTuple):
    """When a version is saved, and by what: an editor by itself, in a session of its own, or somebody on purpose."""

    now: float
    session: str | None = None
    """None: it is saved on purpose."""


def add(connection: sqlite3.Connection, name: str, data: bytes, moment: Moment) -> None:
    """Keep a version, unless it is the latest one already, and let those go that are not worth keeping any more."""
    number, known = _latest(connection, name)
    if known == digest(data):
        if moment.session is None:
            connection.execute("UPDATE versions SET automatic = 0 WHERE name = ? AND version = ?", (name, number))
        return
    text = data.decode("utf-8", errors="replace")
    columns = "name, version, saved, digest, document, session, automatic"
    row = (name, number + 1, moment.now, digest(data), text, moment.session or "", moment.session is not None)
    connection.execute(f"INSERT INTO versions ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608
    _thin(connection, name, moment.now)


def preserve(connection: sqlite3.Connection, name: str, data: bytes, now: float) -> None:
    """Keep what is about to go as a version, where it is none yet: a file that was edited by hand."""
    _, known = _latest(connection, name)
    if known != digest(data):
        add(connection, name, data, Moment(now))


def _latest(connection: sqlite3.Connection, name: str) -> tuple[int, str]:
    question = "SELECT version, digest FROM versions WHERE name = ? ORDER BY version DESC LIMIT 1"
    number, known = connection.execute(question, (name,)).fetchone() or (0, "")
    return number, known


def _thin(connection: sqlite3.Connection, name: str, now: float) -> None:
    question = "SELECT version, saved, session, automatic, ran, label != '' FROM versions WHERE name = ?"
    marks = (
        Mark(number, saved, session, bool(automatic), bool(ran), bool(named))
        for number, saved, session, automatic, ran, named in connection.execute(question, (name,))
    )
    gone = [(name, number) for number in superfluous(marks, now)]
    connection.executemany("DELETE FROM versions WHERE name = ? AND version = ?", gone)


def mark_run(connection: sqlite3.Connection, name: str, etag: str) -> None:
    """Note that a version of a workflow was run, if it was saved."""
    latest = "SELECT max(version) FROM versions WHERE name = ? AND digest = ?"
    question = f"UPDATE versions SET ran = 1 WHERE name = ? AND version = ({latest})"  # noqa: S608 - no part is given
    connection.execute(question, (name, name, etag))


def label(connection: sqlite3.Connection, name: str, number: int, text: str) -> VersionView:
    """Give a version a name, or take it away where that is empty; return the version.

    Raises:
        Trouble: there is none of that number.
    """
    connection.execute("UPDATE versions SET label = ? WHERE name = ? AND version = ?", (text, name, number))
    found = next((view for view in listed(connection, name) if view["version"] == number), None)
    if found is None:
        raise missing("version")
    return found


def listed(connection: sqlite3.Connection, name: str) -> list[VersionView]:
    """List the versions of a workflow, the latest first."""
    question = "SELECT version, saved, digest, label, automatic, ran FROM versions WHERE name = ? ORDER BY version DESC"
    return [
        {
            "version": version,
            "saved": saved,
            "etag": etag,
            "label": named,
            "automatic": bool(automatic),
            "ran": bool(ran),
        }
        for version, saved, etag, named, automatic, ran in connection.execute(question, (name,))
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
