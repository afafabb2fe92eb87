"""Runs put in line: checked first, then written down, then known to the dispatcher; and waited for.

In: a `Submission`. Out: the run, as it is on disk.
"""

from __future__ import annotations

import json
from functools import partial
from secrets import token_hex
from time import time

from graphgen.jsontypes import json_digest
from graphgen.server import records
from graphgen.server.asking import workflow_named
from graphgen.server.records import Run, Waiting
from graphgen.server.route import Service
from graphgen.server.shapes import Submission

_LOOK = 15.0
"""Seconds after which a run is looked at though nothing was told of it."""
_FEW = 200
"""Nodes that are written as JSON at once; more go to a thread."""


async def put_in_line(
    service: Service, asked: Submission, *, key: str | None = None, saved: str | None = None
) -> tuple[Run, bool]:
    """Put a run in line and return it; where its key is known already, return the run of that key, and False.

    Raises:
        Trouble: there is no such workflow, the key was used for something else, or too many runs wait.
        WorkflowError: it cannot run as asked for; tells all that is wrong.
    """
    document = await workflow_named(service, asked.workflow)
    if not service.checker.knows(document, asked):
        await service.checked(service.checker.check_submission, document, asked)
    new = await service.checked(_row, asked, document, saved) if _is_large(document) else _row(asked, document, saved)
    most = service.settings.limits.queued
    run, fresh = await service.write(partial(records.insert, new={**new, "key": key}, most=most))
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


def _is_large(document: dict[str, object]) -> bool:
    """Tell whether writing a workflow takes long enough to keep others waiting."""
    nodes = document.get("nodes")
    return not isinstance(nodes, dict) or len(nodes) > _FEW


def _row(asked: Submission, document: dict[str, object], saved: str | None) -> dict[str, str | int | float]:
    """Return the row of a run that is asked for."""
    call = asked.model_dump(mode="json", exclude={"workflow", "priority", "client"})
    name = document.get("name")
    saved = asked.workflow if isinstance(asked.workflow, str) else saved
    return {
        "id": token_hex(8),
        "request": json_digest(asked.model_dump(mode="json")),
        "priority": asked.priority,
        "client": asked.client,
        "name": name if isinstance(name, str) else "",
        "created": time(),
        "identity": asked.identity or saved or "",
        "asked": json.dumps({**call, "saved": saved}),
        "workflow": json.dumps(document, separators=(",", ":")),
    }
