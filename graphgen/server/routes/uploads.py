"""Files that clients bring, by their content: they become inputs, which nodes read by the name that is given back."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from graphgen.hookspecs import FileFormat
from graphgen.server.asking import pieces
from graphgen.server.contents import is_seen_small
from graphgen.server.problems import Trouble
from graphgen.server.records import FileRow
from graphgen.server.route import SERVICE, Route
from graphgen.server.routes.outputs import find, read_carried, send, send_small
from graphgen.server.shapes import Carried, UploadView
from graphgen.server.uploading import store_upload, suffix_of


async def take_in(request: web.Request) -> web.StreamResponse:
    """Take in a file: the body is the file, and nothing else. Only the suffix of its `name` is kept."""
    service = request.app[SERVICE]
    limits = service.settings.limits
    suffix = suffix_of(request.query.get("name", ""))
    if suffix is None:
        raise Trouble(
            400, "bad-query", "the name must end in a dot and up to 12 letters or digits, as 'photo.png' does"
        )
    row = await store_upload(service, pieces(request, limits.upload_bytes, limits), suffix)
    return web.json_response(_view(row, service.engine.registry.formats), status=201)


async def whole(request: web.Request) -> web.StreamResponse:
    """Send an upload back, as an attachment."""
    return send(*await find(request, "inputs"))


async def thumbnail(request: web.Request) -> web.StreamResponse:
    """Send an upload made small, as a picture."""
    return await send_small(request, "inputs")


async def carried(request: web.Request) -> web.StreamResponse:
    """Return the workflow that an upload carries: a picture that graphgen made, or a workflow's file."""
    return await read_carried(request, "inputs")


def _view(row: FileRow, formats: Mapping[str, FileFormat]) -> UploadView:
    url = f"/api/uploads/{row.digest}"
    return {
        "name": row.name,
        "digest": row.digest,
        "media_type": row.media_type,
        "size": row.size,
        "url": url,
        "thumbnail": f"{url}/thumbnail" if is_seen_small(row.name, formats) else None,
    }


ROUTES = [
    Route(
        "POST",
        "/api/uploads",
        take_in,
        {201: UploadView},
        body="application/octet-stream",
        query={"name": "the file's name, for its suffix"},
    ),
    Route("GET", "/api/uploads/{digest}", whole, {200: "application/octet-stream", 304: None}),
    Route(
        "GET",
        "/api/uploads/{digest}/thumbnail",
        thumbnail,
        {200: "image/webp", 304: None},
        query={"size": "pixels of the longer side, 16 to 1024"},
    ),
    Route("GET", "/api/uploads/{digest}/workflow", carried, {200: Carried}),
]
