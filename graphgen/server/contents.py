"""Files by their content: which bytes a digest means, where they lie, and whether they still do.

In: files in the outputs or inputs root. Out: rows that the store indexes, and, from these, paths that are safe to send.
A file that was changed since is not the one that its digest means, and is as good as gone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from pathlib import Path

from graphgen.config import Roots
from graphgen.errors import PathError
from graphgen.hookspecs import FileFormat
from graphgen.server.problems import missing
from graphgen.server.records import FileRow
from graphgen.widgets import RootName

is_digest = re.compile(r"[0-9a-f]{40}").fullmatch

_KNOWN = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".safetensors": "application/octet-stream",
}
"""Media types that are named; what a browser might execute (SVG, HTML) is not among them."""
_UNKNOWN = "application/octet-stream"


def media_type_of(name: str, formats: Mapping[str, FileFormat]) -> str:
    """Return the media type of a file by its suffix; one that nobody vouches for is a row of bytes."""
    suffix = Path(name).suffix.lower()
    return _KNOWN.get(suffix) or (formats[suffix].media_type if suffix in formats else _UNKNOWN)


def is_seen_small(name: str, formats: Mapping[str, FileFormat]) -> bool:
    """Tell whether somebody knows to make a file of this name small, as a picture."""
    format_ = formats.get(Path(name).suffix.lower())
    return format_ is not None and format_.thumbnail is not None


def index_file(root: RootName, folder: Path, path: Path, formats: Mapping[str, FileFormat]) -> FileRow:
    """Read a file and say what is in it.

    Raises:
        OSError: it cannot be read.
    """
    hasher = blake2b(digest_size=20)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            hasher.update(piece)
    found, name = path.stat(), path.relative_to(folder).as_posix()
    return FileRow(hasher.hexdigest(), root, name, media_type_of(name, formats), found.st_size, found.st_mtime_ns)


def find_path(roots: Roots, rows: Iterable[FileRow]) -> tuple[FileRow, Path]:
    """Return a file that still has the content it was indexed with.

    Raises:
        Trouble: there is none.
    """
    for row in rows:
        try:
            path = roots.resolve(row.root, row.name)
            found = path.stat()
        except (PathError, OSError):
            continue
        if path.is_file() and (found.st_size, found.st_mtime_ns) == (row.size, row.stamp):
            return row, path
    raise missing("file; it may have been changed or deleted since")
