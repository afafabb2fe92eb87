"""The disk tier: results that survive restarts, shared by processes.

In: results under keys of 40 hexadecimal digits. Out: the same, each byte checked. The layout, under the cache root:

    v1/values/ab/<digest>.safetensors   one value, named by what it holds (image.py has the format)
    v1/results/ab/<key>.json            outputs by name -> digests, seconds, bytes; `check` is the digest of the rest.
                                        Values without buffers are written here, in place of a file of their own
    v1/tmp/                             files being written
    v1/claims/                          who computes what (claims.py)
    v1/total.json                       how many bytes there are, about, and when they were counted last

Every file is written elsewhere and moved into place, so that a reader sees all of it or nothing. Nothing is fsynced:
what a power cut leaves half on the disk fails its check and is computed again, and the price of fsync (milliseconds
per file) would be paid on every run. A file that is missing is a miss, so other processes may delete at any time.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import time
from weakref import WeakValueDictionary

from graphgen.cache.image import VERSION, Damaged
from graphgen.cache.stored import MAPPED, Backing, Result, StoredValue, read_document, read_file, write_all
from graphgen.codec import ValueCodec
from graphgen.jsontypes import digest as digest_of

LAYOUT = "v1"
_log = logging.getLogger("graphgen.cache")
_INLINE = 8192  # characters: a longer document gets a file of its own
_RECENT = 600.0  # seconds: a file used later than that ago is not marked as used again
_CHECK = b'{"check":"'
_RESULT = b'","result":'


@dataclass(frozen=True, slots=True)
class Record:
    """What a result's file says: `outputs` is name -> (digest, bytes, document where it is written here)."""

    keys: Sequence[str]
    outputs: Mapping[str, tuple[str, int, str | None]]
    seconds: float


class DiskTier:
    """Reads and writes one cache directory. Any failure to write turns writing off, with one warning.

    `known` finds values with buffers by digest while anybody holds them, so that each is checked and held once per
    process. `clock` gives seconds since 1970, to be compared with the files' times of change. `written` counts bytes.
    """

    def __init__(self, directory: Path, codec: ValueCodec, clock: Callable[[], float] = time) -> None:
        self.directory = directory
        self.root = directory / LAYOUT
        self.problem: str | None = None
        self.known: WeakValueDictionary[str, StoredValue] = WeakValueDictionary()
        self.clock = clock
        self.written = 0
        self._codec = codec
        self._results = str(self.root / "results")
        self._values = str(self.root / "values")
        self._temporary = str(self.root / "tmp" / f"{os.getpid()}-{secrets.token_hex(8)}-")
        self._counter = count()
        self._unreadable: set[str] = set()  # keys of what is damaged and cannot be deleted

    def has(self, key: str) -> bool:
        """Tell whether there is a result under a key; whether it is sound only `read` tells."""
        return key not in self._unreadable and os.path.exists(self._result_path(key))

    def read(self, key: str) -> Result | None:
        """Return the result under a key, every byte checked, or None. What is damaged is deleted, and said so."""
        if key in self._unreadable:
            return None
        path = self._result_path(key)
        try:
            data, used = _read(path)
            record = parse_record(data)
            if key not in record.keys:
                raise Damaged("it bears another's name")
            values = {
                name: self._read_value(digest, document) for name, (digest, _, document) in record.outputs.items()
            }
        except FileNotFoundError as error:
            if error.filename != path:
                self._drop(key, path)  # its value is gone, so that it will never be a hit again
            return None
        except (Damaged, OSError) as error:
            _log.warning("cache entry %s is dropped: %s; it will be computed again", key, error)
            self._drop(key, path)
            return None
        if abs((now := self.clock()) - used) > _RECENT:
            with suppress(OSError):
                os.utime(path, (now, now))
        return Result(values, record.seconds, "disk", durable=True)

    def write(self, keys: Sequence[str], result: Result) -> None:
        """Write a result under all the keys. Raises nothing: a failure sets `problem` and is warned of, once."""
        if self.problem is not None:
            return
        try:
            outputs = {name: self._write_value(value) for name, value in result.values.items()}
            data = format_record(keys, outputs, result.seconds, self.clock())
            self._place(data, [self._result_path(key) for key in keys])
            self._unreadable.difference_update(keys)
        except OSError as error:
            self.fail(error)

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
        """Yield the files of values."""
        return _files(self._values)

    def results(self) -> Iterable[os.DirEntry[str]]:
        """Yield the files of results."""
        return _files(self._results)

    def temporary(self) -> str:
        """Return a name for a file to be written and then moved into place."""
        return f"{self._temporary}{next(self._counter)}"

    def replace(self, paths: Sequence[str], pieces: Iterable[bytes | memoryview]) -> int | None:
        """Write a file elsewhere, move it into its places (links to one file) and return it, still open for reading.

        Returns None when somebody cleared the cache meanwhile, so that there is nothing left to move.

        Raises:
            OSError: the directory cannot be written to.
        """
        part = self.temporary()
        descriptor = _open_new(part)
        try:
            write_all(descriptor, pieces)
            for path in paths[1:]:
                _link(part, path, self.temporary())
            _in_folder(os.replace, part, paths[0])
        except BaseException as error:
            os.close(descriptor)
            _remove(part)
            if isinstance(error, FileNotFoundError):
                return None
            raise
        return descriptor

    def _drop(self, key: str, path: str) -> None:
        _remove(path)
        if os.path.lexists(path):
            self._unreadable.add(key)

    def _result_path(self, key: str) -> str:
        return f"{self._results}/{key[:2]}/{key}.json"

    def _value_path(self, digest: str) -> str:
        return f"{self._values}/{digest[:2]}/{digest}.safetensors"

    def _read_value(self, digest: str, document: str | None) -> StoredValue:
        if document is not None:
            return read_document(document, digest, self._codec)
        known = self.known.get(digest)
        if known is not None:
            return known
        path = self._value_path(digest)
        try:
            value = read_file(path, self._codec)
            if value.digest != digest:
                raise Damaged("a value's file bears another's name")
        except Damaged:
            _remove(path)
            raise
        value.path = Path(path)
        self.known[digest] = value
        return value

    def _write_value(self, value: StoredValue) -> tuple[str, int, str | None]:
        if not value.has_buffers and len(value.document) <= _INLINE:
            return value.digest, value.size, value.document
        path = self._value_path(value.digest)
        try:
            os.utime(path, (now := self.clock(), now))  # so that another process' eviction spares it for now
        except FileNotFoundError:
            descriptor = self.replace([path], value.pieces())
            self.written += value.size
            if descriptor is not None and (value.size < MAPPED or not _rest(value, descriptor)):
                os.close(descriptor)
        value.path = Path(path)
        self.known[value.digest] = value
        return value.digest, value.size, None

    def _place(self, data: bytes, paths: Sequence[str]) -> None:
        descriptor = self.replace(paths, (data,))
        self.written += len(data)
        if descriptor is not None:
            os.close(descriptor)


