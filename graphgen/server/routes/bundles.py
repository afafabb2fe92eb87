"""Workflows handed on with the pictures they read: sent as one file, and taken in."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from tempfile import TemporaryFile
from typing import IO, Any
from zipfile import BadZipFile

from aiohttp import web

from graphgen.server.asking import find_workflow, pieces, read_json_object
from graphgen.server.bundles import SUFFIX, Bundle, contents_of, write_bundle
from graphgen.server.problems import Trouble
from graphgen.server.route import SERVICE, Route, Service
from graphgen.server.routes.outputs import attached
from graphgen.server.shapes import BundleView
from graphgen.server.uploading import store_upload, suffix_of

_PIECE = 1 << 20


async def export(request: web.Request) -> web.StreamResponse:
    """Send a workflow with the pictures it reads as a zip; models are named in it, and not packed."""
    service, name = request.app[SERVICE], request.match_info["name"]
    data, _ = await find_workflow(service, name)
    document = await service.aside(read_json_object, data)
    inputs = service.engine.config.roots.inputs
    contents = await service.aside(contents_of, service.library.machine, document, inputs)
    most = service.settings.limits.upload_bytes
    if contents.size > most:
        raise Trouble(413, "too-large", f"its pictures have {contents.size:,} bytes; a bundle holds up to {most:,}")
    with TemporaryFile(dir=service.store.folder) as file:
        await service.aside(write_bundle, file, data, contents)
        answer = attached(web.StreamResponse(), name.rpartition("/")[2] + SUFFIX, "application/zip")
        answer.content_length = file.tell()
        file.seek(0)
        await answer.prepare(request)
        while piece := await service.aside(file.read, _PIECE):
            await answer.write(piece)
    await answer.write_eof()
    return answer


async def take_in(request: web.Request) -> web.StreamResponse:
    """Take in a bundle: its pictures become inputs, and the workflow, which reads them there, is given back unsaved."""
    service = request.app[SERVICE]
    limits = service.settings.limits
    with TemporaryFile(dir=service.store.folder) as file:
        async for piece in pieces(request, limits.upload_bytes, limits):
            await service.aside(file.write, piece)
        bundle = await service.aside(lambda: Bundle(file, most=limits.upload_bytes, longest=limits.body_bytes))
        document = await _with_pictures(service, bundle)
    machine = service.library.machine
    missing = await service.aside(lambda: machine.lacks(machine.needs_of(document), {}))
    view: BundleView = {
        "workflow": document,
        "missing": [{"kind": need.kind, "name": need.name} for need in missing],
    }
    return web.json_response(view)


async def _with_pictures(service: Service, bundle: Bundle) -> dict[str, Any]:
    """Keep a bundle's pictures, and return its workflow, which reads them where they lie now."""
    machine, names = service.library.machine, dict[str, str]()
    for need in machine.needs_of(bundle.document):
        if need.kind == "input" and bundle.has(need.name):
            with bundle.open(need.name) as file:
                row = await store_upload(service, _unpacked(service, file), suffix_of(need.name) or "")
            names[need.name] = row.name
    return machine.renamed(bundle.document, names)


async def _unpacked(service: Service, file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while piece := await service.aside(file.read, _PIECE):
            yield piece
    except (BadZipFile, zlib.error, EOFError) as error:
        raise Trouble(422, "bad-bundle", "a picture in it is damaged; have it sent again") from error


ROUTES = [
    Route("GET", "/api/workflows/{name}/bundle", export, {200: "application/zip"}),
    Route("POST", "/api/bundles", take_in, {200: BundleView}, body="application/octet-stream"),
]
