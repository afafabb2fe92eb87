"""Pictures as OpenAI's client libraries ask for them, made by saved workflows.

In: POST /v1/images/generations and /v1/images/edits, whose `model` is the name of a workflow. Out: its files, as
base64. `prompt` becomes the workflow's parameter of that name, `size` its `width` and `height`, an edit's `image` the
parameter `image` or `picture`, its `mask` that of its name, and whatever else is given, such as `seed` or `steps`, the
parameter of its name. Errors are told as those libraries expect. Source: OpenAI API reference, "Images".
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from secrets import randbelow
from typing import Any

from aiohttp import BodyPartReader, web
from pydantic import BaseModel, ConfigDict, Field

from graphgen.errors import WorkflowError
from graphgen.server import records
from graphgen.server.asking import read_body
from graphgen.server.contents import find_path
from graphgen.server.library import library_of, workflow_named
from graphgen.server.problems import Trouble
from graphgen.server.records import FileRow, Run
from graphgen.server.route import SERVICE, Handler, Route, Service
from graphgen.server.routes.uploads import store_upload
from graphgen.server.shapes import Submission, SweepAsked
from graphgen.server.submitting import put_in_line, until_over
from graphgen.widgets import LARGEST_SEED

MODEL = "text_to_image"
"""The workflow that is run where no model is named."""
_MOST_FIELDS = 64
_LONGEST_FIELD = 100_000
_OURS = {"image": ("image", "picture"), "mask": ("mask",)}
"""The files of a form, and the parameters that may take them, by their names."""
_IGNORED = frozenset(
    ("background", "input_fidelity", "moderation", "output_compression", "output_format", "partial_images", "quality",
     "response_format", "stream", "style", "user")
)  # fmt: skip
"""What is asked of OpenAI's own models, and means nothing to a workflow that has no parameter of its name."""


class ImagesAsked(BaseModel):
    """Pictures that are asked for; other fields are parameters of the workflow."""

    model_config = ConfigDict(extra="allow", frozen=True)
    prompt: str
    model: str | None = Field(default=None, description="The name of a saved workflow.")
    n: int | None = Field(default=None, ge=1, le=10)
    size: str | None = Field(default=None, pattern=r"^(auto|\d{1,5}x\d{1,5})$")


