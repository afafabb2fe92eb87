"""Saved workflows: listed, read, saved over the version one has seen, renamed, deleted, and taken back to a version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from time import time

from aiohttp import web

from graphgen.server import records
from graphgen.server import versions as rows
from graphgen.server.asking import find_workflow, has_already, read_body, read_document
from graphgen.server.planning import recorded_as
from graphgen.server.problems import Trouble, missing
from graphgen.server.records import Run
from graphgen.server.requests import Labelling, Renaming
from graphgen.server.route import SERVICE, Route, Service
from graphgen.server.shapes import DeletedList, Saved, VersionsList, VersionView, WorkflowsList, WorkflowView
from graphgen.server.versions import Moment
from graphgen.server.views import file_view
from graphgen.strictjson import read_json

_LONGEST_NAME = 100


async def listed(request: web.Request) -> web.StreamResponse:
    """List the saved workflows: the user's own, and the examples; or the one of a name, if there is one."""
    service, name = request.app[SERVICE], request.query.get("name")
    latest = await service.read(partial(records.latest_of_each, identity=name))
    return web.json_response({"workflows": await service.aside(_views, service, name, latest)})


def _views(service: Service, name: str | None, latest: Mapping[str, Run]) -> list[WorkflowView]:
    """Describe workflows, those that were run by the first picture of their latest run."""
    found = service.library.listed(name)
    for view in found:
        if run := latest.get(view["name"]):
            files = (file_view(item, service.engine.registry.formats) for item in run.outcome.get("files", ()))
            view["thumbnail"] = next((one["thumbnail"] for one in files if one["thumbnail"]), view["thumbnail"])
    return found


async def thumbnail(request: web.Request) -> web.StreamResponse:
    """Show what an example gives, or its graph where that takes a model that does not come along."""
    service = request.app[SERVICE]
    path = service.library.picture(request.match_info["name"])
    if path is None:
        raise missing("thumbnail")
    media_type = "image/png" if path.suffix == ".png" else "image/svg+xml"
    data = await service.aside(path.read_bytes)
    return web.Response(body=data, content_type=media_type, headers={"Cache-Control": "max-age=3600"})


async def show(request: web.Request) -> web.StreamResponse:
    """Return a workflow's document; its ETag is what a later change must name."""
    service = request.app[SERVICE]
    data, tag = await find_workflow(service, request.match_info["name"])
    headers = {"ETag": f'"{tag}"', "Cache-Control": "no-cache"}
    if has_already(request, tag):
        return web.Response(status=304, headers=headers)
    return web.Response(body=data, content_type="application/json", headers=headers)


async def save(request: web.Request) -> web.StreamResponse:
    """Save a workflow: a new one, or over the version whose ETag is given as If-Match. It need not be in order yet."""
    automatic = request.query.get("automatic", "false")
    if automatic not in ("true", "false"):
        raise Trouble(400, "bad-query", f"automatic must be true or false (got '{automatic[:40]}')")
    document = await read_document(request)
    if not isinstance(document, dict):
        raise Trouble(422, "invalid-body", "a workflow is a JSON object")
    return await _save(request, document, _client(request) if automatic == "true" else None)


async def delete(request: web.Request) -> web.StreamResponse:
    """Delete one of the user's own workflows; its versions are kept."""
    service = request.app[SERVICE]
    act = partial(service.library.delete, name=request.match_info["name"], seen=_seen(request), now=time())
    client = _client(request)
    await service.write(act)
    _announce(service, {"event": "workflow_deleted", "name": request.match_info["name"], "client": client})
    return web.Response(status=204)


async def move(request: web.Request) -> web.StreamResponse:
    """Give one of the user's own workflows another name; its versions go along, and its runs go by the new one.

    Folders stand in a name with / between, which is written %2F in an address: a workflow is put into one by its name.
    """
    service, name, client = request.app[SERVICE], request.match_info["name"], _client(request)
    to = (await read_body(request, Renaming)).to
    library = service.library
    begin = partial(library.begin_move, name=name, to=to, seen=_seen(request))
    tag = await service.write_twice(begin, partial(library.end_move, name=name, to=to))
    await service.aside(service.engine.rename, recorded_as(name), recorded_as(to))
    _announce(service, {"event": "workflow_moved", "name": name, "to": to, "etag": tag, "client": client})
    return web.json_response({"name": to, "etag": tag}, headers={"ETag": f'"{tag}"'})


async def versions(request: web.Request) -> web.StreamResponse:
    """List the versions of a workflow that were saved, also of one that was deleted."""
    service, name = request.app[SERVICE], request.match_info["name"]
    return web.json_response({"versions": await service.read(partial(rows.listed, name=name))})


