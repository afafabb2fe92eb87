"""Files that runs wrote, by the digest of their content: whole, in ranges, or small."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import quote

from aiohttp import web

from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.hookspecs import FileFormat
from graphgen.jsontypes import JSON
from graphgen.provenance import PARAMETERS_KEY
from graphgen.server.asking import has_already, number_in
from graphgen.server.contents import find_path, is_digest
from graphgen.server.problems import Trouble, missing
from graphgen.server.records import FileRow, find_files
from graphgen.server.route import SERVICE, Route
from graphgen.server.shapes import Carried

FOREVER = "private, max-age=31536000, immutable"
"""What a digest names never changes."""


async def whole(request: web.Request) -> web.StreamResponse:
    """Send a file that a run wrote; understands Range and If-None-Match."""
    row, path = await find(request, "outputs")
    return send(row, path)


async def thumbnail(request: web.Request) -> web.StreamResponse:
    """Send a file made small, as a picture."""
    return await send_small(request, "outputs")


async def find(request: web.Request, root: str) -> tuple[FileRow, Path]:
    """Find the file that a request asks for by its digest.

    Raises:
        Trouble: there is none.
    """
    service, digest = request.app[SERVICE], request.match_info["digest"]
    if not is_digest(digest):
        raise missing("file")
    rows = await service.read(partial(find_files, digest=digest, root=root))
    return await service.aside(find_path, service.engine.config.roots, rows)


def send(row: FileRow, path: Path) -> web.StreamResponse:
    """Send a file so that no browser takes it for a page of ours."""
    answer = attached(web.FileResponse(path), row.name.rpartition("/")[2], row.media_type)
    answer.headers["Cache-Control"] = FOREVER
    return answer


def attached(answer: web.StreamResponse, name: str, media_type: str) -> web.StreamResponse:
    """Have an answer taken for a file to keep, whatever is in it."""
    answer.headers["Content-Type"] = media_type
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return answer


async def send_small(request: web.Request, root: str) -> web.StreamResponse:
    """Send a file made small by its format's hook.

    Raises:
        Trouble: there is no such file, or none that can be made small.
    """
    service = request.app[SERVICE]
    longest = number_in(request, "size", 256, least=16, most=1024)
    row, path = await find(request, root)
    format_ = service.engine.registry.formats.get(path.suffix.lower())
    headers = {"ETag": f'"{row.digest}-{longest}"', "Cache-Control": FOREVER}
    if has_already(request, f"{row.digest}-{longest}"):
        return web.Response(status=304, headers=headers)
    media_type, data = await service.aside(shrink, format_, path, longest)
    return web.Response(body=data, content_type=media_type, headers=headers)


async def carried(request: web.Request) -> web.StreamResponse:
    """Return the workflow that made a file, and the values that its parameters had."""
    return await read_carried(request, "outputs")


async def read_carried(request: web.Request, root: str) -> web.StreamResponse:
    """Return the workflow that a file carries.

    Raises:
        Trouble: there is no such file.
        WorkflowError: it carries none.
    """
    service = request.app[SERVICE]
    _, path = await find(request, root)
    return web.json_response(await service.aside(_carried, service.engine, path))


def _carried(engine: Engine, path: Path) -> dict[str, JSON]:
    try:
        workflow = engine.read(path)
    except WorkflowError as error:  # where the file lies is nobody's business
        raise WorkflowError(
            [replace(item, place=item.place.replace(str(path), "")) for item in error.problems]
        ) from error
    values: JSON = {}
    with suppress(ValueError, RecursionError):  # anybody may have written it, and nothing depends on it
        values = json.loads(engine.texts_in(path).get(PARAMETERS_KEY, "{}"))
    return {"workflow": workflow.to_json(), "parameters": values if isinstance(values, dict) else {}}


def shrink(format_: FileFormat | None, path: Path, longest: int) -> tuple[str, bytes]:
    """Return a file made small, as a media type and bytes.

    Raises:
        Trouble: nothing makes this kind of file small, or this one cannot be.
    """
    if format_ is None or format_.thumbnail is None:
        raise missing("thumbnail: nothing here makes this kind of file small")
    try:
        return format_.thumbnail(path.read_bytes(), longest)
    except (ValueError, OSError) as error:
        raise Trouble(422, "no-thumbnail", f"the file cannot be made small: {error}") from error


ROUTES = [
    Route("GET", "/api/outputs/{digest}/workflow", carried, {200: Carried}),
    Route(
        "GET",
        "/api/outputs/{digest}",
        whole,
        {200: "application/octet-stream", 206: "application/octet-stream", 304: None},
        headers={"Range": "bytes=first-last"},
    ),
    Route(
        "GET",
        "/api/outputs/{digest}/thumbnail",
        thumbnail,
        {200: "image/webp", 304: None},
        query={"size": "pixels of the longer side, 16 to 1024"},
    ),
]
