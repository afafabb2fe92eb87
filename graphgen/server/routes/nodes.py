"""What there is to build with, whether a workflow is well built, and what a run of it would do."""

from __future__ import annotations

from aiohttp import web

from graphgen.errors import Problem, WorkflowError
from graphgen.graph import Graph
from graphgen.jsontypes import JSON
from graphgen.parameters import describe_parameters
from graphgen.server.asking import has_already, read_body, workflow_named
from graphgen.server.catalogues import choose_language
from graphgen.server.checking import Checker
from graphgen.server.planning import planned
from graphgen.server.requests import Checking, Planning
from graphgen.server.route import SERVICE, Route
from graphgen.server.shapes import Checked, Planned
from graphgen.wirefacts import checked_json, facts_json


async def catalogue(request: web.Request) -> web.StreamResponse:
    """List all nodes, with the JSON Schema of each one's settings, and the rules of wires.

    Titles and descriptions are in the language asked for, as far as plugins have brought words for it, else in English.
    """
    catalogues = request.app[SERVICE].catalogues
    asked = request.query.get("language") or ",".join(request.headers.getall("Accept-Language", ()))
    language = choose_language(asked, catalogues.languages)
    body, tag = await request.app[SERVICE].aside(catalogues.find, language)
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": "no-cache",
        "Content-Language": language,
        "Vary": "Accept-Language",
    }
    if has_already(request, tag):
        return web.Response(status=304, headers=headers)
    answer = web.Response(body=body, content_type="application/json", headers=headers)
    answer.enable_compression()
    return answer


async def check(request: web.Request) -> web.StreamResponse:
    """Say all that is wrong with a workflow, and what is known of it, without running it."""
    service = request.app[SERVICE]
    asked = await read_body(request, Checking)
    document = await workflow_named(service, asked.workflow)
    return web.json_response(await service.checked(_check, service.checker, document, asked))


async def plan(request: web.Request) -> web.StreamResponse:
    """Say what a run would do to each node and why, and what it would take, without running anything."""
    service = request.app[SERVICE]
    asked = await read_body(request, Planning)
    document = await workflow_named(service, asked.workflow)
    return web.json_response(await service.checked(planned, service.checker, document, asked))


def _check(checker: Checker, document: dict[str, object], asked: Checking) -> dict[str, JSON]:
    engine = checker.engine
    graph: Graph | None = None
    problems: list[Problem] = []
    found: dict[str, JSON] = {}
    try:
        graph = checker.check(document, asked.parameters)
        problems = engine.find_missing_files(graph)
        found["parameters"] = [
            {
                "name": info.name,
                "description": info.description,
                "value": info.value,
                "type": info.type,
                "schema": info.schema,
            }
            for info in describe_parameters(graph.workflow, engine.registry)
        ]
    except WorkflowError as error:
        problems = list(error.problems)
    if asked.facts:
        found["facts"] = facts_json(graph, engine.registry.types) if graph else None
    return {**checked_json(graph, problems), **found}


ROUTES = [
    Route(
        "GET",
        "/api/nodes",
        catalogue,
        {200: dict[str, object], 304: None},
        query={"language": "the language of titles and descriptions, such as ko, before what Accept-Language says"},
        headers={"If-None-Match": "an ETag", "Accept-Language": "languages, the best first, as browsers send them"},
    ),
    Route("POST", "/api/check", check, {200: Checked}, body=Checking),
    Route("POST", "/api/plan", plan, {200: Planned}, body=Planning),
]