async def deleted(request: web.Request) -> web.StreamResponse:
    """List the workflows that were deleted; restoring the version named brings one back."""
    service = request.app[SERVICE]
    return web.json_response({"workflows": await service.read(service.library.deleted)})


async def version(request: web.Request) -> web.StreamResponse:
    """Return a version of a workflow."""
    service = request.app[SERVICE]
    text = await service.read(partial(rows.text_of, name=request.match_info["name"], number=_number(request)))
    return web.Response(text=text, content_type="application/json")


async def restore(request: web.Request) -> web.StreamResponse:
    """Save an earlier version of a workflow again, as its latest."""
    service, name = request.app[SERVICE], request.match_info["name"]
    text = await service.read(partial(rows.text_of, name=name, number=_number(request)))
    document = read_json(text)
    if not isinstance(document, dict):
        raise missing("version")
    return await _save(request, document, None)


async def label(request: web.Request) -> web.StreamResponse:
    """Call a version of a workflow something, so that it is always kept; an empty name takes that away."""
    service, text = request.app[SERVICE], (await read_body(request, Labelling)).label.strip()
    if not text.isprintable():
        raise Trouble(422, "invalid-body", "a version's name is of printable characters, on one line")
    act = partial(rows.label, name=request.match_info["name"], number=_number(request), text=text)
    return web.json_response(await service.write(act))


async def _save(request: web.Request, document: dict[str, object], session: str | None) -> web.StreamResponse:
    """Save a document: on purpose, or by itself in the session of an editor."""
    service, name, client = request.app[SERVICE], request.match_info["name"], _client(request)
    moment = Moment(time(), session)
    act = partial(service.library.save, name=name, document=document, seen=_seen(request), moment=moment)
    tag = await service.write(act)
    _announce(service, {"event": "workflow_saved", "name": name, "etag": tag, "client": client})
    return web.json_response({"name": name, "etag": tag}, headers={"ETag": f'"{tag}"'})


def _announce(service: Service, event: dict[str, str]) -> None:
    """Tell those who watch that a workflow changed, so that whoever else edits it sees that."""
    text = json.dumps({"time": round(time(), 3), **event}, separators=(",", ":"))
    kind = "move" if event["event"] == "workflow_moved" else "workflow"  # what it is now takes no move's place
    service.hub.announce((event["name"], kind), text)


def _client(request: web.Request) -> str:
    """Return what a client calls itself, empty where it does not say.

    Raises:
        Trouble: that is too long, or not for printing.
    """
    name = request.headers.get("X-Graphgen-Client", "")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        raise Trouble(400, "bad-header", f"X-Graphgen-Client has up to {_LONGEST_NAME} printable characters")
    return name


def _seen(request: web.Request) -> str | None:
    """Return the version that a client has seen."""
    tags = [item.value for item in request.if_match or ()]
    if len(tags) > 1:
        raise Trouble(400, "bad-header", "If-Match names one version")
    return tags[0] if tags else None


def _number(request: web.Request) -> int:
    text = request.match_info["version"]
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise missing("version")
    return int(text)


_MATCH = {
    "If-Match": "the ETag of the version seen; left out for a new workflow",
    "X-Graphgen-Client": "what the client calls itself, to know its own changes again among the events",
}
ROUTES = [
    Route("GET", "/api/workflows", listed, {200: WorkflowsList}, query={"name": "only the workflow of this name"}),
    Route("GET", "/api/deleted-workflows", deleted, {200: DeletedList}),
    Route(
        "GET",
        "/api/workflows/{name}",
        show,
        {200: dict[str, object], 304: None},
        headers={"If-None-Match": "an ETag"},
    ),
    Route(
        "PUT",
        "/api/workflows/{name}",
        save,
        {200: Saved},
        body=dict[str, object],
        query={"automatic": "true where nobody asked for it: such versions become fewer with time"},
        headers=_MATCH,
    ),
    Route("DELETE", "/api/workflows/{name}", delete, {204: None}, headers=_MATCH),
    Route("POST", "/api/workflows/{name}/move", move, {200: Saved}, body=Renaming, headers=_MATCH),
    Route("GET", "/api/workflows/{name}/thumbnail", thumbnail, {200: "image/png"}),
    Route("GET", "/api/workflows/{name}/versions", versions, {200: VersionsList}),
    Route("GET", "/api/workflows/{name}/versions/{version}", version, {200: dict[str, object]}),
    Route("PATCH", "/api/workflows/{name}/versions/{version}", label, {200: VersionView}, body=Labelling),
    Route("POST", "/api/workflows/{name}/versions/{version}/restore", restore, {200: Saved}, headers=_MATCH),
]
