"""Files that clients bring, by their content: they become inputs, which nodes read by the name that is given back."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from aiohttp import web

from graphgen.engine import Engine
from graphgen.hookspecs import FileFormat
from graphgen.server.asking import pieces
from graphgen.server.contents import media_type_of
from graphgen.server.problems import Trouble
from graphgen.server.records import FileRow, add_files
from graphgen.server.route import SERVICE, Route, Service
from graphgen.server.routes.outputs import find, read_carried, send, send_small
from graphgen.server.shapes import Carried, UploadView

FOLDER = "uploads"
"""Where uploads lie in the inputs root."""
_is_suffix = re.compile(r"\.[A-Za-z0-9]{1,12}").fullmatch


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


def suffix_of(name: str) -> str | None:
    """Return how a file's name ends, empty where it has no suffix; None where that is nothing to keep a file under."""
    suffix = Path(name).suffix.lower()
    return suffix if not suffix or _is_suffix(suffix) else None


async def store_upload(service: Service, data: AsyncIterator[bytes], suffix: str) -> FileRow:
    """Keep a file that comes piece by piece, under the digest of its content, and index it."""
    folder = service.engine.config.roots.inputs / FOLDER
    await service.aside(folder.mkdir, parents=True, exist_ok=True)
    part, hasher = folder / f".{token_hex(8)}.part", blake2b(digest_size=20)
    try:
        with part.open("wb") as file:
            async for piece in data:
                hasher.update(piece)
                await service.aside(file.write, piece)
            await service.aside(_settle, file)
        row = await service.aside(_place, part, hasher.hexdigest(), suffix, service.engine)
    finally:
        part.unlink(missing_ok=True)
    await service.write(partial(add_files, files=[row]))
    return row


def _settle(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _place(part: Path, digest: str, suffix: str, engine: Engine) -> FileRow:
    """Give a file that has come whole the name of its content; the same content again changes nothing."""
    path = part.with_name(f"{digest}{suffix}")
    if not path.is_file() or path.stat().st_size != part.stat().st_size:
        part.replace(path)
    found, formats = path.stat(), engine.registry.formats
    name = f"{FOLDER}/{path.name}"
    return FileRow(digest, "inputs", name, media_type_of(name, formats), found.st_size, found.st_mtime_ns)


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
    format_ = formats.get(Path(row.name).suffix)
    return {
        "name": row.name,
        "digest": row.digest,
        "media_type": row.media_type,
        "size": row.size,
        "url": url,
        "thumbnail": f"{url}/thumbnail" if format_ and format_.thumbnail else None,
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
