"""A value's image: the bytes that hold it, the same in memory, in a file and between processes.

In: an `Encoded` value. Out: the bytes of a safetensors file (https://github.com/huggingface/safetensors) whose
`__metadata__` holds the document and the digest, and whose tensors `0`, `1`, ... are the buffers; and back. Any
safetensors reader can open it. The widest types come first, so that every buffer is aligned without gaps, which the
format does not allow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import fields, is_dataclass
from math import prod
from typing import NamedTuple

from graphgen.codec import Buffer, ValueCodec
from graphgen.jsontypes import JSON
from graphgen.jsontypes import digest as digest_of

VERSION = "1"
_ALIGNMENT = 64  # bytes: where the data begins; what vector instructions like best


class Damaged(Exception):  # never leaves the cache
    """What was read is not what was written: cut short, changed, or of another version."""


class Span(NamedTuple):
    """Where one buffer lies in an image, in bytes from its beginning."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


class Layout(NamedTuple):
    """What an image says of itself."""

    document: str
    digest: str
    spans: tuple[Span, ...]


def pack(document: str, digest: str, buffers: Sequence[Buffer]) -> tuple[list[bytes | memoryview], tuple[Span, ...]]:
    """Return an image as the pieces to be written one after another, and where each buffer lies in it."""
    data = [_flat(buffer.data) for buffer in buffers]
    order = sorted(range(len(data)), key=lambda i: -(len(data[i]) // max(prod(buffers[i].shape), 1)))
    offsets, end = [0] * len(data), 0
    for i in order:
        offsets[i], end = end, end + len(data[i])
    header: dict[str, object] = {"__metadata__": {"graphgen": VERSION, "digest": digest, "document": document}}
    for i, buffer in enumerate(buffers):
        place = [offsets[i], offsets[i] + len(data[i])]
        header[str(i)] = {"dtype": buffer.dtype, "shape": list(buffer.shape), "data_offsets": place}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-(len(text) + 8) % _ALIGNMENT)
    base = len(text) + 8
    spans = tuple(
        Span(buffer.dtype, tuple(buffer.shape), base + offset, base + offset + len(view))
        for buffer, offset, view in zip(buffers, offsets, data, strict=True)
    )
    return [len(text).to_bytes(8, "little"), text, *(data[i] for i in order)], spans


def parse(image: bytes | memoryview) -> Layout:
    """Read an image's header.

    Raises:
        Damaged: it is no image, is cut short, or was written by another version of graphgen.
    """
    try:
        base = 8 + int.from_bytes(image[:8], "little")
        if len(image) < 8 or base > len(image):
            raise Damaged("it is cut short")
        header = json.loads(bytes(image[8:base]))
        about = header.pop("__metadata__")
        if about["graphgen"] != VERSION:
            raise Damaged(f"it is of version {about['graphgen']}, this graphgen reads {VERSION}")
        spans = tuple(_span(header[str(i)], base) for i in range(len(header)))
        if max((span.stop for span in spans), default=base) != len(image):
            raise Damaged("its length is not what its header says")
        return Layout(str(about["document"]), str(about["digest"]), spans)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise Damaged(f"its header cannot be read ({error})") from error


def measure(layout: Layout, image: bytes | memoryview) -> str:
    """Return the digest of what an image really holds; the same that `ValueCodec.encode` gave the value."""
    parts: list[bytes | memoryview] = [layout.document.encode()]
    for span in layout.spans:
        parts.append(f"|{span.dtype}{list(span.shape)}".encode())
        parts.append(image[span.start : span.stop])
    return digest_of(*parts)


def understood(document: str, codec: ValueCodec) -> bool:
    """Tell whether every class a document mentions is known here, with the same fields as when it was written."""
    if "{" not in document:
        return True
    pending: list[JSON] = [json.loads(document)]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending += item
        elif isinstance(item, dict):
            (mark, content), *_ = item.items()
            if not _knows(mark[1:], content, codec):
                return False
            if mark != "$buffer":
                pending += _inside(content)
    return True


def _knows(mark: str, content: JSON, codec: ValueCodec) -> bool:
    if mark in ("tuple", "map", "float", "bytes"):
        return True
    if mark == "buffer":
        return isinstance(content, list) and content[0] in codec.buffers
    cls = codec.types.classes.get(mark)
    if cls is None or not is_dataclass(cls) or not isinstance(content, dict):
        return False
    return content.keys() == {field.name for field in fields(cls)}


def _inside(content: JSON) -> Iterable[JSON]:
    if isinstance(content, dict):
        return content.values()
    return content if isinstance(content, list) else ()


def _flat(data: memoryview | bytes | bytearray) -> memoryview:
    view = memoryview(data)
    return view.cast("B") if view.nbytes else memoryview(b"")  # a view with a zero in its shape cannot be cast


def _span(entry: dict[str, list[int]], base: int) -> Span:
    start, stop = entry["data_offsets"]
    if not 0 <= start <= stop:
        raise Damaged("its header has impossible offsets")
    return Span(str(entry["dtype"]), tuple(int(n) for n in entry["shape"]), base + start, base + stop)
