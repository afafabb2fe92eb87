"""Runs and their events as rows: what the store is asked and told. Each function takes a connection.

A run is `queued`, `running`, and then `done`, `failed` or `cancelled`. Events have numbers that only rise, over all
runs, so that whoever watches can say which one was the last they saw.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from time import time
from typing import Any, Literal, NamedTuple, TypeAlias

from graphgen.jsontypes import JSON
from graphgen.server.problems import Trouble
from graphgen.widgets import RootName

Status: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[Status, ...] = ("done", "failed", "cancelled")
ATTEMPTS = 3
"""How often a run keeps its place that the server did not survive; then those behind it come first."""

KEPT = 50_000
"""The runs that are remembered at least; older ones are forgotten when a server starts."""


class Entry(NamedTuple):
    """An event that is written down: its number, its run, and its JSON without the number."""

    id: int
    run: str
    body: str

    @property
    def text(self) -> str:
        """The event's JSON."""
        return f'{{"id":{self.id},{self.body[1:]}'


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is written down. Times are in seconds since 1970."""

    number: int
    id: str
    key: str | None
    request: str
    status: Status
    priority: int
    place: float
    client: str
    name: str
    identity: str
    attempts: int
    created: float
    started: float | None
    ended: float | None
    asked: str
    result: str | None

    @property
    def call(self) -> dict[str, Any]:
        """What was asked for, but for the workflow."""
        found: dict[str, Any] = json.loads(self.asked)
        return found

    @property
    def outcome(self) -> dict[str, Any]:
        """What came of it; empty until it is over."""
        found: dict[str, Any] = json.loads(self.result) if self.result else {}
        return found


_COLUMNS = ", ".join(item.name for item in fields(Run))
"""What is read of a run: all but its workflow, which may be large."""


class Waiting(NamedTuple):
    """What a queue has to know of a run."""

    id: str
    client: str
    priority: int


class FileRow(NamedTuple):
    """A file by its content: where it lies in a root, and how it looked when it was indexed."""

    digest: str
    root: RootName
    name: str
    media_type: str
    size: int
    stamp: int


def body_of(run: str, event: Mapping[str, JSON]) -> str:
    """Write an event's body: its run and its time come first."""
    head: dict[str, JSON] = {"run": run, "time": round(time(), 3)}
    return json.dumps({**head, **event, **head}, separators=(",", ":"))


def insert(connection: sqlite3.Connection, new: Mapping[str, Any], full: bool) -> tuple[Run, bool]:
    """Put a run in line if that is not `full`; where its key is known already, return that run, and False.

    Raises:
        Trouble: the key was used for something else, or too many runs wait.
    """
    if new["key"] is not None and (row := _one(connection, "key", new["key"])):
        if row.request != new["request"]:
            detail = "this Idempotency-Key was used for another request; choose a new one"
            raise Trouble(422, "key-reused", detail)
        return row, False
    if full:
        detail = "too many runs are waiting already; try again when some are done"
        raise Trouble(429, "queue-full", detail, headers={"Retry-After": "10"})
    connection.execute(
        "INSERT INTO runs"
        " (id, key, request, status, priority, place, client, name, created, asked, workflow, identity) "
        "VALUES (:id, :key, :request, 'queued', :priority, "
        "(SELECT coalesce(max(number), 0) + 1 FROM runs), :client, :name, :created, :asked, :workflow, :identity)",
        new,
    )
    run = find(connection, new["id"])
    append(connection, run.id, [body_of(run.id, {"event": "run_queued", "name": run.name})])
    return run, True


def find(connection: sqlite3.Connection, run: str) -> Run:
    """Return a run.

    Raises:
        Trouble: there is none.
    """
    found = _one(connection, "id", run)
    if found is None:
        raise Trouble(404, "not-found", "there is no such run")
    return found


def workflow_of(connection: sqlite3.Connection, run: str) -> str:
    """Return a run's workflow, as JSON text.

    Raises:
        Trouble: there is no such run.
    """
    find(connection, run)
    (found,) = connection.execute("SELECT workflow FROM runs WHERE id = ?", (run,)).fetchone()
    return str(found)


class Wanted(NamedTuple):
    """Which runs are listed: of some statuses, of one workflow, those whose name, values or workflow hold a text.

    `status` is one, or several with commas between: `failed,cancelled`.
    """

    status: str | None = None
    identity: str | None = None
    find: str | None = None


