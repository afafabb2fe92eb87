"""What leaves the disk tier, and when.

In: a disk tier and its budget in bytes. Out: fewer files. Counting every file takes a while (30 ms for 10,000), so a
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
    """One file: `used` is when it was used last, in seconds since 1970; a result has a worth, and values' digests."""

    path: str
    size: int
    used: float
    worth: float = 0.0
    digests: tuple[str, ...] = ()


@dataclass(slots=True)
class _Survey:
    """What is in a cache directory: the files of results, those of values by digest, and the bytes of all."""

    results: list[_File] = field(default_factory=list)
    values: dict[str, _File] = field(default_factory=dict)
    total: int = 0


def count(disk: DiskTier) -> tuple[int, int]:
    """Return how many results are on disk (a key each), and the bytes of all files."""
    results = [size for entry in disk.results() if (size := _size(entry)) is not None]
    values = [size for entry in disk.values() if (size := _size(entry)) is not None]
    return len(results), sum(results) + sum(values)


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
    holders = Counter(digest for result in survey.results for digest in result.digests)
    for digest in survey.values.keys() - holders.keys():
        if now - survey.values[digest].used > GRACE:
            _drop_value(survey, digest)
    if survey.total > budget:
        _drop_least(survey, holders, int(budget * TARGET))
    _sweep_temporary(disk, now)
    _note(disk, survey.total, now)
    return before - survey.total


def clear(disk: DiskTier) -> None:
    """Delete all results and values, those of other versions of the layout included; nothing that is not the cache's.

    Raises:
        OSError: something that is there cannot be deleted.
    """
    for entry in (*disk.results(), *disk.values()):
        with suppress(FileNotFoundError):
            os.unlink(entry.path)
    for other in disk.directory.glob("v*"):
        if other.name != LAYOUT and other.name[1:].isdigit() and (other / "results").is_dir():
            shutil.rmtree(other, ignore_errors=True)
    _sweep_temporary(disk, disk.clock())
    with suppress(FileNotFoundError):
        (disk.root / "total.json").unlink()


def _survey(disk: DiskTier, now: float) -> _Survey:
    survey = _Survey()
    for entry in disk.values():
        with suppress(OSError):
            status = entry.stat()
            survey.values[Path(entry.name).stem] = _File(entry.path, status.st_size, status.st_mtime)
            survey.total += status.st_size
    for entry in disk.results():
        try:
            status = entry.stat()
            record = parse_record(Path(entry.path).read_bytes())
        except Damaged:
            _remove(entry.path)
            continue
        except OSError:
            continue
        size = status.st_size + sum(size for _, size, document in record.outputs.values() if document is None)
        digests = tuple({digest for digest, _, document in record.outputs.values() if document is None})
        used = status.st_mtime
        value = worth(record.seconds, size, now - used)
        survey.results.append(_File(entry.path, status.st_size, used, value, digests))
        survey.total += status.st_size
    return survey


def _drop_least(survey: _Survey, holders: Counter[str], target: int) -> None:
    for result in sorted(survey.results, key=lambda result: (result.worth, result.used)):
        if survey.total <= target:
            return
        _remove(result.path)
        survey.total -= result.size
        holders.subtract(result.digests)
        for digest in result.digests:
            if not holders[digest] and digest in survey.values:
                _drop_value(survey, digest)


def _drop_value(survey: _Survey, digest: str) -> None:
    value = survey.values.pop(digest)
    _remove(value.path)
    survey.total -= value.size


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
        descriptor = disk.replace([str(disk.root / "total.json")], (data,))
        if descriptor is not None:
            os.close(descriptor)


def _size(entry: os.DirEntry[str]) -> int | None:
    try:
        return entry.stat().st_size
    except OSError:
        return None


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)
