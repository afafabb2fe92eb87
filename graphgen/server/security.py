"""Who is let in, as Jupyter does it: a token on this machine too, and nothing for other sites' pages.

A request must be addressed to a name that is ours (or a site could rebind its own name to this machine), must not come
from another site's page (`Origin`, `Sec-Fetch-Site`), and must carry the token: `Authorization: Bearer ...` from
programs, or the cookie that the printed link sets in a browser. HTTP and WebSocket requests are judged alike. The
cookie holds a digest of the token, is sent along by our own pages only, and no script can read it. A signed link needs
none of this but our name: it reads one file, wherever it is shown, and nothing else (links.py).
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import blake2b
from time import time
from urllib.parse import urlsplit

from aiohttp import web

from graphgen.server.links import key_of, opens
from graphgen.server.problems import Trouble
from graphgen.server.settings import Settings

SAFE = frozenset(("GET", "HEAD", "OPTIONS"))
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
}
"""On every answer."""

PAGE_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""On pages of ours in place of the above."""

TOKEN_PAGE_HEADERS = {
    "Content-Security-Policy": PAGE_HEADERS["Content-Security-Policy"].replace(
        "form-action 'none'", "form-action 'self'"
    ),
    "Cache-Control": "no-store",
    "WWW-Authenticate": 'Bearer realm="graphgen"',
}
"""On the page that asks for the token, whose form leads to the page."""

EDITOR_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
"""On the editor: its own scripts and styles, its own server, and pictures that are made or dropped in the page."""

OPEN = frozenset(("/health", "/style.css"))
"""Paths that need no token: what the page that asks for it is made of, and whether the server is there."""
NO_TOKEN = "no-token"  # noqa: S105 - a problem's name
"""What the problem is called where the token is missing or wrong."""
PAGE = "/"
"""The one path at which a link with a token is taken, and other sites may link to."""


@dataclass(frozen=True)
class Guard:
    """Judges requests by a server's settings."""

    settings: Settings

    def check(self, request: web.Request, *, token: bool = True) -> None:
        """Let a request in, or say why not; without `token`, who sends it is not asked.

        Raises:
            Trouble: it is not let in.
        """
        self._check_host(request)
        if request.method == "GET" and opens(request.raw_path, key_of(self.settings.token), time()):
            return
        self._check_site(request)
        if token and request.path not in OPEN:
            self._check_token(request)

    def cookie_name(self, request: web.Request) -> str:
        """Name the cookie; servers on other ports of this machine share a browser's cookies, so the port is in it."""
        return f"graphgen-{urlsplit(f'//{request.host}').port or 80}"

    @property
    def cookie(self) -> str:
        """What the cookie holds: not the token itself, so that it lies in no browser's files."""
        return blake2b(b"cookie", key=(self.settings.token or "").encode()[:64], digest_size=32).hexdigest()

    def is_token(self, text: str) -> bool:
        """Tell whether a text is the token, in a time that tells nothing."""
        return self.settings.token is not None and _same(text, self.settings.token)

    def _check_host(self, request: web.Request) -> None:
        try:
            name = urlsplit(f"//{request.host}").hostname
        except ValueError:
            name = None
        if name is None or name.rstrip(".") not in self.settings.names:
            detail = "this server does not go by that name; start it with --allow-host NAME if it should"
            raise Trouble(403, "wrong-host", detail)

    def _check_site(self, request: web.Request) -> None:
        origin, site = request.headers.getall("Origin", []), request.headers.get("Sec-Fetch-Site")
        own = {f"{request.scheme}://{request.host}", *self.settings.origins}
        if any(given not in own for given in origin):
            raise _foreign()
        if site not in (None, "same-origin", "none") and not (origin or _is_visit(request)):
            raise _foreign()

    def _check_token(self, request: web.Request) -> None:
        if self.settings.token is None:
            return
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(text.strip()):
            return
        if _same(request.cookies.get(self.cookie_name(request), ""), self.cookie):
            self._check_cookie_use(request)
            return
        what = "that is not this server's token" if text else "a token is needed"
        detail = f"{what}: open the link that `graphgen serve` prints, or send 'Authorization: Bearer TOKEN'"
        raise Trouble(401, NO_TOKEN, detail, headers={"WWW-Authenticate": 'Bearer realm="graphgen"'})

    def _check_cookie_use(self, request: web.Request) -> None:
        """A browser tells where such a request comes from; one that does not is none of our page's."""
        changes = request.method not in SAFE or request.headers.get("Upgrade", "").lower() == "websocket"
        if changes and "Origin" not in request.headers and "Sec-Fetch-Site" not in request.headers:
            raise _foreign()


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Put the headers that protect a browser on an answer, before it goes out."""
    response.headers["Server"] = "graphgen"
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    origin = request.headers.get("Origin")
    if origin in request.app[GUARD].settings.origins:
        response.headers.update(_shared_with(str(origin)))
    if request.path.startswith("/api") and "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = "no-store"


def address_of(request: web.Request) -> str:
    """Return the address under which a client knows this server: that of a proxy, where it is configured."""
    known = request.app[GUARD].settings.origins
    return next((origin for origin in known if urlsplit(origin).netloc == request.host), str(request.url.origin()))


def answer_preflight(request: web.Request) -> web.Response:
    """Tell a configured site's page what it may send; the guard has refused all others."""
    asked = {
        "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, "
        "X-Graphgen-Client",
        "Access-Control-Max-Age": "600",
    }
    return web.Response(status=204, headers=asked if request.headers.get("Origin") else {})


def _shared_with(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Expose-Headers": "ETag, Location",
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Vary": "Origin",
    }


def _is_visit(request: web.Request) -> bool:
    """Tell whether somebody follows a link to the page, which may stand anywhere."""
    return request.method in SAFE and request.path == PAGE and request.headers.get("Sec-Fetch-Mode") == "navigate"


def _foreign() -> Trouble:
    detail = "other sites' pages may not use this server; start it with --allow-origin SITE if one should"
    return Trouble(403, "foreign-site", detail)


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(errors="replace"), wanted.encode())


def hosts_of(names: Collection[str]) -> frozenset[str]:
    """Return names as requests are compared with them."""
    return frozenset(name.lower().rstrip(".") for name in names)


GUARD = web.AppKey("guard", Guard)
