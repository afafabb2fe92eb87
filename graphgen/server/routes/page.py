"""What a browser gets: the editor at the root, for which a link with the token leaves a cookie, and its parts.

The editor is built from web/ into graphgen/server/static. Where it is not there, the page says how to build it.
"""

from __future__ import annotations

import gzip
import mimetypes
from functools import cache, lru_cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from aiohttp import web

from graphgen.server.problems import Trouble, missing
from graphgen.server.route import Route
from graphgen.server.security import EDITOR_HEADERS, GUARD, NO_TOKEN, PAGE, PAGE_HEADERS, TOKEN_PAGE_HEADERS

_YEAR = 365 * 24 * 3600
_FOREVER = f"public, max-age={_YEAR}, immutable"
"""For the editor's parts, whose names hold a digest of what is in them."""


async def page(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Show the editor; a `token` in the link becomes a cookie, and leaves the address bar."""
    editor = editor_folder().joinpath("index.html")
    if editor.is_file():
        body, headers = editor.read_bytes(), EDITOR_HEADERS
    else:
        body, headers = asset("index.html"), PAGE_HEADERS
    return web.Response(body=body, content_type="text/html", charset="utf-8", headers=headers)


async def part(request: web.Request) -> web.StreamResponse:
    """Return a part of the editor: a script, a style."""
    folder, name = editor_folder().joinpath("assets"), request.match_info["name"]
    answer = _part(folder, name, _FOREVER)
    answer.headers["Vary"] = "Accept-Encoding"
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        answer.body = _packed(str(folder), name)
        answer.headers["Content-Encoding"] = "gzip"
    return answer


@lru_cache(maxsize=64)
def _packed(folder: str, name: str) -> bytes:
    """Compress a part, once: as its name holds a digest, what is in it never changes."""
    return gzip.compress(Path(folder, name).read_bytes(), mtime=0)


async def icon(request: web.Request) -> web.StreamResponse:  # noqa: ARG001 - a handler's signature
    """Return the editor's icon."""
    return _part(editor_folder(), "icon.svg", "no-cache")


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
        raise Trouble(401, NO_TOKEN, "that is not the token of this server; `graphgen serve` prints the right one")
    answer = web.Response(status=303, headers={"Location": PAGE, "Cache-Control": "no-store"})
    answer.set_cookie(
        guard.cookie_name(request), guard.cookie, max_age=_YEAR, httponly=True, samesite="Strict", path="/"
    )
    return answer


def ask(request: web.Request) -> web.Response:
    """Ask whoever opens a page in a browser for the token; what the form sends is a link with a token."""
    reason = "That is not the token of this server." if "token" in request.query else "This server asks for its token."
    text = Template(asset("token.html").decode()).substitute(reason=reason)
    return web.Response(status=401, text=text, content_type="text/html", headers=TOKEN_PAGE_HEADERS)


def editor_folder() -> Traversable:
    """Return where the built editor lies."""
    return files("graphgen.server").joinpath("static")


@cache
def asset(name: str) -> bytes:
    """Return a file that comes with the server."""
    return files("graphgen.server").joinpath("assets", name).read_bytes()


def _part(folder: Traversable, name: str, caching: str) -> web.Response:
    """Return a file of the editor; only what lies in the folder under that very name."""
    known = {one.name for one in folder.iterdir()} if folder.is_dir() else frozenset()
    if name not in known:
        raise missing("page")
    media, _ = mimetypes.guess_type(name)
    return web.Response(
        body=folder.joinpath(name).read_bytes(),
        content_type=media or "application/octet-stream",
        headers={**EDITOR_HEADERS, "Cache-Control": caching},
    )


ROUTES = [
    Route("GET", "/", page, {200: "text/html"}),
    Route("GET", "/assets/{name}", part, {200: "application/octet-stream"}),
    Route("GET", "/icon.svg", icon, {200: "image/svg+xml"}),
    Route("GET", "/style.css", style, {200: "text/css"}),
]
