"""Runs put in line: checked first, then written down, then known to the dispatcher; and waited for.

In: a `Submission`. Out: the run, as it is on disk.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from functools import partial
from secrets import token_hex
from time import time
from typing import Any

from graphgen.jsontypes import digest, json_digest
from graphgen.server import records, versions
from graphgen.server.asking import workflow_named
from graphgen.server.checking import is_large, written
from graphgen.server.library import file_bytes
from graphgen.server.records import Run, Waiting
from graphgen.server.requests import Submission
from graphgen.server.route import Service

_LOOK = 15.0
"""Seconds after which a run is looked at though nothing was told of it."""


async def put_in_line(
    service: Service, asked: Submission, *, key: str | None = None, saved: str | None = None
) -> tuple[Run, bool]:
    """Put a run in line and return it; where its key is known already, return the run of that key, and False.

    Raises:
        Trouble: there is no such workflow, the key was used for something else, or too many runs wait.
        WorkflowError: it cannot run as asked for; tells all that is wrong.
    """
    document = await workflow_named(service, asked.workflow)
    text = await service.checked(written, document) if is_large(document) else written(document)
    if not service.checker.knows(text, asked):
        await service.checked(service.checker.check_submission, document, asked)
    new = {**_row(asked, saved), "key": key, "request": await _request(service, asked) if key else ""}
    name = document.get("name")
    new |= {"workflow": text, "name": name if isinstance(name, str) else ""}
    full = service.dispatcher.waiting >= service.settings.limits.queued
    etag = await _saved_as(service, document) if new["identity"] else ""
    run, fresh = await service.write(partial(_insert, new=new, full=full, etag=etag))
    if fresh:
        service.dispatcher.add(Waiting(run.id, run.client, run.priority))
    return run, fresh


async def until_over(service: Service, run: str) -> Run:
    """Wait until a run is over, and return it.

    Raises:
        Trouble: there is no such run, or too many streams of events are open.
    """
    watcher = service.hub.watch(run, 0)
    try:
        async for _ in watcher.batches(_LOOK):
            found = await service.read(partial(records.find, run=run))
            if found.ended is not None:
                return found
    finally:
        watcher.close()
    return await service.read(partial(records.find, run=run))


async def _saved_as(service: Service, document: dict[str, object]) -> str:
    """Return what identifies the version of a saved workflow that holds a document."""
    if is_large(document):
        return await service.checked(lambda: digest(file_bytes(document)))
    return digest(file_bytes(document))


def _insert(connection: sqlite3.Connection, new: Mapping[str, Any], full: bool, etag: str) -> tuple[Run, bool]:
    """Put a run in line, and mark the version of the saved workflow that it is of."""
    run, fresh = records.insert(connection, new, full)
    if fresh and etag:
        versions.mark_run(connection, run.identity, etag)
    return run, fresh


async def _request(service: Service, asked: Submission) -> str:
    """Identify what is asked for, so that a key that is used again is known to mean the same."""
    return await service.checked(lambda: json_digest(asked.model_dump(mode="json")))


def _row(asked: Submission, saved: str | None) -> dict[str, str | int | float | None]:
    """Return what the row of a run has of what is asked for."""
    call = asked.model_dump(mode="json", exclude={"workflow", "priority", "client"})
    saved = asked.workflow if isinstance(asked.workflow, str) else saved
    return {
        "id": token_hex(8),
        "priority": asked.priority,
        "client": asked.client,
        "created": time(),
        "identity": asked.identity or saved or "",
        "asked": json.dumps({**call, "saved": saved}),
    }