def told_as_expected(handler: Handler) -> Handler:
    """Tell what goes wrong in the form that OpenAI's libraries read."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Trouble as trouble:
            return _error(trouble.status, trouble.kind, "; ".join(map(str, trouble.problems)) or trouble.detail)
        except WorkflowError as error:
            return _error(400, "invalid-workflow", "; ".join(map(str, error.problems)))

    handle.__doc__, handle.__name__, handle.__module__ = handler.__doc__, handler.__name__, handler.__module__
    return handle


@told_as_expected
async def generations(request: web.Request) -> web.StreamResponse:
    """Make pictures from a prompt, by the workflow that `model` names (OpenAI's images.generate)."""
    return await _answer(request.app[SERVICE], await read_body(request, ImagesAsked), {})


@told_as_expected
async def edits(request: web.Request) -> web.StreamResponse:
    """Make pictures from a picture and a prompt, by the workflow that `model` names (OpenAI's images.edit)."""
    fields, files = await _read_form(request)
    if "image" not in files:
        raise Trouble(400, "missing", "image is missing; send a picture as a file of a form")
    try:
        asked = ImagesAsked.model_validate({**fields, **({"n": int(fields["n"])} if "n" in fields else {})})
    except ValueError as error:
        raise Trouble(400, "invalid-body", f"the form is not right: {error}") from error
    return await _answer(request.app[SERVICE], asked, files)


@told_as_expected
async def listed(request: web.Request) -> web.StreamResponse:
    """List the workflows that take a prompt, as models (OpenAI's models.list)."""
    service = request.app[SERVICE]
    found = await service.aside(library_of(service).listed)
    models = [
        {"id": view["name"], "object": "model", "created": int(view["changed"]), "owned_by": "graphgen"}
        for view in found
        if "prompt" in view["parameters"]
    ]
    return web.json_response({"object": "list", "data": models})


async def _answer(service: Service, asked: ImagesAsked, files: Mapping[str, str]) -> web.Response:
    """Run the workflow, and answer with its files."""
    name = asked.model or MODEL
    document = await workflow_named(service, name)
    known = document.get("parameters")
    submission = _submission(name, asked, files, list(known) if isinstance(known, dict) else [])
    run, _ = await put_in_line(service, submission)
    done = await until_over(service, run.id)
    if done.status != "done":
        raise Trouble(500, "run-failed", f"the run {done.id} {done.status}: {_why(done)}")
    pictures = [await _file(service, item) for item in _files(done)]
    if not pictures:
        raise Trouble(400, "no-files", f"the workflow '{name}' writes no files")
    data = [{"b64_json": b64encode(picture).decode()} for picture in pictures]
    return web.json_response({"created": int(done.created), "data": data})


def _submission(name: str, asked: ImagesAsked, files: Mapping[str, str], known: list[str]) -> Submission:
    """Lay what is asked for onto a workflow's parameters; a seed that is not given is chosen by chance."""
    extra = asked.model_extra or {}
    given: dict[str, Any] = {key: value for key, value in extra.items() if key in known or key not in _IGNORED}
    given["prompt"] = asked.prompt
    for key, path in files.items():
        given[next((alias for alias in _OURS[key] if alias in known), key)] = path
    if asked.size and asked.size != "auto":
        width, _, height = asked.size.partition("x")
        given |= {"width": int(width), "height": int(height)}
    count = asked.n or 1
    if "seed" in known:
        given.setdefault("seed", randbelow(LARGEST_SEED - count))
    elif count > 1:
        raise Trouble(400, "no-seed", f"the workflow '{name}' has no parameter 'seed', and would give one picture")
    sweep = None
    if count > 1:
        first = given.pop("seed")
        if not isinstance(first, int):
            raise Trouble(400, "bad-seed", "seed must be a whole number")
        sweep = SweepAsked(axes={"seed": [first + number for number in range(count)]})
    return Submission(workflow=name, parameters=given, sweep=sweep, previews=False)


async def _read_form(request: web.Request) -> tuple[dict[str, Any], dict[str, str]]:
    """Read a form: texts by name, and files, kept as inputs, by name of the parameter they are for."""
    if request.content_type != "multipart/form-data":
        raise Trouble(415, "not-a-form", "send a form, as 'Content-Type: multipart/form-data'")
    service = request.app[SERVICE]
    texts: dict[str, Any] = {}
    files: dict[str, str] = {}
    room = service.settings.limits.upload_bytes
    reader = await request.multipart()
    for _ in range(_MOST_FIELDS):
        part = await reader.next()
        if part is None:
            return texts, files
        if not isinstance(part, BodyPartReader):
            raise Trouble(400, "bad-form", "the form holds a form")
        name = (part.name or "").removesuffix("[]")
        if name in _OURS and part.filename is not None:
            if name in files:
                raise Trouble(400, "bad-form", f"one {name} is taken here")
            row = await store_upload(service, _pieces(part, room), _suffix(part.filename))
            files[name], room = row.name, room - row.size
            continue
        text = b"".join([piece async for piece in _pieces(part, _LONGEST_FIELD)]).decode("utf-8", errors="replace")
        texts[name] = text if name in ("prompt", "model", "size") else _value(text)
    raise Trouble(400, "bad-form", f"the form has more than {_MOST_FIELDS} parts")


async def _pieces(part: BodyPartReader, most: int) -> AsyncIterator[bytes]:
    size = 0
    while piece := await part.read_chunk(64 * 1024):
        size += len(piece)
        if size > most:
            raise Trouble(413, "too-large", f"a part of the form is larger than {most:,} bytes")
        yield bytes(piece)


def _suffix(filename: str) -> str:
    suffix = Path(filename).suffix.lower()
    return suffix if suffix[1:].isalnum() and suffix.isascii() and len(suffix) <= 13 else ""


def _value(text: str) -> object:
    """Read a form's text as the number it may be."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def _files(run: Run) -> list[Mapping[str, Any]]:
    came = run.outcome
    found = [file for item in came.get("variations", ()) for file in item["files"]]
    return found or list(came.get("files", ()))


async def _file(service: Service, item: Mapping[str, Any]) -> bytes:
    rows: list[FileRow] = await service.read(partial(records.find_files, digest=item["digest"], root="outputs"))
    _, path = await service.aside(find_path, service.engine.config.roots, rows)
    return await service.aside(path.read_bytes)


def _why(run: Run) -> str:
    came = run.outcome
    told = [f"{item['node']}: {item['message']}" for item in came.get("failures", ())]
    return "; ".join([*told, *(item["message"] for item in came.get("problems", ()))]) or "nobody said why"


def _error(status: int, kind: str, message: str) -> web.Response:
    what = "server_error" if status >= 500 else "invalid_request_error"
    error = {"message": message, "type": what, "param": None, "code": kind.replace("-", "_")}
    return web.json_response({"error": error}, status=status)


_PICTURES = {200: dict[str, object]}
ROUTES = [
    Route("GET", "/v1/models", listed, {200: dict[str, object]}),
    Route("POST", "/v1/images/generations", generations, _PICTURES, body=ImagesAsked),
    Route("POST", "/v1/images/edits", edits, _PICTURES, body="multipart/form-data"),
]