def page(connection: sqlite3.Connection, before: int | None, limit: int, wanted: Wanted) -> list[Run]:
    """Return runs, the latest first, that came before a number."""
    where = ["number < :before"]
    if wanted.status is not None:
        where.append("status IN (SELECT value FROM json_each(:statuses))")
    if wanted.identity is not None:
        where.append("identity = :identity")
    if wanted.find is not None:
        where.append("(instr(lower(name), lower(:find)) OR instr(lower(asked || workflow), lower(:written)))")
    # JSON is stored in ASCII, and so it is searched
    statuses = json.dumps((wanted.status or "").split(","))
    given = {**wanted._asdict(), "statuses": statuses, "written": json.dumps(wanted.find or "")[1:-1]}
    question = f"SELECT {_COLUMNS} FROM runs WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT :limit"  # noqa: S608 - names only
    rows = connection.execute(question, {**given, "before": before or 2**62, "limit": limit}).fetchall()
    return [Run(**dict(row)) for row in rows]


def latest_of_each(connection: sqlite3.Connection, identity: str | None = None) -> dict[str, Run]:
    """Return for each workflow that goes by a name, or for one, the latest of its runs that are done."""
    which = "identity != ''" if identity is None else "identity = :identity"
    latest = f"SELECT max(number) FROM runs WHERE status = 'done' AND {which} GROUP BY identity"  # noqa: S608
    question = f"SELECT {_COLUMNS} FROM runs WHERE number IN ({latest})"  # noqa: S608
    rows = connection.execute(question, {"identity": identity})
    return {run.identity: run for run in (Run(**dict(row)) for row in rows)}


def rename(connection: sqlite3.Connection, origin: str, target: str) -> None:
    """Let the runs of a workflow that goes by one name go by another; what they were asked as stays as it was."""
    connection.execute("UPDATE runs SET identity = ? WHERE identity = ?", (target, origin))


def waiting(connection: sqlite3.Connection) -> list[Waiting]:
    """Return the runs that wait, in order."""
    question = "SELECT id, client, priority FROM runs WHERE status = 'queued' ORDER BY priority DESC, place, number"
    return [Waiting(*row) for row in connection.execute(question)]


def stop(connection: sqlite3.Connection, run: str) -> None:
    """Let a run wait again that the server stops in good order: that is no attempt at it."""
    connection.execute("UPDATE runs SET attempts = attempts - 1 WHERE id = ?", (run,))
    put_back(connection, run)


def begin(connection: sqlite3.Connection, run: str) -> tuple[Run, str] | None:
    """Mark a run as running, and return it with its workflow; None where it does not wait any more."""
    changed = connection.execute(
        "UPDATE runs SET status = 'running', attempts = attempts + 1, started = ? WHERE id = ? AND status = 'queued'",
        (time(), run),
    )
    return (find(connection, run), workflow_of(connection, run)) if changed.rowcount else None


def finish(
    connection: sqlite3.Connection,
    run: str,
    status: Status,
    result: Mapping[str, JSON],
    files: Iterable[FileRow],
    bodies: Sequence[str],
) -> None:
    """Write down how a run ended, the files it gave, and its last events: all of it or nothing."""
    connection.execute(
        "UPDATE runs SET status = ?, ended = ?, result = ? WHERE id = ?", (status, time(), json.dumps(result), run)
    )
    add_files(connection, files)
    append(connection, run, bodies)


def cancel(connection: sqlite3.Connection, run: str) -> Run:
    """Cancel a run that waits; of one that is at work, write down that it is to stop; one that is over stays so.

    Raises:
        Trouble: there is no such run.
    """
    status = find(connection, run).status
    if status == "queued":
        finish(connection, run, "cancelled", {}, (), [body_of(run, _ended("cancelled"))])
    elif status == "running":
        connection.execute("UPDATE runs SET cancelled = 1 WHERE id = ?", (run,))
    return find(connection, run)


def put_back(connection: sqlite3.Connection, run: str) -> None:
    """Let a run wait again that the server stops before it is done, unless somebody has cancelled it."""
    (cancelled,) = connection.execute("SELECT cancelled FROM runs WHERE id = ?", (run,)).fetchone()
    if cancelled:
        finish(connection, run, "cancelled", {}, (), [body_of(run, _ended("cancelled"))])
        return
    connection.execute("UPDATE runs SET status = 'queued' WHERE id = ?", (run,))
    append(connection, run, [body_of(run, {"event": "run_interrupted"})])


