"""A run's pictures as they are handed out: found, put into another format where that is asked for, linked to.

In: a run that is over, and the look that is wanted. Out: bytes with their format, or links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from time import time
from typing import Any
from urllib.parse import urlencode

from graphgen.hookspecs import FileFormat
from graphgen.server import records
from graphgen.server.contents import find_path
from graphgen.server.imageforms import ImagesAsked
from graphgen.server.links import key_of, signed
from graphgen.server.problems import Trouble
from graphgen.server.records import FileRow, Run
from graphgen.server.route import Service

FOLDER = "/v1/images/files"
"""Where links lead."""
BEST = 100
_SUFFIXES = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}
_FORMATS = {".jpg": "jpeg"}


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is to look as a file: None where it is to be as it was saved. `quality` is 0 to 100."""

    suffix: str | None = None
    quality: int | None = None
    opaque: bool = False

    def fits(self, suffix: str) -> bool:
        """Tell whether a file with a suffix can be handed out as it is."""
        return not self.opaque and self.quality is None and _plain(self.suffix or suffix) == _plain(suffix)

    def check(self, formats: Mapping[str, FileFormat]) -> None:
        """Say before anything runs that pictures cannot look so.

        Raises:
            Trouble: nothing here writes that format.
        """
        if self.suffix is not None:
            _writer(self.suffix, formats)

    def apply(self, data: bytes, suffix: str, formats: Mapping[str, FileFormat]) -> tuple[bytes, str]:
        """Return a picture file as it is to look, with its suffix; the workflow that it carries stays if it can.

        Raises:
            Trouble: nothing here writes that format, or the file is no picture.
        """
        suffix = _plain(suffix)
        if self.fits(suffix):
            return data, suffix
        target = _plain(self.suffix or suffix)
        convert, embed, source = _writer(target, formats), formats[target].embed, formats.get(suffix)
        try:
            made = convert(data, BEST if self.quality is None else self.quality, self.opaque)
            if embed and source and source.read:
                made = embed(made, source.read(data))
        except ValueError as error:
            raise Trouble(422, "no-picture", f"the file cannot be written as {target}: {error}") from error
        return made, target


def look_of(asked: ImagesAsked) -> Look:
    """Return the look that is asked for."""
    suffix = _SUFFIXES[asked.output_format] if asked.output_format else None
    return Look(suffix, asked.output_compression, asked.background == "opaque")


def format_name(suffix: str) -> str:
    """Name a format as OpenAI does, by the suffix of its files: `png`, `jpeg`, `webp`."""
    return _FORMATS.get(suffix, suffix.removeprefix("."))


def files_of(run: Run) -> list[Mapping[str, Any]]:
    """Return the files that a run gave, those of a sweep by variation."""
    came = run.outcome
    found = [file for item in came.get("variations", ()) for file in item["files"]]
    return found or list(came.get("files", ()))


async def read_file(service: Service, digest: str, look: Look) -> tuple[bytes, str]:
    """Return a file that a run wrote, as it is to look, with its suffix.

    Raises:
        Trouble: it is not there any more, or cannot look so.
    """
    _, path = await find_file(service, digest)
    formats = service.engine.registry.formats
    return await service.aside(lambda: look.apply(path.read_bytes(), path.suffix.lower(), formats))


async def find_file(service: Service, digest: str) -> tuple[FileRow, Path]:
    """Find a file that a run wrote.

    Raises:
        Trouble: it is not there any more.
    """
    rows: list[FileRow] = await service.read(partial(records.find_files, digest=digest, root="outputs"))
    return await service.aside(find_path, service.engine.config.roots, rows)


def link_to(service: Service, item: Mapping[str, Any], look: Look) -> str:
    """Return the address at which a file can be got for an hour, as it is to look, without the token."""
    suffix = look.suffix or PurePosixPath(item["name"]).suffix.lower()
    query = {"quality": look.quality, "opaque": 1 if look.opaque else None}
    text = urlencode({name: value for name, value in query.items() if value is not None})
    address = f"{FOLDER}/{item['digest']}{suffix}"
    return signed(f"{address}?{text}" if text else address, key_of(service.settings.token), time())


def _writer(suffix: str, formats: Mapping[str, FileFormat]) -> Callable[[bytes, int, bool], bytes]:
    found = formats[suffix].convert if suffix in formats else None
    if found is None:
        raise Trouble(400, "no-format", f"nothing here writes pictures as {suffix}")
    return found


def _plain(suffix: str) -> str:
    return ".jpg" if suffix == ".jpeg" else suffix
