"""A value as the cache holds it: immutable, identified by its digest, handed out as private copies.

In: an encoded value, or the file that holds one. Out: `StoredValue`, whose `load` gives every consumer a value of its
own, so that a node that writes into its input spoils nobody's.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from mmap import ACCESS_COPY, ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import Literal, NamedTuple

from graphgen.cache.image import Damaged, Layout, Span, measure, pack, parse, understood
from graphgen.codec import Buffer, Encoded, Raw, ValueCodec
from graphgen.jsontypes import JSON
from graphgen.novalue import reason_in

MAPPED = 128 * 1024
"""Bytes from which a value lies in a file that consumers map copy-on-write; smaller ones are cloned."""

_open_files = BoundedSemaphore(256)  # a process may usually have 1,024 files open (macOS: 256), its nodes' included


class Backing:
    """An open file that holds one image. It closes with the last reference, and may be deleted before that."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def adopt(cls, descriptor: int) -> Backing | None:
        """Take over an open file, or return None, leaving it alone, when too many are open already."""
        return cls(descriptor) if _open_files.acquire(blocking=False) else None

    @classmethod
    def create(cls, pieces: Iterable[bytes | memoryview]) -> Backing | None:
        """Write an image into nameless memory, or a nameless file; None when too many are open already."""
        descriptor = _nameless()
        backing = cls.adopt(descriptor)
        if backing is None:
            os.close(descriptor)
        else:
            write_all(descriptor, pieces)
        return backing

    def fileno(self) -> int:
        """Return the open file's descriptor, which stays the backing's own."""
        return self._descriptor

    def view(self, *, private: bool) -> memoryview:
        """Map the image: for reading, or as a private copy that costs nothing until it is written to."""
        return memoryview(mmap(self._descriptor, 0, access=ACCESS_COPY if private else ACCESS_READ))

    def __del__(self) -> None:
        os.close(self._descriptor)
        _open_files.release()


class StoredValue:
    """One immutable value: `digest` identifies it (40 hexadecimal digits), `size` is its bytes."""

    __slots__ = ("__weakref__", "_codec", "_image", "_kind", "_spans", "_value", "digest", "document", "path", "size")

    def __init__(
        self, codec: ValueCodec, layout: Layout, image: bytes | Backing | None, size: int, value: object = None
    ) -> None:
        self.digest = layout.digest
        self.document = layout.document
        self.size = size
        self.path: Path | None = None
        """Where it lies on disk, if it does; another process may delete it there at any time."""
        self._codec = codec
        self._spans = layout.spans
        self._image = image
        self._value = value
        self._kind: Literal["shared", "copied", "unknown"] = "unknown" if image is None else "copied"

    @property
    def has_buffers(self) -> bool:
        """Tell whether there is more to the value than its document."""
        return bool(self._spans)

    @property
    def first_shape(self) -> tuple[int, ...] | None:
        """Return the shape of the first tensor that the document names; None where there is none."""
        return self._spans[0].shape if self._spans else None

    @property
    def image(self) -> bytes | Backing | None:
        """Return what holds the buffers, as bytes or as an open file; None where there are none."""
        return self._image

    @classmethod
    def wrap(cls, value: object, codec: ValueCodec) -> StoredValue:
        """Encode a value and hold what came of it: the value itself only if nothing in it can change.

        Raises:
            DefinitionError: the value holds something that has no codec, or NaN.
        """
        encoded = codec.encode(value)
        if not encoded.buffers:
            stored = cls(codec, Layout(encoded.document, encoded.digest, ()), None, len(encoded.document))
            stored._kind, stored._value = ("shared", value) if encoded.shareable else ("copied", None)
            return stored
        pieces, spans = pack(encoded.document, encoded.digest, encoded.buffers)
        size = encoded.size
        image = Backing.create(pieces) if size >= MAPPED else None
        return cls(codec, Layout(encoded.document, encoded.digest, spans), image or b"".join(pieces), size)

    def load(self) -> object:
        """Return the value, for the caller alone: what nobody can change by reference, all else as a copy.

        Costs 0.1 µs for numbers and texts, and about 20 µs for tensors of any size.
        """
        if self._kind == "shared":
            return self._value
        value = self._codec.decode(Encoded(self.document, self._private(), self.digest, False))
        if self._kind == "unknown":
            shareable = self._codec.encode(value).shareable
            self._value = value if shareable else None
            self._kind = "shared" if shareable else "copied"
        return value

    def carried(self) -> object:
        """Return the value to be put into another one, a list to be taken apart: what holds arrays stays encoded.

        So an engine whose nodes run elsewhere needs no library that makes arrays.
        """
        if not self.has_buffers:
            return self.load()
        document, buffers = json.loads(self.document), self.encoded.buffers
        return [Raw(item, buffers) for item in document] if isinstance(document, list) else Raw(document, buffers)

    @property
    def encoded(self) -> Encoded:
        """The value as it is held: its document, and its buffers to be read, not written to."""
        image = self._image
        whole = image.view(private=False) if isinstance(image, Backing) else memoryview(image or b"").toreadonly()
        buffers = (Buffer(span.dtype, span.shape, whole[span.start : span.stop]) for span in self._spans)
        return Encoded(self.document, tuple(buffers), self.digest, False)

    def summary(self) -> str:
        """Return a few words for people: `7`, `'a red apple'`, `latent 4x64x64`, `list of 3`, `no value: it is odd`."""
        if (reason := reason_in(self.document)) is not None:
            return f"no value: {reason}"
        if len(self.document) > 100_000:
            return f"{len(self.document):,} characters"
        return self._describe(json.loads(self.document))

    def pieces(self) -> list[bytes | memoryview]:
        """Return the image as pieces to be written one after another."""
        image = self._image
        if image is None:
            return pack(self.document, self.digest, ())[0]
        return [image if isinstance(image, bytes) else image.view(private=False)]

    def rest_on(self, backing: Backing) -> None:
        """Let the image lie in this file from now on, instead of in memory."""
        if isinstance(self._image, Backing):
            self._image = backing

    def _private(self) -> tuple[Buffer, ...]:
        image = self._image
        if isinstance(image, Backing):
            whole = image.view(private=True)
            return tuple(Buffer(span.dtype, span.shape, whole[span.start : span.stop]) for span in self._spans)
        data = memoryview(image or b"")
        return tuple(Buffer(span.dtype, span.shape, bytearray(data[span.start : span.stop])) for span in self._spans)

    def _describe(self, document: JSON) -> str:
        if isinstance(document, str):
            return repr(document if len(document) <= 40 else document[:39] + "…")
        if isinstance(document, list):
            return f"list of {len(document)}"
        if not isinstance(document, dict):
            return "none" if document is None else json.dumps(document)
        (mark, content), *_ = document.items()
        if mark == "$buffer" and isinstance(content, list):
            return self._describe_buffer(str(content[0]), int(content[1]))
        if mark in ("$tuple", "$map") and isinstance(content, (list, dict)):
            return f"{'tuple' if mark == '$tuple' else 'mapping'} of {len(content)}"
        if mark == "$bytes" and isinstance(content, int):
            return f"{self._spans[content].shape[0]:,} bytes"
        return str(content) if mark == "$float" else self._describe_object(mark[1:], content)

    def _describe_object(self, name: str, content: JSON) -> str:
        fields = content.values() if isinstance(content, Mapping) else ()
        shapes = [self._describe(field) for field in fields if isinstance(field, dict) and "$buffer" in field]
        return " ".join([name, *shapes[:1]])

    def _describe_buffer(self, classname: str, index: int) -> str:
        span = self._spans[index]
        summarise = self._codec.buffers[classname].summarise if classname in self._codec.buffers else None
        if summarise is None:
            return "x".join(map(str, span.shape)) or "number"
        image = self._image if isinstance(self._image, bytes) else self.pieces()[0]
        return summarise(Buffer(span.dtype, span.shape, memoryview(image)[span.start : span.stop]))


