"""The API's own description: an OpenAPI document for programs, a page for people."""

from __future__ import annotations

from aiohttp import web

from graphgen.server import openapi
from graphgen.server.route import Route
from graphgen.server.security import PAGE_HEADERS

DESCRIBED: web.AppKey[list[Route]] = web.AppKey("described", list)


async def document(request: web.Request) -> web.StreamResponse:
    """Return the OpenAPI 3.1 document of this API."""
    routes = request.app[DESCRIBED]
    return web.json_response(openapi.describe(routes))


async def page(request: web.Request) -> web.StreamResponse:
    """Show the API as a page."""
    routes = request.app[DESCRIBED]
    return web.Response(text=openapi.page(routes), content_type="text/html", headers=PAGE_HEADERS)


ROUTES = [
    Route("GET", "/api", page, {200: "text/html"}),
    Route("GET", "/api/openapi.json", document, {200: dict[str, object]}),
]
