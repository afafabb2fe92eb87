"""What a client sends, read within limits: a body as JSON of a known form, numbers and words of the query."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.server.library import moved
from graphgen.server.moving import whereabouts
from graphgen.server.problems import Trouble, missing, wrong_workflow
from graphgen.server.route import SERVICE, Service
from graphgen.server.settings import Limits
from graphgen.strictjson import read_json
from graphgen.validation import problems_of

Form = TypeVar("Form", bound=BaseModel)
_SMALL = 64 * 1024
"""Bytes that are read as JSON at once; more go to a thread."""


async def workflow_named(service: Service, workflow: dict[str, object] | str) -> dict[str, object]:
    """Return a workflow's document: the one given, or the saved one of that name.

    Raises:
        Trouble: there is none of that name, or its file is no JSON.
    """
    if not isinstance(workflow, str):
        return workflow
    data, _ = await find_workflow(service, workflow)
    return await service.aside(read_json_object, data)


def read_json_object(data: bytes) -> dict[str, object]:
    """Read a workflow's file; one that holds something else than an object is none of any format.

    Raises:
        Trouble: it is no JSON.
    """
    try:
        document = read_json(data.decode("utf-8-sig"))
    except WorkflowError as error:
        raise wrong_workflow(error.problems) from error
    except UnicodeDecodeError:
        raise missing("workflow") from None
    return dict(document) if isinstance(document, dict) else {"graphgen": None}


async def find_workflow(service: Service, name: str) -> tuple[bytes, str]:
    """Return a saved workflow's file, and what identifies this version of it.

    Raises:
        Trouble: there is none of that name; tells the new one of a workflow that had it before.
    """
    try:
        return await service.aside(service.library.read, name)
    except Trouble as nowhere:
        raise moved(await service.read(partial(whereabouts, name=name))) or nowhere from None


async def read_body(request: web.Request, form: type[Form]) -> Form:
    """Read a JSON body of a form.

    Raises:
        Trouble: it is none, too large, or comes too slowly; tells all that is wrong with it.
    """
    document = await read_document(request)
    try:
        return form.model_validate(document)
    except ValidationError as error:
        raise Trouble(422, "invalid-body", "the body is not of the right form", problems_of(error)) from error


async def read_document(request: web.Request) -> JSON:
    """Read a body as JSON: nothing repeated, nothing infinite.

    Raises:
        Trouble: it is none, too large, or comes too slowly.
    """
    if request.content_type != "application/json":
        raise Trouble(415, "not-json", "send the body with 'Content-Type: application/json'")
    service = request.app[SERVICE]
    limits = service.settings.limits
    if request.content.is_eof() and 0 < (request.content_length or 0) < min(_SMALL, limits.body_bytes):
        data = bytearray(request.content.read_nowait())  # all of a small body is there already, as it mostly is
    else:
        data = bytearray()
        async for piece in pieces(request, limits.body_bytes, limits):
            data += piece
    try:
        text = data.decode("utf-8")
        return read_json(text) if len(text) < _SMALL else await service.checked(read_json, text)
    except UnicodeDecodeError as error:
        raise Trouble(400, "not-json", f"the body is not UTF-8 text (byte {error.start})") from error
    except WorkflowError as error:
        raise Trouble(400, "not-json", "the body is not JSON as it should be", error.problems) from error


async def pieces(request: web.Request, most: int, limits: Limits) -> AsyncIterator[bytes]:
    """Yield a body as it comes.

    Raises:
        Trouble: it is larger than `most` bytes, or nothing came for as long as the limits allow.
    """
    too_large = Trouble(413, "too-large", f"the body is larger than {most:,} bytes, the most this server takes here")
    if (request.content_length or 0) > most:
        raise too_large
    size = 0
    while True:
        try:
            async with asyncio.timeout(limits.patience):
                piece = await request.content.readany()
        except TimeoutError:
            detail = f"nothing more of the body came for {limits.patience:g} seconds"
            raise Trouble(408, "too-slow", detail, headers={"Connection": "close"}) from None
        if not piece:
            return
        size += len(piece)
        if size > most:
            raise too_large
        yield piece


def has_already(request: web.Request, tag: str) -> bool:
    """Tell whether a client has what an ETag identifies."""
    return tag in {item.value for item in request.if_none_match or ()}


def number_in(request: web.Request, name: str, default: int, *, least: int, most: int) -> int:
    """Return a whole number of the query.

    Raises:
        Trouble: it is none, or out of range.
    """
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20 and least <= int(text) <= most):
        detail = f"{name} must be a whole number from {least} to {most} (got '{text[:40]}')"
        raise Trouble(400, "bad-query", detail)
    return int(text)
