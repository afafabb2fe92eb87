"""Pinned nodes: what a node gave, kept for good, so that a workflow can name it in place of running the node."""

from __future__ import annotations

import json
from functools import partial

from aiohttp import web

from graphgen.server import records
from graphgen.server.asking import read_body, workflow_named
from graphgen.server.pinning import Given, pin_node
from graphgen.server.requests import PinAsked
from graphgen.server.route import SERVICE, Route, Service
from graphgen.server.routes.values import given_in
from graphgen.server.shapes import Pinned


async def pin(request: web.Request) -> web.StreamResponse:
    """Keep what a node gave, in a run or as the cache has it, and say what to write into the node to pin it to that."""
    service = request.app[SERVICE]
    asked = await read_body(request, PinAsked)
    document = await workflow_named(service, asked.workflow)
    given = None if asked.run is None else await _run(service, asked.run)
    return web.json_response(await service.checked(pin_node, service.checker, document, asked, given))


async def _run(service: Service, run_id: str) -> Given:
    run = await service.read(partial(records.find, run=run_id))
    workflow = await service.read(partial(records.workflow_of, run=run_id))
    return Given(json.loads(workflow), run.call["parameters"], await given_in(service, run_id))


ROUTES = [Route("POST", "/api/pins", pin, {200: Pinned}, body=PinAsked)]
