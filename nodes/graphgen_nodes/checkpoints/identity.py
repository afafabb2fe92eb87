"""Name a file by its content, cheaply: a digest of its header, its size and 64 blocks spread over it.

Hashing 34 GB of weights before the first plan would cost 20 s; this costs a millisecond. Two files of the same size
and header that differ anywhere in training differ nearly everywhere, so a sample tells them apart.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from graphgen_nodes.checkpoints.header import MAX_HEADER, CheckpointError

BLOCKS = 64
BLOCK = 4096

SHIPPED = Path(__file__).parents[1] / "models"
"""The models that come with graphgen."""

_PLACES: dict[str, Path] = {}


def identity(path: Path) -> str:
    """Return a digest of the file `path`; remembered until its size, modification time or inode changes."""
    stat = path.stat()
    return _digest(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


def joint_identity(files: Iterable[Path]) -> str:
    """Return one digest for several files, by their names and contents, in any order; of one file, its identity."""
    ordered = sorted(files, key=lambda file: (file.parent.name, file.name))
    if len(ordered) == 1:
        return identity(ordered[0])
    total = hashlib.sha256()
    for path in ordered:
        total.update(f"{path.name}\0{identity(path)}\n".encode())
    return total.hexdigest()


def remember_place(digest: str, path: Path) -> None:
    """Note where content with this digest was seen, for handles that were cached before it moved."""
    _PLACES[digest] = path


def find_place(digest: str, hint: Path) -> Path:
    """Return where content with this digest lies: at `hint`, where it was last seen, or among the shipped models.

    A handle to a shipped model may have been cached by an installation that is gone, and be read by a worker process,
    which has seen nothing yet.

    Raises:
        CheckpointError: it is at none of these places.
    """
    _, among, shipped = hint.as_posix().rpartition("/graphgen_nodes/models/")
    known = (hint, _PLACES.get(digest, hint), SHIPPED / shipped if among else hint)
    found = next((place for place in known if place.exists()), None)
    if found is None:
        raise CheckpointError(f"{hint}: is no longer there; put it back, or run the node that loads it again")
    return found


@lru_cache(maxsize=4096)
def _digest(path: Path, size: int, modified: int, inode: int) -> str:  # noqa: ARG001 - they are the memo's key
    total = hashlib.sha256(struct.pack("<Q", size))
    with path.open("rb") as file:
        if size <= BLOCKS * BLOCK:
            total.update(file.read())
            return total.hexdigest()
        start = 0
        if path.suffix == ".safetensors":
            start = min(8 + struct.unpack("<Q", file.read(8))[0], 8 + MAX_HEADER, size)
            file.seek(0)
            total.update(file.read(start))
        for index in range(BLOCKS):
            file.seek(start + (size - start - BLOCK) * index // (BLOCKS - 1) if size - start > BLOCK else start)
            total.update(file.read(BLOCK))
    return total.hexdigest()
