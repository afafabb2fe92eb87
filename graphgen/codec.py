"""Values as bytes: one JSON document and the buffers it refers to.

In: any value that travels along wires. Out: `Encoded`, from which the value can be made again, here or in another
process, and whose digest is the value's identity. The engine never looks inside a buffer: tensors and arrays are
turned into buffers, and back, by `BufferCodec`s that plugins register.

The document is the value itself where JSON can hold it. What JSON cannot hold is an object with one marked key:
`{"$latent": {fields}}` is a dataclass, `$tuple`, `$map`, `$float` (infinities), `$bytes` and `$buffer` are what they
say. Never a pickle.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from math import isfinite
from typing import Any, NamedTuple

from graphgen.errors import DefinitionError
from graphgen.jsontypes import JSON, canonical, digest
from graphgen.types import TypeTable, class_name


@dataclass(frozen=True, slots=True)
class Buffer:
    """A tensor as bytes: `dtype` is safetensors' name for it (`F32`, `U8`, ...), `data` is C-ordered."""

    dtype: str
    shape: tuple[int, ...]
    data: memoryview | bytes | bytearray


@dataclass(frozen=True, slots=True)
class Distance:
    """How far two values are apart: the largest difference between two numbers, and the mean of the squared ones."""

    largest: float
    squared: float


@dataclass(frozen=True, slots=True)
class BufferCodec:
    """How one class of arrays becomes a buffer and back.

    `classname` is its full name (`torch.Tensor`), so that registering a codec does not import the library. `decode`
    may keep the buffer's memory: it is writable and nobody else's. `difference` tells how far two buffers of one form
    are apart, so that values of two runs can be compared with a tolerance.
    """

    classname: str
    encode: Callable[[object], Buffer]
    decode: Callable[[Buffer], object]
    summarise: Callable[[Buffer], str] | None = None
    difference: Callable[[Buffer, Buffer], Distance] | None = None


class Encoded(NamedTuple):
    """A value as canonical JSON and buffers; `digest` identifies it; nothing in a `shareable` one can be changed."""

    document: str
    buffers: tuple[Buffer, ...]
    digest: str
    shareable: bool

    @property
    def size(self) -> int:
        """Return the value's size in bytes."""
        return len(self.document) + sum(memoryview(buffer.data).nbytes for buffer in self.buffers)


class Raw(NamedTuple):
    """A value, or a part of one, as it is encoded: to be put into another value without being made."""

    document: JSON
    buffers: Sequence[Buffer]


@dataclass(frozen=True)
class ValueCodec:
    """Encode and decode values, knowing the socket types and buffer codecs that plugins registered."""

    types: TypeTable
    buffers: Mapping[str, BufferCodec]

    def encode(self, value: object) -> Encoded:
        """Turn a value into JSON and buffers.

        Raises:
            DefinitionError: the value holds something that has no codec, or NaN.
        """
        writer = _Writer(self)
        written = writer.write(value)
        try:
            document = canonical(written)
        except ValueError as error:
            raise DefinitionError(
                f"a value of type {type(value).__name__} cannot travel along a wire: {error}"
            ) from error
        parts: list[bytes | bytearray | memoryview] = [document.encode()]
        for buffer in writer.buffers:
            parts.append(f"|{buffer.dtype}{list(buffer.shape)}".encode())
            parts.append(buffer.data)
        return Encoded(document, tuple(writer.buffers), digest(*parts), writer.shareable)

    def decode(self, encoded: Encoded) -> object:
        """Make the value again. Its buffers are used as they are: hand in ones that nobody else holds."""
        return self._read(json.loads(encoded.document), encoded.buffers)

    def read(self, document: JSON) -> object:
        """Make a value without buffers from its document, or from a part of one that stands for a value."""
        return self._read(document, ())

    def distance(self, one: Encoded, other: Encoded) -> Distance | None:
        """Tell how far two values are apart; None where they are not made alike, or nobody can tell."""
        if one.digest == other.digest:
            return Distance(0.0, 0.0)
        form = [(buffer.dtype, buffer.shape) for buffer in one.buffers]
        codecs = [codec for codec in self.buffers.values() if f'"{codec.classname}"' in one.document]
        if one.document != other.document or form != [(buffer.dtype, buffer.shape) for buffer in other.buffers]:
            return None
        if len(codecs) != 1 or codecs[0].difference is None:
            return None
        found = [codecs[0].difference(mine, its) for mine, its in zip(one.buffers, other.buffers, strict=True)]
        return max(found, key=lambda item: item.largest, default=None)

    def buffer_codec(self, cls: type) -> BufferCodec | None:
        """Return the codec for an array class or its nearest ancestor that has one."""
        for base in cls.__mro__:
            if found := self.buffers.get(f"{base.__module__}.{base.__qualname__}"):
                return found
        return None

    def _read(self, document: JSON, buffers: Sequence[Buffer]) -> object:
        if isinstance(document, list):
            return [self._read(item, buffers) for item in document]
        if not isinstance(document, dict):
            return document
        (mark, content), *rest = document.items()
        if rest or not mark.startswith("$"):
            raise DefinitionError(f"a stored value has an object without a mark: {list(document)}")
        return self._read_marked(mark[1:], content, buffers)

    def _read_marked(self, mark: str, content: JSON, buffers: Sequence[Buffer]) -> object:
        if mark == "tuple" and isinstance(content, list):
            return tuple(self._read(item, buffers) for item in content)
        if mark == "map" and isinstance(content, dict):
            return {key: self._read(item, buffers) for key, item in content.items()}
        if mark == "float" and isinstance(content, str):
            return float(content)
        if mark == "bytes" and isinstance(content, int):
            return bytes(buffers[content].data)
        if mark == "buffer" and isinstance(content, list):
            classname, index = str(content[0]), int(content[1])
            if classname not in self.buffers:
                raise DefinitionError(f"no plugin can read a stored {classname}; install the one that wrote it")
            return self.buffers[classname].decode(buffers[index])
        return self._read_dataclass(mark, content, buffers)

    def _read_dataclass(self, name: str, content: JSON, buffers: Sequence[Buffer]) -> object:
        cls = self.types.classes.get(name)
        if cls is None or not isinstance(content, dict):
            raise DefinitionError(f"no plugin knows the stored type '{name}'; install the one that wrote it")
        return cls(**{key: self._read(item, buffers) for key, item in content.items()})