def format_record(
    keys: Sequence[str], outputs: Mapping[str, tuple[str, int, str | None]], seconds: float, created: float
) -> bytes:
    """Write a result's file."""
    body = json.dumps(
        {"version": VERSION, "keys": list(keys), "outputs": outputs, "seconds": seconds, "created": created},
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()
    return _framed(body)


def parse_record(data: bytes) -> Record:
    """Read a result's file.

    Raises:
        Damaged: it is cut short, changed, or of another version.
    """
    start = len(_CHECK) + 40 + len(_RESULT)
    body = data[start:-1]
    if data != _framed(body):
        raise Damaged("its content does not match its digest")
    try:
        fields = json.loads(body)
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


def _in_folder(act: Callable[[str, str], None], part: str, path: str) -> None:
    """Move or link a file into a folder, which is made when it is not there."""
    try:
        act(part, path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        act(part, path)


def _link(part: str, path: str, spare: str) -> None:
    """Give a file a second name, in place of what has that name now; a copy where there are no links."""
    try:
        _in_folder(os.link, part, path)
        return
    except FileNotFoundError:
        raise
    except FileExistsError:
        with suppress(OSError):
            os.link(part, spare)
            os.replace(spare, path)
            return
    except OSError:
        pass
    shutil.copyfile(part, spare)
    _in_folder(os.replace, spare, path)


def _read(path: str) -> tuple[bytes, float]:
    """Return a small file's content, and when it was used last."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        status = os.fstat(descriptor)
        return os.read(descriptor, status.st_size), status.st_mtime
    finally:
        os.close(descriptor)


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


def _files(folder: str) -> Iterable[os.DirEntry[str]]:
    """Yield the files one level below a folder; what vanishes meanwhile is left out."""
    with suppress(OSError), os.scandir(folder) as shards:
        for shard in shards:
            with suppress(OSError), os.scandir(shard.path) as entries:
                yield from entries
