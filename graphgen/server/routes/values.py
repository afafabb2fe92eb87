"""What nodes gave, by the digests that events name: in a few words, and as pictures where a plugin can draw them.

Values come from the cache, those that nodes are pinned to from the pins folder; one that neither holds any more is 404.
"""

from __future__ import annotations

import json
from functools import partial

from aiohttp import web

from graphgen.cache import StoredValue
from graphgen.engine import Engine
from graphgen.errors import PathError, WorkflowError
from graphgen.narration import summary_of
from graphgen.pictures import count_pictures, draw_picture, type_of
from graphgen.pins import held
from graphgen.server import records
from graphgen.server.asking import has_already, number_in
from graphgen.server.checking import Checker
from graphgen.server.contents import is_digest
from graphgen.server.planning import kept_values
from graphgen.server.problems import Trouble, missing
from graphgen.server.records import Run
from graphgen.server.route import SERVICE, Route, Service
from graphgen.server.routes.outputs import FOREVER
from graphgen.server.shapes import ValuesOfRun, ValueView

_MOST_PICTURES = 2**31


async def show(request: web.Request) -> web.StreamResponse:
    """Say of a value in the cache or among the pins what it is, and how many pictures it has."""
    service, digest = request.app[SERVICE], _digest(request)
    view = await service.aside(_view, service.engine, digest)
    return web.json_response(view, headers={"Cache-Control": FOREVER})


async def picture(request: web.Request) -> web.StreamResponse:
    """Draw a picture of a value in the cache or among the pins; of a batch the one of an `index`."""
    service, digest = request.app[SERVICE], _digest(request)
    longest = number_in(request, "size", 512, least=16, most=2048)
    index = number_in(request, "index", 0, least=0, most=_MOST_PICTURES)
    tag = f"{digest}-{longest}-{index}"
    headers = {"ETag": f'"{tag}"', "Cache-Control": FOREVER}
    if has_already(request, tag):
        return web.Response(status=304, headers=headers)
    media_type, data = await service.checked(_draw, service.engine, digest, index, longest)
    return web.Response(body=data, content_type=media_type, headers=headers)


async def of_run(request: web.Request) -> web.StreamResponse:
    """Name the values of a run by node and output: those it told of, and what is kept of nodes it could leave alone."""
    return web.json_response({"values": await given_in(request.app[SERVICE], request.match_info["run"])})


async def given_in(service: Service, run_id: str) -> dict[str, dict[str, str]]:
    """Return the digests of what the nodes of a run gave, by node and output.

    Raises:
        Trouble: there is no such run.
    """
    run = await service.read(partial(records.find, run=run_id))
    workflow = await service.read(partial(records.workflow_of, run=run_id))
    bodies = await service.read(partial(records.bodies_of, run=run_id))
    return await service.checked(_values_of, service.checker, run, workflow, bodies)


def _digest(request: web.Request) -> str:
    digest = request.match_info["digest"]
    if not is_digest(digest):
        raise missing("value")
    return digest


def _value(engine: Engine, digest: str) -> StoredValue:
    value = engine.cache.value(digest) or held(digest, engine.config.roots.data, engine.registry.codec)
    if value is None:
        raise missing("value; the cache may have let it go")
    return value


def _view(engine: Engine, digest: str) -> ValueView:
    value = _value(engine, digest)
    try:
        pictures = count_pictures(value, engine.registry)
    except ValueError:
        pictures = 0
    summary = summary_of(value)
    return {"digest": digest, "type": type_of(value), "summary": summary, "size": value.size, "pictures": pictures}


def _draw(engine: Engine, digest: str, index: int, longest: int) -> tuple[str, bytes]:
    try:
        drawn = draw_picture(_value(engine, digest), engine.registry, index, longest)
    except ValueError as error:
        raise Trouble(422, "no-picture", f"the value cannot be shown: {error}") from error
    if drawn is None:
        raise missing("picture of this value")
    return drawn


def _values_of(checker: Checker, run: Run, workflow: str, bodies: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    asked = run.call
    if not asked["sweep"]:
        try:
            graph = checker.check(json.loads(workflow), asked["parameters"])
            found = kept_values(checker.engine, checker.engine.plan(graph, asked["targets"]))
        except (WorkflowError, PathError):
            pass  # a file or plugin that it needs is gone since; what the run told is all there is
    for event in map(json.loads, bodies):
        if digests := event.get("digests"):
            found[event["node"]] = digests
    return found


ROUTES = [
    Route("GET", "/api/values/{digest}", show, {200: ValueView}),
    Route(
        "GET",
        "/api/values/{digest}/picture",
        picture,
        {200: "image/webp", 304: None},
        query={"size": "pixels of the longer side, 16 to 2048 (512)", "index": "which picture of a batch, from 0"},
        headers={"If-None-Match": "an ETag"},
    ),
    Route("GET", "/api/runs/{run}/values", of_run, {200: ValuesOfRun}),
]
