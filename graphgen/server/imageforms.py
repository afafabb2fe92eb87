"""Pictures as OpenAI's client libraries ask for them, laid onto a workflow's parameters.

In: a JSON body, or a form with files. Out: `ImagesAsked`, and the `Submission` that it means. `prompt` becomes the
workflow's parameter of that name, `size` its `width` and `height`, an edit's `image` the parameter `image` or
`picture`, its `mask` that of its name, and whatever else is given, such as `seed` or `steps`, the parameter of its
name. Source: OpenAI API reference, "Images".
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from secrets import randbelow
from typing import Any, Literal, TypeAlias, TypeVar

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from graphgen.errors import WorkflowError
from graphgen.server.asking import read_body
from graphgen.server.problems import Trouble
from graphgen.server.requests import Submission, SweepAsked
from graphgen.server.route import SERVICE, Service
from graphgen.server.uploading import store_upload, suffix_of
from graphgen.strictjson import read_json
from graphgen.validation import problems_of
from graphgen.widgets import LARGEST_SEED

T = TypeVar("T")
Format: TypeAlias = Literal["png", "jpeg", "webp"]
MODEL = "text_to_image"
"""The workflow that is run where no model is named."""
_MOST_FIELDS = 64
_LONGEST_FIELD = 100_000
_LONGEST_NAME = 200
_OURS = {"image": ("image", "picture"), "mask": ("mask",)}
"""The files of a form, and the parameters that may take them, by their names."""
_PASSED_OVER = frozenset(("complexity", "input_fidelity", "moderation", "quality", "style"))
"""What is asked of OpenAI's own models, and means nothing to a workflow that has no parameter of its name."""


class ImagesAsked(BaseModel):
    """Pictures that are asked for; other fields are parameters of the workflow."""

    model_config = ConfigDict(extra="allow", frozen=True)
    prompt: str
    model: str | None = Field(default=None, description="The name of a saved workflow.")
    n: int | None = Field(default=None, ge=1, le=10, description="How many, with seeds one after another.")
    size: str | None = Field(default=None, pattern=r"^(auto|\d{1,5}x\d{1,5})$")
    stream: bool | None = Field(default=None, description="Send server-sent events.")
    partial_images: int | None = Field(default=None, ge=0, le=3, description="Pictures on the way, when streaming.")
    response_format: Literal["b64_json", "url"] | None = None
    output_format: Format | None = Field(default=None, description="As the workflow saves them if nothing is said.")
    output_compression: int | None = Field(default=None, ge=0, le=100, description="The quality of JPEG and WebP.")
    background: str | None = Field(default=None, description="auto, or opaque: on white.")
    user: str | None = Field(default=None, max_length=_LONGEST_NAME, description="Users take turns in the queue.")
    safety_identifier: str | None = Field(default=None, max_length=_LONGEST_NAME, description="The same as `user`.")

    def check(self, known: Collection[str]) -> None:
        """Say what cannot be done for a workflow of some parameters.

        Raises:
            Trouble: it cannot be done.
        """
        if self.stream and self.response_format == "url":
            raise _refused("response_format 'url' cannot be streamed; leave one of the two away")
        if self.partial_images and not self.stream:
            raise _refused("partial_images are for streams; add stream=true or leave them away")
        if self.partial_images and (self.n or 1) > 1:
            raise _refused("partial_images are for one picture at a time; with n above 1 they must be 0")
        if self.output_compression is not None and self.output_format not in ("jpeg", "webp"):
            raise _refused("output_compression is for output_format 'jpeg' and 'webp'; PNG loses nothing")
        if "background" not in known and self.background not in (None, "auto", "opaque"):
            allowed = "allowed: auto, opaque, or a parameter 'background' of the workflow"
            raise _refused(f"background '{self.background[:40]}' cannot be asked for; {allowed}")


async def read_asked(request: web.Request) -> ImagesAsked:
    """Read what a JSON body asks for.

    Raises:
        Trouble: it is not of the right form; tells all that is wrong.
    """
    return await read_body(request, ImagesAsked)


async def read_form(request: web.Request) -> tuple[ImagesAsked, dict[str, str]]:
    """Read a form: what it asks for, and its files, kept as inputs, by name of the parameter they are for.

    Raises:
        Trouble: it is not of the right form, or too large.
    """
    texts, files = await _read_parts(request)
    if "image" not in files:
        raise Trouble(400, "missing", "image is missing; send a picture as a file of a form")
    own = ImagesAsked.model_fields
    fields = {name: text if name in own else _value(text) for name, text in texts.items()}
    try:
        return ImagesAsked.model_validate(fields), files
    except ValidationError as error:
        raise Trouble(422, "invalid-body", "the form is not right", problems_of(error)) from error


