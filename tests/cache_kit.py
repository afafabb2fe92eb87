"""What the cache's tests share: an array class that is no tensor, socket types, keys, and programs run in processes."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import time

from graphgen.cache import Cache
from graphgen.codec import Buffer, BufferCodec, ValueCodec
from graphgen.jsontypes import digest
from graphgen.types import build_table

HERE = Path(__file__).parent


class Array:
    """Bytes with a shape and a type, which can be written to: what a tensor is to the cache."""

    def __init__(self, data: bytes | bytearray | memoryview, shape: tuple[int, ...], dtype: str = "U8") -> None:
        self.data = data if isinstance(data, memoryview) else memoryview(bytearray(data))
        self.shape = shape
        self.dtype = dtype

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Array)
            and (self.shape, self.dtype) == (other.shape, other.dtype)
            and bytes(self.data) == bytes(other.data)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Array({self.dtype}, {self.shape})"


@dataclass(frozen=True)
class Picture:
    """A value with a buffer, a number and a text."""

    pixels: Array
    seed: int
    title: str = ""


@dataclass(frozen=True)
class Plain:
    """A value in which nothing can change."""

    steps: int
    names: tuple[str, ...] = ()


def _encode(array: object) -> Buffer:
    assert isinstance(array, Array)
    return Buffer(array.dtype, array.shape, array.data)


def _decode(buffer: Buffer) -> Array:
    return Array(memoryview(buffer.data), buffer.shape, buffer.dtype)


def _summarise(buffer: Buffer) -> str:
    return "x".join(map(str, buffer.shape)) + f" from {memoryview(buffer.data)[0]}"


ARRAYS = BufferCodec("cache_kit.Array", _encode, _decode)
CODEC = ValueCodec(build_table([Picture, Plain]), {ARRAYS.classname: ARRAYS})
SUMMARISING = ValueCodec(CODEC.types, {ARRAYS.classname: BufferCodec(ARRAYS.classname, _encode, _decode, _summarise)})


def make_cache(
    directory: Path | None,
    memory_bytes: int = 1 << 28,
    disk_bytes: int = 1 << 30,
    lease: float = 30.0,
    clock: Callable[[], float] = time,
) -> Cache:
    """Return a cache that knows the types above."""
    return Cache(CODEC, directory, memory_bytes, disk_bytes, lease=lease, clock=clock)


def key(name: object) -> str:
    """Return a key made of a name."""
    return digest(str(name).encode())


def array(size: int, fill: int = 1) -> Array:
    """Return an array of so many equal bytes."""
    return Array(bytes([fill]) * size, (size,))


def small(directory: Path) -> Path:
    """Return the database of a cache directory."""
    return directory / "v2" / "small" / "small.sqlite"


def in_database(directory: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Look into a cache's database, or change something there, behind the cache's back."""
    with closing(sqlite3.connect(small(directory))) as connection, connection:
        return connection.execute(statement, values).fetchall()


def start(program: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a Python program that can import this module."""
    paths = os.pathsep.join([str(HERE), str(HERE.parent)])
    return subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