def recover(connection: sqlite3.Connection) -> None:
    """After a restart, let those runs wait again that were interrupted.

    One that it has happened to often goes to the end of the line: should it be what ends the server, the others are
    carried out all the same.
    """
    rows = connection.execute("SELECT id, attempts FROM runs WHERE status = 'running' ORDER BY number").fetchall()
    for run, attempts in rows:
        put_back(connection, run)
        if attempts >= ATTEMPTS:
            question = "UPDATE runs SET place = (SELECT max(place) + 1 FROM runs) WHERE id = ?"
            connection.execute(question, (run,))


def prune(connection: sqlite3.Connection, keep: int = KEPT) -> None:
    """Forget the oldest of very many runs that are over, and their events; the files they gave stay."""
    old = "SELECT id FROM runs WHERE ended IS NOT NULL AND number <= (SELECT max(number) FROM runs) - ?"
    connection.execute(f"DELETE FROM events WHERE run IN ({old})", (keep,))  # noqa: S608 - no part of it is given
    connection.execute(f"DELETE FROM runs WHERE id IN ({old})", (keep,))  # noqa: S608


def move(connection: sqlite3.Connection, run: str, priority: int | None, before: str | None) -> Run:
    """Give a run that waits another priority, or the place before another one and that one's priority.

    Raises:
        Trouble: one of them is not there, or does not wait.
    """
    for name in filter(None, (run, before)):
        if find(connection, name).status != "queued":
            raise Trouble(409, "not-queued", f"the run {name} does not wait any more")
    if before is not None:
        after = find(connection, before)
        question = "SELECT max(place) FROM runs WHERE status = 'queued' AND priority = ? AND place < ? AND id != ?"
        (lower,) = connection.execute(question, (after.priority, after.place, run)).fetchone()
        place = after.place - 1 if lower is None else (lower + after.place) / 2
        connection.execute("UPDATE runs SET place = ?, priority = ? WHERE id = ?", (place, after.priority, run))
    if priority is not None:
        connection.execute("UPDATE runs SET priority = ? WHERE id = ?", (priority, run))
    return find(connection, run)


def counts(connection: sqlite3.Connection) -> dict[str, int]:
    """Count the runs by status."""
    return dict(tuple(row) for row in connection.execute("SELECT status, count(*) FROM runs GROUP BY status"))


# --- events ---------------------------------------------------------------------------------------------------------


def append(connection: sqlite3.Connection, run: str, bodies: Iterable[str]) -> None:
    """Write events of a run down."""
    connection.executemany("INSERT INTO events (run, body) VALUES (?, ?)", ((run, body) for body in bodies))


def events_after(connection: sqlite3.Connection, after: int, run: str | None, limit: int) -> list[Entry]:
    """Return events that came after a number, of one run or of all."""
    if run is None:
        rows = connection.execute("SELECT id, run, body FROM events WHERE id > ? ORDER BY id LIMIT ?", (after, limit))
    else:
        question = "SELECT id, run, body FROM events WHERE run = ? AND id > ? ORDER BY id LIMIT ?"
        rows = connection.execute(question, (run, after, limit))
    return [Entry(*row) for row in rows]


def bodies_of(connection: sqlite3.Connection, run: str) -> list[str]:
    """Return the bodies of all events of a run, in order."""
    return [row[0] for row in connection.execute("SELECT body FROM events WHERE run = ? ORDER BY id", (run,))]


def last_event(connection: sqlite3.Connection) -> int:
    """Return the number of the last event there ever was; 0 before the first."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'events'").fetchone()
    return int(row[0]) if row else 0


# --- files ----------------------------------------------------------------------------------------------------------


def add_files(connection: sqlite3.Connection, files: Iterable[FileRow]) -> None:
    """Index files by their content."""
    connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", files)


def find_files(connection: sqlite3.Connection, digest: str, root: str) -> list[FileRow]:
    """Return where in a root a content lies."""
    rows = connection.execute("SELECT * FROM files WHERE digest = ? AND root = ?", (digest, root))
    return [FileRow(*row) for row in rows]


def _ended(status: Status) -> dict[str, JSON]:
    """Return the last event of a run that did not come to its end by itself."""
    return {"event": "run_finished", "status": status, "seconds": 0.0, "files": []}


def _one(connection: sqlite3.Connection, column: Literal["id", "key"], value: str) -> Run | None:
    row = connection.execute(f"SELECT {_COLUMNS} FROM runs WHERE {column} = ?", (value,)).fetchone()  # noqa: S608
    return Run(**dict(row)) if row else None
