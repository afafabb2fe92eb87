"""Read a safetensors file's header: every tensor's name, type, shape and place, without reading a weight.

In goes a path, out comes a `Header` whose every claim has been checked against the file, so that nothing later has
to wonder whether two tensors share bytes or point past the end. The layout is safetensors' own: eight bytes of
little-endian header length, that many bytes of JSON, then the data without gaps
(https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
import math
import shlex
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from graphgen import ResourceError

MAX_HEADER = 100_000_000
"""The most bytes a header may have; the safetensors library draws the same line."""

MAX_TENSORS = 100_000
"""The most tensors a header may name; the largest models have a few thousand."""

MAX_SIDES = 64
"""The most dimensions a tensor may have; torch draws the same line."""

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E4M3": 8, "F8_E5M2": 8, "U16": 16, "I16": 16, "F16": 16, "BF16": 16,
    "U32": 32, "I32": 32, "F32": 32, "U64": 64, "I64": 64, "F64": 64,
}  # fmt: skip

PICKLES = frozenset({".ckpt", ".pt", ".pth", ".bin", ".pkl", ".pickle"})

PICKLE_MARKS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


class CheckpointError(ResourceError):
    """A checkpoint that cannot be used; the message says where, what, what is allowed and the cure."""


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """One tensor as the header describes it: `begin` and `end` count bytes from the start of the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True)
class Header:
    """A checked header: `data` is the file position where the tensors' bytes begin, `size` the file's size."""

    path: Path
    size: int
    data: int
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]


def read_header(path: Path) -> Header:
    """Read and check the header of the safetensors file `path`.

    Raises:
        CheckpointError: for a pickle, a truncated file, a header that is not what the format allows, or tensors
            that overlap, leave gaps, have the wrong size for their shape or lie past the end of the file.
    """
    refuse_pickle(path)
    try:
        stat = path.stat()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check that it is there") from error
    return _read_header(path, stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=64)
def _read_header(path: Path, size: int, modified: int, inode: int) -> Header:  # noqa: ARG001 - they are the memo's key
    try:
        with path.open("rb") as file:
            length = _header_length(path, size, file.read(9))
            file.seek(8)
            text = file.read(length)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); check that it is a file") from error
    entries = _parse(path, text)
    metadata = _metadata(path, entries.pop("__metadata__", {}))
    tensors = {name: _tensor(path, name, entry) for name, entry in entries.items()}
    _check_places(path, tensors, size - 8 - length)
    return Header(path, size, 8 + length, MappingProxyType(tensors), MappingProxyType(metadata))


def refuse_pickle(path: Path) -> None:
    """Raise for a file whose ending says that it is pickled: reading one runs whatever code is in it."""
    if path.suffix.lower() in PICKLES:
        raise CheckpointError(
            f"{path}: {path.suffix} files are pickles, and opening a pickle runs code from whoever made it; "
            "graphgen reads .safetensors only. Get the model's .safetensors file, or take the tensors out of this one: "
            f"graphgen convert {shlex.quote(str(path))}"
        )


def _header_length(path: Path, size: int, first: bytes) -> int:
    if first[8:] != b"{" and first.startswith(PICKLE_MARKS):
        raise CheckpointError(
            f"{path}: holds a pickle under the name of a safetensors file, and opening a pickle runs code from "
            "whoever made it; get the model's real .safetensors file"
        )
    if len(first) < 8:
        raise CheckpointError(f"{path}: is {size} bytes long, too short for a safetensors file; download it again")
    length: int = struct.unpack("<Q", first[:8])[0]
    if length > MAX_HEADER:
        raise CheckpointError(
            f"{path}: its header claims {length} bytes, and at most {MAX_HEADER} are allowed; this is no safetensors "
            "file, or a damaged one: download it again"
        )
    if 8 + length > size:
        raise CheckpointError(
            f"{path}: its header claims {length} bytes and the file has {size}: it is truncated; download it again"
        )
    return length


def _parse(path: Path, text: bytes) -> dict[str, object]:
    """Return the header's JSON object, refusing repeated names (json would silently keep the last)."""

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found: dict[str, object] = {}
        for name, value in pairs:
            if name in found:
                raise CheckpointError(f"{path}: its header names {name!r} twice; the file is damaged or forged")
            name.encode()  # half a character, which JSON can write, is no text
            found[name] = value
        return found

    try:
        entries = json.loads(text.decode("utf-8"), object_pairs_hook=unique)
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, or a number of thousands of digits
        raise CheckpointError(f"{path}: its header is not JSON ({error}); download the file again") from error
    if not isinstance(entries, dict):
        raise CheckpointError(f"{path}: its header is not a JSON object; download the file again")
    if len(entries) > MAX_TENSORS:
        raise CheckpointError(f"{path}: names {len(entries)} tensors, and at most {MAX_TENSORS} are allowed")
    return entries


def _metadata(path: Path, entry: object) -> dict[str, str]:
    if not isinstance(entry, dict) or not all(isinstance(value, str) for value in entry.values()):
        raise CheckpointError(f"{path}: __metadata__ must map names to strings; the file is damaged")
    return entry


def _tensor(path: Path, name: str, entry: object) -> TensorInfo:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CheckpointError(f"{path}: tensor {name!r} must have dtype, shape and data_offsets, and nothing else")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in BITS:
        raise CheckpointError(f"{path}: tensor {name!r} has the type {dtype!r}; known are {', '.join(BITS)}")
    if not _counts(shape) or len(shape) > MAX_SIDES:
        raise CheckpointError(f"{path}: tensor {name!r} has no shape of at most {MAX_SIDES} whole numbers")
    if not _counts(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise CheckpointError(f"{path}: tensor {name!r} lies at {offsets!r}; that must be [begin, end], begin first")
    begin, end = offsets
    needed = math.prod(shape) * BITS[dtype] // 8
    if end - begin != needed:
        raise CheckpointError(
            f"{path}: tensor {name!r} has {end - begin} bytes, but {dtype} of shape {shape} takes {needed}; "
            "the file is damaged: download it again"
        )
    return TensorInfo(dtype, tuple(shape), begin, end)


def _counts(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 63 for item in value)


def _check_places(path: Path, tensors: Mapping[str, TensorInfo], available: int) -> None:
    """Check that the tensors fill the data from its first byte to its last, without overlap or gap."""
    position, previous = 0, "the header"
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if info.end > available:
            raise CheckpointError(
                f"{path}: tensor {name!r} ends at byte {info.end} of the data, which has {available}: the file is "
                "truncated; download it again"
            )
        if info.begin != position:
            kind = "overlaps" if info.begin < position else "leaves a gap after"
            raise CheckpointError(f"{path}: tensor {name!r} {kind} {previous!r}; the file is damaged or forged")
        position, previous = info.end, name
    if position != available:
        raise CheckpointError(f"{path}: {available - position} bytes follow the last tensor; the file is damaged")
