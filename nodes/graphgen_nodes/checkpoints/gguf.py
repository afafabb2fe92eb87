"""Read a GGUF file's header: every tensor's name, format, shape and place, without reading a weight.

In goes a path, out comes the same `Header` that a safetensors file has, checked against the file as strictly. The
layout is ggml's (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md): counts, keys and values, tensors, then the
data, all little-endian. Sides are counted from the innermost one there, and from the outermost one here.
"""

from __future__ import annotations

import math
import mmap
import struct
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from graphgen_nodes.checkpoints.header import MAX_HEADER, MAX_TENSORS, CheckpointError, Header, TensorInfo

MAGIC = b"GGUF"
VERSIONS = (2, 3)
MAX_KEYS = 10_000
MAX_TEXTS = 2_000_000
"""The most texts in arrays: vocabularies and their merges, which files of language models bring along."""

MAX_SIDES = 4
"""The most dimensions that ggml's tensors have."""

FORMATS: Mapping[int, tuple[str, int, int]] = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 30: ("BF16", 1, 2), 28: ("F64", 1, 8),
    24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4), 27: ("I64", 1, 8),
    2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20), 6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210),
}  # fmt: skip
"""Number formats by ggml's number: their name, how many numbers are in a block, and the bytes of a block."""

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Types of values that are one number, and how `struct` writes them."""

TEXT, ARRAY = 8, 9

ALIGNMENT = "general.alignment"
SHAPES = "comfy.gguf.orig_shape."
"""Where ComfyUI's tools note the shape of a tensor that they flattened to have blocks, such as a kernel."""

Value = str | int | float | tuple[int | float, ...]