class _Writer:
    """Walks one value; collects its buffers and notices whether anything in it could be changed."""

    def __init__(self, codec: ValueCodec) -> None:
        self.codec = codec
        self.buffers: list[Buffer] = []
        self.shareable = True

    def write(self, value: Any) -> JSON:
        cls = type(value)
        if value is None or cls is bool or cls is int or cls is str:
            plain: JSON = value
            return plain
        if cls is float:
            return _write_float(value)
        if cls is tuple:
            return {"$tuple": [self.write(item) for item in value]}
        if is_dataclass(value):
            return self._write_dataclass(value, cls)
        return self._write_changeable(value, cls)

    def _write_dataclass(self, value: object, cls: type) -> JSON:
        name = class_name(cls)
        if self.codec.types.classes.get(name) is not cls:
            raise DefinitionError(
                f"the type {cls.__module__}.{cls.__qualname__} is not registered; return it from register_types()"
            )
        return {f"${name}": {field: self.write(getattr(value, field)) for field in _field_names(cls)}}

    def _write_changeable(self, value: Any, cls: type) -> JSON:
        self.shareable = False  # a MappingProxyType too: whoever made it may still hold the dict behind it
        if isinstance(value, Raw):
            return self._write_raw(value)
        if cls is list:
            return [self.write(item) for item in value]
        if isinstance(value, Mapping):
            # sorted, as the document will be: buffers are numbered in the order they are met
            return {"$map": {key: self.write(value[key]) for key in sorted(map(self._key, value))}}
        if isinstance(value, bytes):
            return {"$bytes": self._buffer(Buffer("U8", (len(value),), value))}
        codec = self.codec.buffer_codec(cls)
        if codec is None:
            raise DefinitionError(
                f"a value of type {cls.__module__}.{cls.__qualname__} cannot travel along a wire; "
                "use numbers, texts, tuples, frozen dataclasses and tensors"
            )
        return {"$buffer": [codec.classname, self._buffer(codec.encode(value))]}

    def _write_raw(self, value: Raw) -> JSON:
        found: list[int] = []

        def note(number: int) -> int:
            found.append(number)
            return number

        _renumbered(value.document, note)
        numbers = {number: self._buffer(value.buffers[number]) for number in sorted(found)}  # as they were first met
        return _renumbered(value.document, numbers.__getitem__)

    def _buffer(self, buffer: Buffer) -> int:
        self.buffers.append(buffer)
        return len(self.buffers) - 1

    @staticmethod
    def _key(key: object) -> str:
        if isinstance(key, str):
            return key
        raise DefinitionError(f"a mapping on a wire has the key {key!r}; keys must be texts")


def _renumbered(document: JSON, number: Callable[[int], int]) -> JSON:
    """Return a document in which buffers have the numbers that `number` gives them."""
    if isinstance(document, list):
        return [_renumbered(item, number) for item in document]
    if not isinstance(document, Mapping):
        return document
    ((mark, content),) = document.items()
    if mark == "$bytes" and isinstance(content, int):
        return {mark: number(content)}
    if mark == "$buffer" and isinstance(content, list):
        return {mark: [content[0], number(int(str(content[1])))]}
    if isinstance(content, Mapping):  # fields, or a mapping, whose keys may be any text
        return {mark: {key: _renumbered(item, number) for key, item in content.items()}}
    return {mark: _renumbered(content, number)}


def _write_float(value: float) -> JSON:
    if value != value:
        raise DefinitionError("NaN has no place on a wire; write None where there is no number")
    return value if isfinite(value) else {"$float": repr(value)}


@cache
def _field_names(cls: type) -> tuple[str, ...]:
    return tuple(item.name for item in fields(cls))
