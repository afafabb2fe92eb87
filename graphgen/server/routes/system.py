"""How the server is: alive, and with what."""

from __future__ import annotations

from aiohttp import web

from graphgen.server.route import Route
from graphgen.server.shapes import Health


async def health(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Say that the server is there; needs no token, and tells nothing else."""
    return web.json_response({"status": "ok"})


ROUTES = [Route("GET", "/health", health, {200: Health})]
