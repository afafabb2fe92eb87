"""Pictures as OpenAI's client libraries ask for them, made by saved workflows.

In: POST /v1/images/generations and /v1/images/edits, whose `model` is the name of a workflow. Out: its files, as base64
or links, at once or as they come. Errors are told as those libraries expect. Source: OpenAI API reference, "Images".
"""

from __future__ import annotations

import json
import re
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiohttp import web

from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.server.asking import number_in, workflow_named
from graphgen.server.contents import media_type_of
from graphgen.server.imagefiles import (
    FOLDER,
    Look,
    files_of,
    find_file,
    format_name,
    link_to,
    look_of,
    read_file,
)
from graphgen.server.imageforms import MODEL, ImagesAsked, read_asked, read_form, submission_of
from graphgen.server.links import LASTS
from graphgen.server.problems import Trouble, missing
from graphgen.server.records import Run
from graphgen.server.route import SERVICE, Handler, Route, Service
from graphgen.server.routes.events import HEARTBEAT, write
from graphgen.server.routes.outputs import attached, send
from graphgen.server.security import address_of
from graphgen.server.shapes import WorkflowView
from graphgen.server.submitting import put_in_line, until_over

_file_name = re.compile(r"([0-9a-f]{40})((?:\.[a-z0-9]{1,12})?)").fullmatch
_USAGE: dict[str, JSON] = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}
"""What the form of the last event asks for; nothing is counted in tokens here."""


