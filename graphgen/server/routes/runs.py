"""Runs: put in line, looked at, moved, cancelled, run again."""

from __future__ import annotations

import json
from functools import partial

from aiohttp import web

from graphgen.server import records
from graphgen.server.asking import number_in, read_body
from graphgen.server.problems import Trouble
from graphgen.server.records import Run
from graphgen.server.requests import Moving, Submission
from graphgen.server.route import SERVICE, Route, Service
from graphgen.server.shapes import EventsPage, QueueView, RunsPage, RunView
from graphgen.server.submitting import put_in_line
from graphgen.server.views import run_view

_LONGEST_KEY = 255


async def submit(request: web.Request) -> web.StreamResponse:
    """Put a run in line. The same Idempotency-Key with the same body gives the run that was put in line first."""
    service = request.app[SERVICE]
    asked = await read_body(request, Submission)
    return await _submit(request, service, asked)


async def again(request: web.Request) -> web.StreamResponse:
    """Put a run in line once more, as it was asked for; what has not changed is not computed again."""
    service, run_id = request.app[SERVICE], request.match_info["run"]
    run = await service.read(partial(records.find, run=run_id))
    workflow = await service.read(partial(records.workflow_of, run=run_id))
    call = {name: value for name, value in run.call.items() if name != "saved"}
    asked = Submission.model_validate(
        {
            **call,
            "workflow": json.loads(workflow),
            "identity": run.identity,  # its workflow may have been renamed since
            "priority": run.priority,
            "client": run.client,
        }
    )
    return await _submit(request, service, asked, run.call["saved"])


async def _submit(
    request: web.Request, service: Service, asked: Submission, saved: str | None = None
) -> web.StreamResponse:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise Trouble(400, "bad-key", f"an Idempotency-Key has 1 to {_LONGEST_KEY} characters")
    run, fresh = await put_in_line(service, asked, key=key, saved=saved)
    headers = {"Location": f"/api/runs/{run.id}"}
    return web.json_response(_shown(service, run), status=201 if fresh else 200, headers=headers)


async def listed(request: web.Request) -> web.StreamResponse:
    """List runs, the latest first."""
    service = request.app[SERVICE]
    limit = number_in(request, "limit", 50, least=1, most=500)
    before = number_in(request, "before", 0, least=0, most=2**53)
    wanted = records.Wanted(*(request.query.get(name) for name in records.Wanted._fields))
    runs = await service.read(partial(records.page, before=before or None, limit=limit, wanted=wanted))
    following = runs[-1].number if len(runs) == limit else None
    return web.json_response({"runs": [_shown(service, run) for run in runs], "next": following})


async def show(request: web.Request) -> web.StreamResponse:
    """Show a run."""
    service = request.app[SERVICE]
    run = await service.read(partial(records.find, run=request.match_info["run"]))
    return web.json_response(_shown(service, run))


async def workflow(request: web.Request) -> web.StreamResponse:
    """Return the workflow of a run, as it was put in line."""
    service = request.app[SERVICE]
    text = await service.read(partial(records.workflow_of, run=request.match_info["run"]))
    return web.Response(text=text, content_type="application/json")


async def events(request: web.Request) -> web.StreamResponse:
    """List the events of a run that are written down; /api/events goes on with them as they come."""
    service, run = request.app[SERVICE], request.match_info["run"]
    after = number_in(request, "after", 0, least=0, most=2**62)
    limit = number_in(request, "limit", 1000, least=1, most=10_000)
    await service.read(partial(records.find, run=run))
    entries = await service.read(partial(records.events_after, after=after, run=run, limit=limit))
    text = ",".join(entry.text for entry in entries)
    return web.Response(text=f'{{"events":[{text}]}}', content_type="application/json")


async def cancel(request: web.Request) -> web.StreamResponse:
    """Cancel a run: one that waits is not begun, one at work stops soon, one that is over stays as it is."""
    service, run_id = request.app[SERVICE], request.match_info["run"]
    run = await service.write(partial(records.cancel, run=run_id))
    service.dispatcher.cancel(run_id)
    return web.json_response(_shown(service, run), status=202 if run.status == "running" else 200)


async def move(request: web.Request) -> web.StreamResponse:
    """Give a run that waits another priority, or the place before another one."""
    service = request.app[SERVICE]
    asked = await read_body(request, Moving)
    if (asked.priority is None) == (asked.before is None):
        raise Trouble(422, "invalid-body", "give one of priority and before")
    act = partial(records.move, run=request.match_info["run"], priority=asked.priority, before=asked.before)
    run = await service.write(act)
    service.dispatcher.arrange(await service.read(records.waiting))
    return web.json_response(_shown(service, run))


async def queue(request: web.Request) -> web.StreamResponse:
    """List the runs at work, and those that wait in the order in which they will come."""
    running, waiting = request.app[SERVICE].dispatcher.order()
    return web.json_response({"running": running, "waiting": waiting})


def _shown(service: Service, run: Run) -> RunView:
    return run_view(run, service.engine.registry.formats)


_KEY = {"Idempotency-Key": "chosen by the client; makes it safe to send a request again"}
ROUTES = [
    Route("POST", "/api/runs", submit, {201: RunView, 200: RunView}, body=Submission, headers=_KEY),
    Route(
        "GET",
        "/api/runs",
        listed,
        {200: RunsPage},
        query={
            "limit": "1 to 500",
            "before": "the `next` of the page before",
            "status": "only runs of this status, or of these: failed,cancelled",
            "identity": "only runs of the workflow that goes by this",
            "find": "only runs with this text in their name, values or workflow",
        },
    ),
    Route("GET", "/api/queue", queue, {200: QueueView}),
    Route("GET", "/api/runs/{run}", show, {200: RunView}),
    Route("PATCH", "/api/runs/{run}", move, {200: RunView}, body=Moving),
    Route("DELETE", "/api/runs/{run}", cancel, {200: RunView, 202: RunView}),
    Route("POST", "/api/runs/{run}/again", again, {201: RunView, 200: RunView}, headers=_KEY),
    Route("GET", "/api/runs/{run}/workflow", workflow, {200: dict[str, object]}),
    Route(
        "GET",
        "/api/runs/{run}/events",
        events,
        {200: EventsPage},
        query={"after": "the id of the last event seen", "limit": "1 to 10000"},
    ),
]
