"""What leaves the disk tier, and when.

In: a disk tier and its budget in bytes. Out: fewer results and files. Counting all of it takes a while, so a
process that writes counts when nobody did within the hour, and otherwise adds what it wrote to `total.json`.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from graphgen.cache.disk import LAYOUT, DiskTier, parse_record
from graphgen.cache.image import Damaged
from graphgen.cache.memory import TARGET, worth

RECOUNT = 3600.0  # seconds after which an estimate is no longer trusted
GRACE = 600.0  # seconds that a value may lie without a result: its writer may be about to write one
ABANDONED = 3600.0  # seconds after which a temporary file is nobody's any more


@dataclass(frozen=True, slots=True)
class _File:
    """A value's file: `used` is when it was used last, in seconds since 1970."""

    path: str
    size: int
    used: float


@dataclass(frozen=True, slots=True)
class _Entry:
    """A result, what keeping it is worth, and the digests of those of its values that do not stand in its record."""

    key: str
    size: int
    used: float
    worth: float
    digests: tuple[str, ...]


@dataclass(slots=True)
class _Survey:
    """What is in a cache directory, and the bytes of it all; `keys` and `digests` are to leave the database."""

    entries: list[_Entry] = field(default_factory=list)
    files: dict[str, _File] = field(default_factory=dict)
    images: dict[str, int] = field(default_factory=dict)
    total: int = 0
    keys: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)


def count(disk: DiskTier) -> tuple[int, int]:
    """Return how many results are on disk (a key each), and the bytes of all of it."""
    results, small = disk.database.totals()
    files = [size for entry in disk.values() if (size := _size(entry)) is not None]
    return results, small + sum(files)


def settle(disk: DiskTier, budget: int) -> None:
    """Add what was written to the running total, and trim when it exceeds the budget. Call after writing."""
    if disk.problem is not None or not disk.written:
        return
    now, path = disk.clock(), disk.root / "total.json"
    try:
        note = json.loads(path.read_text(encoding="utf-8"))
        total, counted = int(note["bytes"]) + disk.written, float(note["counted"])
    except (OSError, ValueError, TypeError, LookupError):
        total, counted = 0, float("-inf")
    if abs(now - counted) > RECOUNT:
        total, counted = count(disk)[1], now
    if total > budget:
        trim(disk, budget)
    else:
        _note(disk, total, counted)


def trim(disk: DiskTier, budget: int) -> int:
    """Delete what is least worth keeping until a tenth of the budget is free again; return the bytes deleted.

    Deletes damaged results, values without a result and abandoned temporary files on the way. Safe beside other
    processes that read, write and trim.
    """
    now = disk.clock()
    survey = _survey(disk, now)
    before = survey.total
    holders = Counter(digest for entry in survey.entries for digest in entry.digests)
    for digest in (survey.files.keys() | survey.images.keys()) - holders.keys():
        if digest in survey.images or now - survey.files[digest].used > GRACE:
            _drop_value(survey, digest)
    if survey.total > budget:
        _drop_least(survey, holders, int(budget * TARGET))
    if survey.keys or survey.digests:
        with suppress(OSError):
            disk.database.remove(survey.keys, survey.digests)
            disk.database.shrink()
    _sweep_temporary(disk, now)
    _note(disk, survey.total, now)
    return before - survey.total


def clear(disk: DiskTier) -> None:
    """Delete all results and values, those of other versions of the layout included; nothing that is not the cache's.

    Raises:
        OSError: something that is there cannot be deleted.
    """
    disk.database.clear()
    for entry in disk.values():
        with suppress(FileNotFoundError):
            os.unlink(entry.path)
    for other in disk.directory.glob("v*"):
        if other.name != LAYOUT and other.name[1:].isdigit() and (other / "results").is_dir():
            shutil.rmtree(other, ignore_errors=True)
    _sweep_temporary(disk, disk.clock())
    with suppress(FileNotFoundError):
        (disk.root / "total.json").unlink()


def _survey(disk: DiskTier, now: float) -> _Survey:
    survey = _Survey(images=disk.database.images())
    survey.total = sum(survey.images.values())
    for file in disk.values():
        with suppress(OSError):
            status = file.stat()
            survey.files[Path(file.name).stem] = _File(file.path, status.st_size, status.st_mtime)
            survey.total += status.st_size
    for key, data, used in disk.database.results():
        try:
            record = parse_record(data)
        except Damaged:
            survey.keys.append(key)
            continue
        size = len(data) + sum(size for _, size, document in record.outputs.values() if document is None)
        digests = tuple({digest for digest, _, document in record.outputs.values() if document is None})
        survey.entries.append(_Entry(key, len(data), used, worth(record.seconds, size, now - used), digests))
        survey.total += len(data)
    return survey


def _drop_least(survey: _Survey, holders: Counter[str], target: int) -> None:
    for entry in sorted(survey.entries, key=lambda entry: (entry.worth, entry.used)):
        if survey.total <= target:
            return
        survey.keys.append(entry.key)
        survey.total -= entry.size
        holders.subtract(entry.digests)
        for digest in entry.digests:
            if not holders[digest]:
                _drop_value(survey, digest)


def _drop_value(survey: _Survey, digest: str) -> None:
    if digest in survey.images:
        survey.total -= survey.images.pop(digest)
        survey.digests.append(digest)
    if file := survey.files.pop(digest, None):
        with suppress(OSError):
            os.unlink(file.path)
        survey.total -= file.size


def _sweep_temporary(disk: DiskTier, now: float) -> None:
    with suppress(OSError), os.scandir(disk.root / "tmp") as entries:
        for entry in entries:
            with suppress(OSError):
                if now - entry.stat().st_mtime > ABANDONED:
                    os.unlink(entry.path)


def _note(disk: DiskTier, total: int, counted: float) -> None:
    data = json.dumps({"bytes": total, "counted": counted}).encode()
    disk.written = 0
    with suppress(OSError):
        descriptor = disk.replace(str(disk.root / "total.json"), (data,))
        if descriptor is not None:
            os.close(descriptor)


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size
    except OSError:
        return None