def told_as_expected(handler: Handler) -> Handler:
    """Tell what goes wrong in the form that OpenAI's libraries read."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (Trouble, WorkflowError) as trouble:
            status, error = _told(trouble)
            headers = trouble.headers if isinstance(trouble, Trouble) else {}
            return web.json_response({"error": error}, status=status, headers=headers)

    handle.__doc__, handle.__name__, handle.__module__ = handler.__doc__, handler.__name__, handler.__module__
    return handle


@told_as_expected
async def generations(request: web.Request) -> web.StreamResponse:
    """Make pictures from a prompt, by the workflow that `model` names (OpenAI's images.generate)."""
    return await _answer(request, await read_asked(request), {}, "image_generation")


@told_as_expected
async def edits(request: web.Request) -> web.StreamResponse:
    """Make pictures from a picture and a prompt, by the workflow that `model` names (OpenAI's images.edit)."""
    asked, files = await read_form(request)
    return await _answer(request, asked, files, "image_edit")


@told_as_expected
async def listed(request: web.Request) -> web.StreamResponse:
    """List the workflows that take a prompt, as models (OpenAI's models.list)."""
    return web.json_response({"object": "list", "data": await _models(request.app[SERVICE])})


@told_as_expected
async def model(request: web.Request) -> web.StreamResponse:
    """Show one of the workflows that take a prompt, as a model (OpenAI's models.retrieve)."""
    name = request.match_info["model"]
    found = next((item for item in await _models(request.app[SERVICE]) if item["id"] == name), None)
    if found is None:
        raise missing("model; /v1/models lists the workflows that have a parameter 'prompt'")
    return web.json_response(found)


async def file(request: web.Request) -> web.StreamResponse:
    """Send a picture that `response_format=url` linked to: for an hour without the token, after that with it."""
    service, found = request.app[SERVICE], _file_name(request.match_info["file"])
    if found is None:
        raise missing("file")
    digest, suffix = found.groups()
    quality = number_in(request, "quality", -1, least=0, most=100)
    look = Look(suffix or None, quality if quality >= 0 else None, "opaque" in request.query)
    row, path = await find_file(service, digest)
    if look.fits(path.suffix.lower()):
        answer = send(row, path)
    else:
        data, suffix = await read_file(service, digest, look)
        name = f"{digest}{suffix}"
        answer = attached(web.Response(body=data), name, media_type_of(name, service.engine.registry.formats))
    answer.headers["Cache-Control"] = f"private, max-age={LASTS}"
    answer.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return answer


async def _models(service: Service) -> list[dict[str, JSON]]:
    def view(item: WorkflowView) -> dict[str, JSON]:
        return {"id": item["name"], "object": "model", "created": int(item["changed"]), "owned_by": "graphgen"}

    found = await service.aside(service.library.listed)
    return [view(item) for item in found if "prompt" in item["parameters"]]


async def _answer(request: web.Request, asked: ImagesAsked, files: Mapping[str, str], kind: str) -> web.StreamResponse:
    """Run the workflow, and answer with its files."""
    service, name = request.app[SERVICE], asked.model or MODEL
    document = await workflow_named(service, name)
    known = document.get("parameters")
    names = list(known) if isinstance(known, dict) else []
    asked.check(names)
    look_of(asked).check(service.engine.registry.formats)
    run, _ = await put_in_line(service, submission_of(name, asked, files, names))
    if asked.stream:
        return await _stream(request, asked, run, kind)
    done = await _done(service, run)
    data = [item async for item in _pictures(request, asked, done)]
    told: dict[str, JSON] = {"created": int(done.created), "data": data}
    return web.json_response(told | ({"output_format": asked.output_format} if asked.output_format else {}))


async def _pictures(request: web.Request, asked: ImagesAsked, done: Run) -> AsyncIterator[dict[str, JSON]]:
    service, look = request.app[SERVICE], look_of(asked)
    for item in files_of(done):
        if asked.response_format == "url":
            yield {"url": address_of(request) + link_to(service, item, look)}
        else:
            data, _ = await read_file(service, item["digest"], look)
            yield {"b64_json": b64encode(data).decode()}


async def _done(service: Service, run: Run) -> Run:
    """Wait until a run has given files.

    Raises:
        Trouble: it failed, gave none, or the server stops.
    """
    done = await until_over(service, run.id)
    if done.ended is None:
        detail = f"the server stops; the run {done.id} goes on when it starts again"
        raise Trouble(503, "stopping", detail)
    if done.status != "done":
        raise Trouble(500, "run-failed", f"the run {done.id} {done.status}: {_why(done)}")
    if not files_of(done):
        raise Trouble(400, "no-files", f"the workflow '{done.name or done.call['saved']}' writes no files")
    return done


# --- as they come ---------------------------------------------------------------------------------------------------


async def _stream(request: web.Request, asked: ImagesAsked, run: Run, kind: str) -> web.StreamResponse:
    """Send pictures on the way, and those of the end, as server-sent events; what goes wrong is the last of them."""
    answer = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
    await answer.prepare(request)
    try:
        async for event in _events(request.app[SERVICE], asked, run, kind):
            name = event.get("type")
            await write(
                request, answer, f"event: {name}\ndata: {json.dumps(event)}\n\n" if name else ": still here\n\n"
            )
    except (Trouble, WorkflowError) as trouble:
        error = json.dumps({"error": _told(trouble)[1]})
        await write(request, answer, f"event: error\ndata: {error}\n\n")
    return answer


async def _events(service: Service, asked: ImagesAsked, run: Run, kind: str) -> AsyncIterator[dict[str, JSON]]:
    """Yield events, and an empty one where nothing has happened for a while."""
    look, formats = look_of(asked), service.engine.registry.formats
    head: dict[str, JSON] = {
        "created_at": int(run.created),
        "size": asked.size or "auto",
        "quality": (asked.model_extra or {}).get("quality") or "auto",
        "background": asked.background or "auto",
    }
    count = 0
    async for shown in _previews(service, run, asked.partial_images or 0):
        if shown is None:
            yield {}
            continue
        data, suffix = await service.aside(look.apply, *shown, formats)
        told = {**head, "b64_json": b64encode(data).decode(), "output_format": format_name(suffix)}
        yield {"type": f"{kind}.partial_image", **told, "partial_image_index": count}
        count += 1
    for item in files_of(await _done(service, run)):
        data, suffix = await read_file(service, item["digest"], look)
        told = {**head, "b64_json": b64encode(data).decode(), "output_format": format_name(suffix)}
        yield {"type": f"{kind}.completed", **told, "usage": _USAGE}


async def _previews(service: Service, run: Run, most: int) -> AsyncIterator[tuple[bytes, str] | None]:
    """Yield so many of the pictures that a run shows while it works, spread over its way; None now and then.

    Of each node that shows pictures those count that come before it is done, the first of them after an equal share of
    its steps. It ends when the run is over.
    """
    watcher, ways, count = service.hub.watch(run.id, 0), dict[str, float](), 0
    try:
        async for batch in watcher.batches(HEARTBEAT):
            if not batch:
                yield None
            for event in (json.loads(text) for _, text in batch):
                if event["event"] == "run_finished":
                    return
                if event["event"] == "node_progress" and not event["stage"]:
                    ways[event["node"]] = event["done"] / (event["total"] or 1)
                due = count < most and (count + 1) / (most + 1) <= ways.get(event.get("node"), 0.0) < 1
                if due and event["event"] == "node_preview" and event["media_type"].startswith("image/"):
                    count += 1
                    yield b64decode(event["data"]), f".{event['media_type'].removeprefix('image/')}"
    finally:
        watcher.close()


# --- what goes wrong ------------------------------------------------------------------------------------------------


def _told(trouble: Trouble | WorkflowError) -> tuple[int, dict[str, JSON]]:
    """Return a status, and an error as OpenAI's libraries read it."""
    status, kind = (trouble.status, trouble.kind) if isinstance(trouble, Trouble) else (400, "invalid-workflow")
    message = "; ".join(map(str, trouble.problems)) or str(trouble)
    what = "server_error" if status >= 500 else "invalid_request_error"
    return status, {"message": message, "type": what, "param": None, "code": kind.replace("-", "_")}


def _why(run: Run) -> str:
    came: Mapping[str, Any] = run.outcome
    told = [f"{item['node']}: {item['message']}" for item in came.get("failures", ())]
    return "; ".join([*told, *(item["message"] for item in came.get("problems", ()))]) or "nobody said why"


_PICTURES = {200: dict[str, object]}
ROUTES = [
    Route("GET", "/v1/models", listed, {200: dict[str, object]}),
    Route("GET", "/v1/models/{model}", model, {200: dict[str, object]}),
    Route("POST", "/v1/images/generations", generations, _PICTURES, body=ImagesAsked),
    Route("POST", "/v1/images/edits", edits, _PICTURES, body="multipart/form-data"),
    Route(
        "GET",
        FOLDER + "/{file}",
        file,
        {200: "application/octet-stream"},
        query={"quality": "0 to 100", "opaque": "on white", "until": "of a link", "signature": "of a link"},
    ),
]