class Result(NamedTuple):
    """What a node once returned: its outputs by name, what computing them took, and where they were found.

    `durable` tells that it is on disk, or about to be.
    """

    values: Mapping[str, StoredValue]
    seconds: float
    source: Literal["memory", "disk"]
    durable: bool = False


def read_file(path: str | Path, codec: ValueCodec) -> StoredValue:
    """Read a value from a file and check that every byte is as it was written.

    Raises:
        FileNotFoundError: there is no such file.
        Damaged: it is cut short, changed, of another version, or holds a type that is not known here in this form.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    image: bytes | Backing | None = None
    try:
        size = os.fstat(descriptor).st_size
        image = Backing.adopt(descriptor) if size >= MAPPED else None
        image = image or _read_all(descriptor, size)
    finally:
        if not isinstance(image, Backing):
            os.close(descriptor)
    return read_image(image, codec)


def read_image(image: bytes | Backing, codec: ValueCodec) -> StoredValue:
    """Make a value from its image and check that every byte is as it was written.

    Raises:
        Damaged: it is cut short, changed, of another version, or holds a type that is not known here in this form.
    """
    view = image if isinstance(image, bytes) else image.view(private=False)
    layout = parse(view)
    if measure(layout, view) != layout.digest:
        raise Damaged("its content does not match its digest")
    return _stored(layout, image, codec)


def read_document(document: str, digest: str, codec: ValueCodec) -> StoredValue:
    """Make a value without buffers from its document.

    Raises:
        Damaged: the document is not the one with this digest, or holds a type that is not known here in this form.
    """
    layout = Layout(document, digest, ())
    if measure(layout, b"") != digest:
        raise Damaged("a document does not match its digest")
    return _stored(layout, None, codec)


def write_all(descriptor: int, pieces: Iterable[bytes | memoryview]) -> None:
    """Write pieces to an open file, all of them."""
    for piece in pieces:
        view = memoryview(piece)
        while view:
            view = view[os.write(descriptor, view) :]


def _stored(layout: Layout, image: bytes | Backing | None, codec: ValueCodec) -> StoredValue:
    if not understood(layout.document, codec):
        raise Damaged("it holds a type that no installed plugin knows in this form")
    spans: tuple[Span, ...] = layout.spans
    size = len(layout.document) + sum(span.stop - span.start for span in spans)
    return StoredValue(codec, layout, image if spans else None, size)


def _read_all(descriptor: int, size: int) -> bytes:
    data = os.read(descriptor, size)
    while len(data) < size and (more := os.read(descriptor, size - len(data))):
        data += more
    return data


def _nameless() -> int:
    if sys.platform == "linux":
        return os.memfd_create("graphgen", os.MFD_CLOEXEC)
    with TemporaryFile() as file:
        return os.dup(file.fileno())