def read_gguf(path: Path) -> Header:
    """Read and check the header of the GGUF file `path`.

    Raises:
        CheckpointError: it is none, is truncated, has a number format that graphgen cannot read, or its tensors overlap
            or lie past the end of the file.
    """
    try:
        stat = path.stat()
        return _read(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check that it is a file") from error


@lru_cache(maxsize=64)
def _read(path: Path, size: int, modified: int, inode: int) -> Header:  # noqa: ARG001 - they are the memo's key
    if size < 24:
        raise CheckpointError(f"{path}: is {size} bytes long, too short for a GGUF file; download it again")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        cursor = _Cursor(path, mapped)
        magic, version = cursor.take(4), int(cursor.number("I"))
        if magic != MAGIC or version not in VERSIONS:
            raise CheckpointError(f"{path}: is no GGUF file of version 2 or 3; download it again")
        tensors, keys = (cursor.count("Q", most) for most in (MAX_TENSORS, MAX_KEYS))
        values = _values(cursor, keys)
        entries = [_entry(cursor) for _ in range(tensors)]
    found = dict(_tensor(path, name, entry, values) for name, entry in entries)
    if len(found) < len(entries):
        raise CheckpointError(f"{path}: names a tensor twice; the file is damaged or forged")
    step = values.get(ALIGNMENT, 32)
    if not isinstance(step, int) or not 0 < step <= 1 << 20:
        raise CheckpointError(f"{path}: {ALIGNMENT} is {step!r}; at most 1048576 is allowed: the file is damaged")
    data = -(-cursor.place // step) * step
    _check_places(path, found, max(size - data, 0), step)
    told = {name: value for name, value in values.items() if isinstance(value, str)}
    return Header(path, size, data, MappingProxyType(found), MappingProxyType(told))


class _Cursor:
    """A place in the file that moves on with what is read, and never past the most that a header may have."""

    def __init__(self, path: Path, mapped: mmap.mmap) -> None:
        self.path = path
        self.mapped = mapped
        self.end = min(len(mapped), MAX_HEADER)
        self.place = 0
        self.texts = 0

    def take(self, size: int) -> bytes:
        begin = self.place
        self.skip(size)
        return self.mapped[begin : self.place]

    def skip(self, size: int) -> None:
        if size > self.end - self.place:
            raise CheckpointError(
                f"{self.path}: its header goes on past byte {self.end}, which is the end of the file or the most that "
                "a header may have; it is truncated or damaged: download it again"
            )
        self.place += size

    def number(self, kind: str) -> int | float:
        found: int | float = struct.unpack("<" + kind, self.take(struct.calcsize("<" + kind)))[0]
        return found

    def count(self, kind: str, most: int) -> int:
        found = int(self.number(kind))
        if found > most:
            raise CheckpointError(f"{self.path}: counts {found} of what may be at most {most}; the file is damaged")
        return found

    def text(self) -> str:
        try:
            return self.take(int(self.number("Q"))).decode("utf-8")
        except UnicodeDecodeError as error:
            raise CheckpointError(f"{self.path}: has a name that is no text ({error}); the file is damaged") from error


def _values(cursor: _Cursor, keys: int) -> dict[str, Value]:
    """Read the keys and their values; of arrays only the short ones of numbers are kept."""
    found: dict[str, Value] = {}
    for _ in range(keys):
        name = cursor.text()
        if name in found:
            raise CheckpointError(f"{cursor.path}: has the key {name!r} twice; the file is damaged or forged")
        kind = int(cursor.number("I"))
        found[name] = _array(cursor) if kind == ARRAY else _value(cursor, kind)
    return found


def _value(cursor: _Cursor, kind: int) -> str | int | float:
    if kind == TEXT:
        return cursor.text()
    if kind not in NUMBERS:
        raise CheckpointError(f"{cursor.path}: has a value of the unknown type {kind}; the file is damaged")
    return cursor.number(NUMBERS[kind])


def _array(cursor: _Cursor) -> tuple[int | float, ...]:
    kind, count = int(cursor.number("I")), int(cursor.number("Q"))
    if kind == TEXT:
        cursor.texts += count
        if cursor.texts > MAX_TEXTS:
            raise CheckpointError(f"{cursor.path}: has more than {MAX_TEXTS} texts in its arrays; the file is damaged")
        for _ in range(count):
            cursor.skip(int(cursor.number("Q")))
        return ()
    if kind not in NUMBERS:
        raise CheckpointError(
            f"{cursor.path}: has an array of the type {kind}, which no model has; the file is damaged"
        )
    if count <= MAX_SIDES:
        return tuple(cursor.number(NUMBERS[kind]) for _ in range(count))
    cursor.skip(count * struct.calcsize("<" + NUMBERS[kind]))
    return ()


Entry = tuple[tuple[int, ...], int, int]


def _entry(cursor: _Cursor) -> tuple[str, Entry]:
    """Read a tensor's name, sides from the outermost on, number of its format, and place in the data."""
    name = cursor.text()
    sides = tuple(int(cursor.number("Q")) for _ in range(cursor.count("I", MAX_SIDES)))
    return name, (sides[::-1], int(cursor.number("I")), int(cursor.number("Q")))


def _tensor(path: Path, name: str, entry: Entry, values: Mapping[str, Value]) -> tuple[str, TensorInfo]:
    shape, number, begin = entry
    if number not in FORMATS:
        known = ", ".join(kind for kind, _, _ in FORMATS.values())
        raise CheckpointError(
            f"{path}: tensor {name!r} is in ggml's format {number}, which graphgen cannot read; get the model in one "
            f"of {known}"
        )
    kind, block, size = FORMATS[number]
    total = math.prod(shape)
    if total % block or (block > 1 and (not shape or shape[-1] % block)):
        raise CheckpointError(f"{path}: tensor {name!r} of shape {shape} has no whole blocks of {block} for {kind}")
    told = values.get(SHAPES + name)
    if told is not None:
        sides = tuple(int(side) for side in told) if isinstance(told, tuple) else ()
        if any(side < 0 for side in sides) or math.prod(sides) != total:
            raise CheckpointError(
                f"{path}: {SHAPES}{name} is {told}, but the tensor has {total} numbers; it is damaged"
            )
        shape = sides
    return name, TensorInfo(kind, shape, begin, begin + total // block * size)


def _check_places(path: Path, tensors: Mapping[str, TensorInfo], available: int, step: int) -> None:
    """Check that the tensors are aligned, inside the file, and do not overlap."""
    position, previous = 0, "the header"
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if info.end > available:
            raise CheckpointError(
                f"{path}: tensor {name!r} ends at byte {info.end} of the data, which has {available}: the file is "
                "truncated; download it again"
            )
        if info.begin < position or info.begin % step:
            kind = "overlaps" if info.begin < position else "is not aligned after"
            raise CheckpointError(f"{path}: tensor {name!r} {kind} {previous!r}; the file is damaged or forged")
        position, previous = info.end, name
