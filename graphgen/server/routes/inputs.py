"""What lies in the inputs root, and what comes along: to choose a file for a setting from, by its looks.

A file is named as a setting is given it. Its `version` tells one content of that name from a later one, so that what
was fetched with the present version can be kept forever.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from graphgen.engine import Engine
from graphgen.errors import PathError
from graphgen.hookspecs import FileFormat
from graphgen.jsontypes import digest
from graphgen.server.asking import has_already, number_in
from graphgen.server.contents import is_seen_small, media_type_of
from graphgen.server.problems import Trouble, missing
from graphgen.server.records import FileRow
from graphgen.server.route import SERVICE, Route
from graphgen.server.routes.outputs import FOREVER, send, shrink
from graphgen.server.shapes import InputsPage, InputView

_MOST = 50_000
"""Files that are looked at."""
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class _Found:
    """A file, as it lies there now."""

    name: str
    path: Path
    shipped: bool
    stat: os.stat_result

    @property
    def version(self) -> str:
        """Return what tells this content of the name from others, as far as the file system does."""
        return digest(f"{self.stat.st_size} {self.stat.st_mtime_ns} {self.stat.st_ino}".encode())[:16]


async def listed(request: web.Request) -> web.StreamResponse:
    """List the files of the inputs root, uploads among them, and those that come along; the folders too."""
    service = request.app[SERVICE]
    limit = number_in(request, "limit", 100, least=1, most=1000)
    offset = number_in(request, "offset", 0, least=0, most=_MOST)
    order = request.query.get("order", "name")
    if order not in ("name", "changed"):
        raise Trouble(400, "bad-query", f"order must be name or changed (got '{order[:40]}')")
    kinds = tuple(kind for kind in request.query.get("kinds", "").lower().split(",") if kind)
    words = request.query.get("find", "").casefold()
    found = await service.aside(_page, service.engine, kinds, words, order, slice(offset, offset + limit))
    return web.json_response(found)


async def whole(request: web.Request) -> web.StreamResponse:
    """Send a file of the inputs root, as an attachment."""
    service = request.app[SERVICE]
    found = await service.aside(_find, service.engine, request.query.get("name", ""))
    media_type = media_type_of(found.name, service.engine.registry.formats)
    row = FileRow("", "inputs", found.name, media_type, found.stat.st_size, found.stat.st_mtime_ns)
    answer = send(row, found.path)
    answer.headers["Cache-Control"] = _keeping(request, found)
    return answer


async def thumbnail(request: web.Request) -> web.StreamResponse:
    """Send a file of the inputs root made small, as a picture."""
    service = request.app[SERVICE]
    longest = number_in(request, "size", 256, least=16, most=1024)
    found = await service.aside(_find, service.engine, request.query.get("name", ""))
    tag = f"{found.version}-{longest}"
    headers = {"ETag": f'"{tag}"', "Cache-Control": _keeping(request, found)}
    if has_already(request, tag):
        return web.Response(status=304, headers=headers)
    format_ = service.engine.registry.formats.get(found.path.suffix.lower())
    media_type, data = await service.aside(shrink, format_, found.path, longest)
    return web.Response(body=data, content_type=media_type, headers=headers)


def _keeping(request: web.Request, found: _Found) -> str:
    """Let what is asked for by its present version be kept, and have all else asked for again."""
    return FOREVER if request.query.get("version") == found.version else "private, no-cache"


def _find(engine: Engine, name: str) -> _Found:
    """Return a file by the name that a setting would be given.

    Raises:
        Trouble: there is none of that name, or it lies elsewhere.
    """
    try:
        path = engine.path_of("inputs", name)
        if not path.is_file():
            raise missing("file")
        return _Found(name, path, False, path.stat())
    except (PathError, OSError):
        raise missing("file") from None


def _page(engine: Engine, kinds: tuple[str, ...], words: str, order: str, part: slice) -> InputsPage:
    everything = _everything(engine)
    found = [item for item in everything if item.name.lower().endswith(kinds or "") and words in item.name.casefold()]
    if order == "changed":
        found.sort(key=lambda item: item.stat.st_mtime_ns, reverse=True)
    folders = {parent.as_posix() for item in everything for parent in Path(item.name).parents if parent.name}
    formats = engine.registry.formats
    return {
        "files": [_view(item, formats) for item in found[part]],
        "folders": sorted(folders),
        "total": len(found),
        "next": part.stop if part.stop < len(found) else None,
    }


def _everything(engine: Engine) -> list[_Found]:
    """Return all files by their names; the user's own hide those of the same name that come along."""
    bases = [(engine.config.roots.inputs, "", False)]
    bases += [(item.path, item.name, True) for item in engine.registry.shipped if item.root == "inputs"]
    found: dict[str, _Found] = {}
    for base, prefix, shipped in bases:
        for path, stat in _inside(base, base.resolve()):
            name = "/".join(filter(None, (prefix, path.relative_to(base).as_posix() if path != base else "")))
            if len(found) < _MOST:
                found.setdefault(name, _Found(name, path, shipped, stat))
    return [found[name] for name in sorted(found)]


def _inside(path: Path, root: Path, depth: int = 0) -> Iterator[tuple[Path, os.stat_result]]:
    """Yield the files at or below a path; hidden ones and links that lead out of the root are left alone."""
    try:
        if not path.resolve().is_relative_to(root):
            return
        if path.is_file():
            yield path, path.stat()
            return
        entries = sorted(path.iterdir()) if depth <= _DEEPEST else []
    except OSError:
        return  # not there, or not for us to read
    for entry in entries:
        if not entry.name.startswith("."):
            yield from _inside(entry, root, depth + 1)


def _view(item: _Found, formats: Mapping[str, FileFormat]) -> InputView:
    query = f"name={quote(item.name, safe='')}&version={item.version}"
    return {
        "name": item.name,
        "size": item.stat.st_size,
        "changed": item.stat.st_mtime,
        "media_type": media_type_of(item.name, formats),
        "shipped": item.shipped,
        "version": item.version,
        "url": f"/api/inputs/file?{query}",
        "thumbnail": f"/api/inputs/thumbnail?{query}" if is_seen_small(item.path.name, formats) else None,
    }


_NAMED = {"name": "as a setting is given it", "version": "that of the listing, so that the answer may be kept"}
ROUTES = [
    Route(
        "GET",
        "/api/inputs",
        listed,
        {200: InputsPage},
        query={
            "kinds": "only names that end so, as '.png,.jpg'",
            "find": "only names that have this in them",
            "order": "name, or changed for the latest first",
            "limit": "1 to 1000 (100)",
            "offset": "the `next` of the page before",
        },
    ),
    Route("GET", "/api/inputs/file", whole, {200: "application/octet-stream", 304: None}, query=_NAMED),
    Route(
        "GET",
        "/api/inputs/thumbnail",
        thumbnail,
        {200: "image/webp", 304: None},
        query={**_NAMED, "size": "pixels of the longer side, 16 to 1024"},
    ),
]
