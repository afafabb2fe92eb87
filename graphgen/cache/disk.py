"""The disk tier: results that survive restarts, shared by processes.

In: results under keys of 40 hexadecimal digits. Out: the same, each byte checked. The layout, under the cache root:

    v2/small/small.sqlite               results by key, and values under 64 KB by digest (database.py)
    v2/values/ab/<digest>.safetensors   one larger value, named by what it holds (image.py has the format)
    v2/tmp/                             files being written
    v2/claims/                          who computes what (claims.py)
    v2/total.json                       how many bytes there are, about, and when they were counted last

A result's record names its outputs -> digests, seconds and bytes; `check` is the digest of the rest, and short values
without buffers are written in it. Files are written elsewhere and moved into place, so that a reader sees all of one or
nothing. They are not fsynced: what a power cut leaves half on the disk fails its check and is computed again, and the
price of fsync (milliseconds per file) would be paid on every run. What is missing is a miss, so other processes may
delete at any time.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from time import time
from typing import NamedTuple
from weakref import WeakValueDictionary

from graphgen.cache.database import Database, Row
from graphgen.cache.image import VERSION, Damaged
from graphgen.cache.stored import (
    MAPPED,
    Backing,
    Result,
    StoredValue,
    read_document,
    read_file,
    read_image,
    write_all,
)
from graphgen.codec import ValueCodec
from graphgen.jsontypes import JSON, canonical
from graphgen.jsontypes import digest as digest_of

LAYOUT = "v2"
_log = logging.getLogger("graphgen.cache")
PACKED = 64 * 1024
"""Bytes below which a value lies in the database, and from which it is a file."""
_INLINE = 1024  # characters: a longer document does not stand in each record that names it
_STAGED = 4 << 20  # bytes that are written in one transaction, about
_RECENT = 600.0  # seconds: what was used later than that ago is not marked as used again
_CHECK = b'{"check":"'
_RESULT = b'","result":'


class Record(NamedTuple):
    """What is written of a result: `outputs` is name -> (digest, bytes, document where it is written here)."""

    keys: Sequence[str]
    outputs: Mapping[str, tuple[str, int, str | None]]
    seconds: float


class DiskTier:
    """Reads and writes one cache directory. Any failure to write turns writing off, with one warning.

    What is written is on disk after `commit`. `known` finds values by digest while anybody holds them, so that each is
    checked and held once per process. `clock` gives seconds since 1970, to be compared with the files' times of change.
    `written` counts bytes. `write` and `commit` are for one thread.
    """

    def __init__(self, directory: Path, codec: ValueCodec, clock: Callable[[], float] = time) -> None:
        self.directory = directory
        self.root = directory / LAYOUT
        self.database = Database(self.root / "small")
        self.problem: str | None = None
        self.known: WeakValueDictionary[str, StoredValue] = WeakValueDictionary()
        self.clock = clock
        self.written = 0
        self._codec = codec
        self._values = str(self.root / "values")
        self._temporary = str(self.root / "tmp" / f"{os.getpid()}-{secrets.token_hex(8)}-")
        self._counter = count()
        self._results: list[Row] = []
        self._images: dict[str, bytes] = {}
        self._staged = 0
        self._used: dict[str, float] = {}
        self._unreadable: set[str] = set()  # keys of what is damaged and cannot be deleted

    def has(self, key: str) -> bool:
        """Tell whether there is a result under a key; whether it is sound only `read` tells."""
        return key not in self._unreadable and self.database.result(key) is not None

    def among(self, keys: Iterable[str]) -> set[str]:
        """Return those keys under which there are results; whether they are sound only `read` tells."""
        return self.database.among(keys) - self._unreadable

    def read(self, key: str) -> Result | None:
        """Return the result under a key, every byte checked, or None. What is damaged is deleted, and said so."""
        found = None if key in self._unreadable else self.database.result(key)
        if found is None:
            return None
        data, used = found
        try:
            record = parse_record(data)
            if key not in record.keys:
                raise Damaged("it bears another's name")
            values = {
                name: self._read_value(digest, document) for name, (digest, _, document) in record.outputs.items()
            }
        except FileNotFoundError:
            self._drop(key)  # its value is gone, so that it will never be a hit again
            return None
        except (Damaged, OSError) as error:
            _log.warning("cache entry %s is dropped: %s; it will be computed again", key, error)
            self._drop(key)
            return None
        if abs((now := self.clock()) - used) > _RECENT:
            self._used[key] = now
        return Result(values, record.seconds, "disk", durable=True)

    def value(self, digest: str) -> StoredValue | None:
        """Return the value with a digest, every byte checked, or None: short ones lie in the records of results."""
        try:
            return self._read_value(digest, None)
        except FileNotFoundError:
            return None
        except (Damaged, OSError) as error:
            _log.warning("the cached value %s is not read: %s", digest, error)
            return None

    def outputs(self, key: str) -> dict[str, str]:
        """Return the digests of what a result holds, by output, without reading the values; empty if there is none."""
        found = None if key in self._unreadable else self.database.result(key)
        try:
            return {name: digest for name, (digest, _, _) in parse_record(found[0]).outputs.items()} if found else {}
        except Damaged:
            return {}  # whoever wants the result is told

    def write(self, keys: Sequence[str], result: Result) -> bool:
        """Write a result under all the keys, at the next `commit`; tell whether that is due, because much is waiting.

        Raises nothing: a failure sets `problem` and is warned of, once.
        """
        if self.problem is not None:
            return False
        try:
            outputs = {name: self._write_value(value) for name, value in result.values.items()}
        except OSError as error:
            self.fail(error)
            return False
        now = self.clock()
        data = format_record(keys, outputs, result.seconds, now)
        self._results += [(key, data, now) for key in keys]
        self._staged += len(data) * len(keys)
        return self._staged > _STAGED

    @property
    def uncommitted(self) -> bool:
        """Tell whether there is anything to commit."""
        return bool(self._results or self._used)

    def commit(self) -> None:
        """Put on disk what was written, and which results were used. Raises nothing, as `write`."""
        results, images, used = self._results, list(self._images.items()), dict(self._used)
        try:
            if results or used:
                self.database.write(results, images, [(now, key) for key, now in used.items()])
            self._unreadable.difference_update(key for key, _, _ in results)
        except OSError as error:
            if results:  # that a result was used may go unsaid
                self.fail(error)
        self.written += self._staged
        self._results, self._images, self._staged = [], {}, 0
        for key in used:
            del self._used[key]

    def fail(self, error: OSError) -> None:
        """Stop writing, because of an error, and say so once."""
        if self.problem is None:
            self.problem = f"{self.directory}: {error.strerror or error}"
            _log.warning(
                "the cache cannot be written (%s); this run keeps results in memory only. Free some space there, "
                "or choose a writable folder with GRAPHGEN_CACHE_DIR",
                self.problem,
            )

    def values(self) -> Iterable[os.DirEntry[str]]:
        """Yield the files of values; what vanishes meanwhile is left out."""
        with suppress(OSError), os.scandir(self._values) as shards:
            for shard in shards:
                with suppress(OSError), os.scandir(shard.path) as entries:
                    yield from entries

    def temporary(self) -> str:
        """Return a name for a file to be written and then moved into place."""
        return f"{self._temporary}{next(self._counter)}"

    def replace(self, path: str, pieces: Iterable[bytes | memoryview]) -> int | None:
        """Write a file elsewhere, move it into its place and return it, still open for reading.

        Returns None when somebody cleared the cache meanwhile, so that there is nothing left to move.

        Raises:
            OSError: the directory cannot be written to.
        """
        part = self.temporary()
        descriptor = _open_new(part)
        try:
            write_all(descriptor, pieces)
            _move(part, path)
        except BaseException as error:
            os.close(descriptor)
            _remove(part)
            if isinstance(error, FileNotFoundError):
                return None
            raise
        return descriptor

    def _drop(self, key: str) -> None:
        try:
            self.database.remove([key])
        except OSError:
            self._unreadable.add(key)

    def _drop_value(self, digest: str, path: str) -> None:
        with suppress(OSError):
            self.database.remove([], [digest])
        _remove(path)

    def _value_path(self, digest: str) -> str:
        return f"{self._values}/{digest[:2]}/{digest}.safetensors"

    def _read_value(self, digest: str, document: str | None) -> StoredValue:
        if document is not None:
            return read_document(document, digest, self._codec)
        known = self.known.get(digest)
        if known is not None:
            return known
        image = self.database.image(digest)
        path = self._value_path(digest)
        try:
            value = read_file(path, self._codec) if image is None else read_image(image, self._codec)
            if value.digest != digest:
                raise Damaged("a value bears another's name")
        except Damaged:
            self._drop_value(digest, path)
            raise
        value.path = Path(path) if image is None else None
        self.known[digest] = value
        return value

    def _write_value(self, value: StoredValue) -> tuple[str, int, str | None]:
        if not value.has_buffers and len(value.document) <= _INLINE:
            return value.digest, value.size, value.document
        if value.size < PACKED:
            if value.digest not in self._images:
                self._images[value.digest] = b"".join(value.pieces())
                self._staged += value.size
        else:
            self._write_file(value)
        self.known[value.digest] = value
        return value.digest, value.size, None

    def _write_file(self, value: StoredValue) -> None:
        path = self._value_path(value.digest)
        try:
            os.utime(path, (now := self.clock(), now))  # so that another process' eviction spares it for now
        except FileNotFoundError:
            descriptor = self.replace(path, value.pieces())
            self.written += value.size
            if descriptor is not None and (value.size < MAPPED or not _rest(value, descriptor)):
                os.close(descriptor)
        value.path = Path(path)


def format_record(
    keys: Sequence[str], outputs: Mapping[str, tuple[str, int, str | None]], seconds: float, created: float
) -> bytes:
    """Write what is kept of a result."""
    about: dict[str, JSON] = {
        "version": VERSION,
        "keys": keys,
        "outputs": outputs,
        "seconds": seconds,
        "created": created,
    }
    return _framed(canonical(about).encode())


def parse_record(data: bytes) -> Record:
    """Read what is kept of a result.

    Raises:
        Damaged: it is cut short, changed, or of another version.
    """
    start = len(_CHECK) + 40 + len(_RESULT)
    body = data[start:-1]
    if data != _framed(body):
        raise Damaged("its content does not match its digest")
    try:
        fields = json.loads(body.decode())
        if fields["version"] != VERSION:
            raise Damaged(f"it is of version {fields['version']}, this graphgen reads {VERSION}")
        outputs = {name: (str(entry[0]), int(entry[1]), entry[2]) for name, entry in fields["outputs"].items()}
        return Record(tuple(fields["keys"]), outputs, float(fields["seconds"]))
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise Damaged(f"it cannot be read ({error})") from error


def _rest(value: StoredValue, descriptor: int) -> bool:
    backing = Backing.adopt(descriptor)
    if backing is not None:
        value.rest_on(backing)
    return backing is not None


def _framed(body: bytes) -> bytes:
    return b"%s%s%s%s}" % (_CHECK, digest_of(body).encode(), _RESULT, body)


def _open_new(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        return os.open(path, flags, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        return os.open(path, flags, 0o600)


def _move(part: str, path: str) -> None:
    """Move a file into a folder, which is made when it is not there."""
    try:
        os.replace(part, path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        os.replace(part, path)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
