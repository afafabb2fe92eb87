"""Files that clients bring, kept as inputs under the digest of their content, whole or not at all.

In: pieces of a file, as they come. Out: a row that the store indexes; nodes read the file by the row's name.
"""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from functools import partial
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from graphgen.engine import Engine
from graphgen.server.contents import media_type_of
from graphgen.server.records import FileRow, add_files
from graphgen.server.route import Service

FOLDER = "uploads"
"""Where uploads lie in the inputs root."""
_is_suffix = re.compile(r"\.[A-Za-z0-9]{1,12}").fullmatch


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