def submission_of(name: str, asked: ImagesAsked, files: Mapping[str, str], known: Collection[str]) -> Submission:
    """Lay what is asked for onto a workflow's parameters; a seed that is not given is chosen by chance.

    Raises:
        Trouble: several pictures are asked for, and there is no seed to tell them apart.
    """
    extra = asked.model_extra or {}
    given: dict[str, Any] = {key: value for key, value in extra.items() if key in known or key not in _PASSED_OVER}
    given["prompt"] = asked.prompt
    if "background" in known and asked.background is not None:
        given["background"] = asked.background
    for key, path in files.items():
        given[next((alias for alias in _OURS[key] if alias in known), key)] = path
    if asked.size and asked.size != "auto":
        width, _, height = asked.size.partition("x")
        given |= {"width": int(width), "height": int(height)}
    return Submission(
        workflow=name,
        sweep=_seeds(name, given, asked.n or 1, known),
        parameters=given,
        client=asked.safety_identifier or asked.user or "",
        previews=bool(asked.partial_images),
    )


def _seeds(name: str, given: dict[str, Any], count: int, known: Collection[str]) -> SweepAsked | None:
    """Take the seed out of the values that are given where several pictures are asked for, and say which to try."""
    if "seed" in known:
        given.setdefault("seed", randbelow(LARGEST_SEED - count))
    elif count > 1:
        raise Trouble(400, "no-seed", f"the workflow '{name}' has no parameter 'seed', and would give one picture")
    if count == 1:
        return None
    first = given.pop("seed")
    if not isinstance(first, int):
        raise Trouble(400, "bad-seed", "seed must be a whole number")
    return SweepAsked(axes={"seed": [first + number for number in range(count)]})


async def _read_parts(request: web.Request) -> tuple[dict[str, str], dict[str, str]]:
    if request.content_type != "multipart/form-data":
        raise Trouble(415, "not-a-form", "send a form, as 'Content-Type: multipart/form-data'")
    service = request.app[SERVICE]
    texts, files = dict[str, str](), dict[str, str]()
    room = service.settings.limits.upload_bytes
    patience = service.settings.limits.patience
    reader = await request.multipart()
    for _ in range(_MOST_FIELDS):
        part = await _in_time(reader.next(), patience)
        if part is None:
            return texts, files
        if not isinstance(part, BodyPartReader):
            raise Trouble(400, "bad-form", "the form holds a form")
        name = (part.name or "").removesuffix("[]")
        if name in _OURS and part.filename is not None:
            if name in files:
                raise Trouble(400, "bad-form", f"one {name} is taken here")
            files[name], size = await _keep(service, name, part, room)
            room -= size
            continue
        data = b"".join([piece async for piece in _pieces(part, _LONGEST_FIELD, patience)])
        texts[name] = data.decode("utf-8", errors="replace")
    raise Trouble(400, "bad-form", f"the form has more than {_MOST_FIELDS} parts")


async def _keep(service: Service, name: str, part: BodyPartReader, room: int) -> tuple[str, int]:
    """Keep a file as an input; return what it is called there, and its size.

    OpenAI's masks are transparent where to paint, a workflow's are white there.
    """
    suffix = suffix_of(part.filename or "") or ""
    row = await store_upload(service, _pieces(part, room, service.settings.limits.patience), suffix)
    format_ = service.engine.registry.formats.get(".png")
    find_holes = format_.holes if name == "mask" and format_ else None
    if find_holes is None:
        return row.name, row.size
    path = service.engine.config.roots.resolve("inputs", row.name)
    try:
        white = await service.aside(find_holes, await service.aside(path.read_bytes))
    except ValueError as error:
        raise Trouble(422, "bad-mask", f"the mask cannot be read: {error}") from error
    kept = row if white is None else await store_upload(service, _whole(white), ".png")
    return kept.name, row.size


async def _whole(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def _pieces(part: BodyPartReader, most: int, patience: float) -> AsyncIterator[bytes]:
    size = 0
    while piece := await _in_time(part.read_chunk(64 * 1024), patience):
        size += len(piece)
        if size > most:
            raise Trouble(413, "too-large", f"a part of the form is larger than {most:,} bytes")
        yield bytes(piece)


async def _in_time(reading: Awaitable[T], patience: float) -> T:
    """Wait for the next of a form.

    Raises:
        Trouble: it is no form, or nothing more of it came for so many seconds.
    """
    try:
        async with asyncio.timeout(patience):
            return await reading
    except TimeoutError:
        detail = f"nothing more of the form came for {patience:g} seconds"
        raise Trouble(408, "too-slow", detail, headers={"Connection": "close"}) from None
    except (ValueError, AssertionError, HttpProcessingError) as error:  # in these ways aiohttp says so
        detail = "the form is broken; send it as 'multipart/form-data', its parts whole"
        raise Trouble(400, "bad-form", detail, headers={"Connection": "close"}) from error


def _value(text: str) -> object:
    """Read a form's text as the number it may be."""
    try:
        return read_json(text)
    except WorkflowError:
        return text


def _refused(detail: str) -> Trouble:
    return Trouble(400, "cannot-be", detail)
