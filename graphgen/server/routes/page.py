"""What a browser gets first: the page at the root, for which a link with the token leaves a cookie."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from aiohttp import web

from graphgen.server.problems import Trouble
from graphgen.server.route import Route
from graphgen.server.security import GUARD, PAGE, PAGE_HEADERS

_YEAR = 365 * 24 * 3600


async def page(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Show the page; a `token` in the link becomes a cookie, and leaves the address bar."""
    return web.Response(
        body=asset("index.html"),
        content_type="text/html",
        charset="utf-8",
        headers=PAGE_HEADERS,
    )


async def style(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Return the style of the pages."""
    return web.Response(body=asset("style.css"), content_type="text/css", headers={"Cache-Control": "no-cache"})


def enter(request: web.Request) -> web.Response:
    """Turn the token of a link into a cookie; it leads to the page and nowhere else.

    Raises:
        Trouble: it is another token.
    """
    guard = request.app[GUARD]
    if not guard.is_token(request.query.get("token", "")):
        raise Trouble(401, "no-token", "this link has another token; `graphgen serve` prints the right one")
    answer = web.Response(status=303, headers={"Location": PAGE, "Cache-Control": "no-store"})
    answer.set_cookie(
        guard.cookie_name(request), guard.cookie, max_age=_YEAR, httponly=True, samesite="Strict", path="/"
    )
    return answer


@cache
def asset(name: str) -> bytes:
    """Return a file that comes with the server."""
    return files("graphgen.server").joinpath("assets", name).read_bytes()


ROUTES = [
    Route("GET", "/", page, {200: "text/html"}),
    Route("GET", "/style.css", style, {200: "text/css"}),
]
