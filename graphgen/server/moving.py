"""A workflow's other name: its file, its versions and its runs go by it together, or not at all.

A file and the database cannot be changed in one go. So a move is written down first (`intend`), then the file is moved
and all rows with it (`carry_out`); the store lets nothing come between, and after `kill -9` the next start finds the
file at one of its two places and finishes what was begun, or forgets it (`recover`). Where a workflow went stays
written down, so that who knows the old name alone is told the new one.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from graphgen.server import records, versions
from graphgen.server.names import file_of


def intend(connection: sqlite3.Connection, own: Path, origin: str, target: str) -> None:
    """Write down that a workflow is about to move, after bringing to an end what a full disk, say, kept from it."""
    recover(connection, own)
    connection.execute("INSERT OR REPLACE INTO moves VALUES (?, ?, 0)", (origin, target))


def carry_out(connection: sqlite3.Connection, own: Path, origin: str, target: str) -> None:
    """Move a workflow's file, its versions and its runs.

    Raises:
        OSError: the file cannot be moved; nothing has been then.
    """
    old, new = file_of(own, origin), file_of(own, target)
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)
    _sync(new.parent)
    _write_down(connection, own, origin, target)
    remove_empty(own, old.parent)


def recover(connection: sqlite3.Connection, own: Path) -> None:
    """Finish the move that was at work, if its file is there, and forget it if not."""
    for origin, target in connection.execute("SELECT origin, target FROM moves WHERE NOT done").fetchall():
        if file_of(own, target).is_file() and not file_of(own, origin).is_file():
            _write_down(connection, own, origin, target)
    connection.execute("DELETE FROM moves WHERE NOT done")


def whereabouts(connection: sqlite3.Connection, name: str) -> str | None:
    """Return what a workflow is called now that went by a name; None where it was never moved."""
    found = connection.execute("SELECT target FROM moves WHERE origin = ? AND done", (name,)).fetchone()
    return None if found is None else str(found[0])


def forget(connection: sqlite3.Connection, name: str) -> None:
    """Let a name be that of another workflow from now on."""
    connection.execute("DELETE FROM moves WHERE origin = ?", (name,))


def remove_empty(own: Path, folder: Path) -> None:
    """Remove a folder, and those it lies in, where nothing is left in them."""
    while folder != own:
        try:
            folder.rmdir()
        except OSError:
            return  # something is in it
        folder = folder.parent


def _write_down(connection: sqlite3.Connection, own: Path, origin: str, target: str) -> None:
    versions.move(connection, origin, target, lambda name: file_of(own, name).is_file())
    records.rename(connection, origin, target)
    forget(connection, target)
    connection.execute("UPDATE moves SET target = ? WHERE target = ?", (target, origin))
    connection.execute("INSERT OR REPLACE INTO moves VALUES (?, ?, 1)", (origin, target))


def _sync(folder: Path) -> None:
    """Be sure that a folder's entries are on disk, where the system can say so."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
