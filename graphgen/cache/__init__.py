"""What was computed once: results by key, in memory and on disk.

In: a key (40 hexadecimal digits), and what a node returned. Out: the same, now, after a restart, or in another process.

    cache = Cache(codec, directory, memory_bytes=2 << 30, disk_bytes=20 << 30)
    result = cache.fetch(key)
    if result is None:
        claim = cache.claim(key)                              # None: somebody else computes it, or just did
        result = cache.wait_for(key, cancelled) if claim is None else None   # in a thread that may wait
        ...                                                   # a Claim is returned when the other gave up
        values = {"image": cache.wrap(image)}
        cache.keep([recipe_key, value_key], values, seconds, durable=True)
        claim.release()
    image = result.values["image"].load()                     # a private copy
    cache.flush()                                             # at the end of a run

`keep` returns at once: a thread writes. A process that is killed loses what was not written, and damages nothing.
Losing, deleting or damaging any file costs time, never a wrong result. memory.py and disk.py are the
tiers, database.py holds what is small on disk, stored.py has the values and image.py their format, eviction.py keeps
the disk's budget, claims.py the claims, writer.py the thread.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from graphgen.cache import eviction
from graphgen.cache.claims import LEASE, Claim, Claims
from graphgen.cache.disk import DiskTier
from graphgen.cache.memory import MemoryTier
from graphgen.cache.stored import Result, StoredValue
from graphgen.cache.writer import Writer
from graphgen.codec import ValueCodec
from graphgen.errors import CacheError, Cancelled

__all__ = ["Cache", "CacheInfo", "Claim", "Result", "StoredValue"]

_is_key = re.compile("[0-9a-f]{40}").fullmatch
_POLL = 0.02  # seconds between looks at what another process does, growing to ten times that


_SETTLE = 0.05  # the part of the disk budget after which a long run looks at it, without waiting for its end


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What is in the cache. Sizes and budgets are in bytes; `problem` says why nothing is written, if so."""

    directory: Path | None
    memory_results: int
    memory_bytes: int
    memory_budget: int
    disk_results: int
    disk_bytes: int
    disk_budget: int
    problem: str | None


class Cache:
    """Two tiers behind one door. Thread-safe; any number of processes may share a directory.

    `directory` None keeps everything in memory. Nothing is read or made on disk before it is needed; a directory that
    cannot be written is warned of once, and memory serves alone. `lease` (seconds) and `clock` (seconds since 1970)
    are for claims.
    """

    def __init__(
        self,
        codec: ValueCodec,
        directory: Path | None,
        memory_bytes: int,
        disk_bytes: int,
        *,
        lease: float = LEASE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._codec = codec
        self._memory = MemoryTier(memory_bytes)
        self._disk = DiskTier(directory, codec, clock) if directory is not None and disk_bytes > 0 else None
        self._disk_budget = disk_bytes
        self._pending: dict[str, Result] = {}
        self._written: list[tuple[Sequence[str], Result]] = []
        self._unsettled = False
        self._writer = Writer(self._commit)
        self._claims = Claims(self._disk.root / "claims" if self._disk else None, self._after_commit, lease, clock)

    def wrap(self, value: object) -> StoredValue:
        """Turn a value into one that can be kept and handed on. The value itself may be changed afterwards.

        Raises:
            DefinitionError: it holds something that has no codec, or NaN.
        """
        return StoredValue.wrap(value, self._codec)

    def fetch(self, key: str) -> Result | None:
        """Return the result kept under a key, or None.

        From memory this takes 1 µs, from disk 50 µs and 1 ms per MB: each byte is checked, once per process. What is
        damaged or of another version is dropped and counts as missing. The result stays usable while it is held.
        """
        found = self._memory.get(key) or self._pending.get(key)
        if found is not None or self._disk is None:
            return found
        found = self._disk.read(_checked(key))
        if found is not None:
            self._memory.put([key], found._replace(source="memory"))
        return found

    def peek(self, key: str) -> bool:
        """Tell whether a result is there, without reading it (3 µs on disk). Only `fetch` tells whether it is sound."""
        if key in self._memory or key in self._pending:
            return True
        return self._disk is not None and self._disk.has(_checked(key))

    def among(self, keys: Sequence[str]) -> set[str]:
        """Return those keys under which there is a result, as `peek` tells it of one, in 1 to 2 µs each."""
        elsewhere = [key for key in keys if key not in self._memory and key not in self._pending]
        found = self._disk.among(elsewhere) if self._disk is not None else set()
        return set(keys).difference(elsewhere) | found

    def value(self, digest: str) -> StoredValue | None:
        """Return the value with a digest, if a result holds it in memory, or on disk one of more than 1,024 characters.

        Costs as `fetch`: what comes from disk is checked.
        """
        found = self._memory.value(_checked(digest)) or self._about_to_be_written(digest)
        return found if found is not None or self._disk is None else self._disk.value(digest)

    def outputs(self, key: str) -> dict[str, str]:
        """Return the digests of what is kept under a key, by output, without reading the values; empty for nothing."""
        found = self._memory.get(key) or self._pending.get(key)
        if found is not None:
            return {name: value.digest for name, value in found.values.items()}
        return self._disk.outputs(_checked(key)) if self._disk is not None else {}

    def keep(self, keys: Sequence[str], values: Mapping[str, StoredValue], seconds: float, *, durable: bool) -> None:
        """Keep a result under all the keys; `seconds` is what computing it took, and would take again.

        Does not wait for the disk, unless 256 MiB are waiting already. `durable=False` stays in memory. What is there
        already, with the same values, is left as it is.
        """
        keys = tuple(dict.fromkeys(_checked(key) for key in keys))
        size = sum(value.size for value in values.values())
        durable = durable and self._disk is not None and self._disk.problem is None and size <= self._disk_budget
        fresh = [key for key in keys if not self._holds(key, values, durable)]
        if not fresh:
            return
        result = Result(dict(values), seconds, "memory", durable)
        if durable:
            self._pending.update(dict.fromkeys(fresh, result))
        self._memory.put(keys, result)
        if durable:
            self._unsettled = True
            self._writer.submit(lambda: self._write(fresh, result), size)

    def claim(self, key: str) -> Claim | None:
        """Claim a key before computing it; None when another holds it, or has kept its result since. Never waits.

        Release it after `keep`, or when the work failed. Costs 20 µs on disk: cheap nodes need none.
        """
        claim = self._claims.take(_checked(key))
        if claim is not None and self.peek(key):
            claim.release()
            return None
        return claim

    def wait_for(self, key: str, cancelled: Callable[[], bool]) -> Result | Claim:
        """Wait until a result appears, or its claim can be had because its owner failed or died; return which it was.

        Raises:
            Cancelled: `cancelled()` said so; it is asked every 20 to 200 ms.
        """
        pause = _POLL
        while True:
            outcome = self.fetch(key) or self.claim(key)
            if outcome is not None:
                return outcome
            if cancelled():
                raise Cancelled(f"cancelled while another process computes {key}")
            time.sleep(pause)
            pause = min(pause * 1.5, 10 * _POLL)

    def flush(self) -> None:
        """Wait until all that was kept is on disk, within the budget."""
        if self._unsettled or (self._disk and self._disk.uncommitted):
            self._unsettled = False
            self._writer.submit(self._settle)
        self._writer.flush()

    def close(self) -> None:
        """Write what is left and end the threads; claims still held are given up."""
        self.flush()
        self._writer.close()
        self._claims.close()
        if self._disk is not None:
            self._disk.database.close()

    def info(self) -> CacheInfo:
        """Count what is there. Takes a few ms per 1,000 results on disk."""
        self._writer.flush()
        results, size = self._memory.totals()
        disk_results, disk_size = eviction.count(self._disk) if self._disk else (0, 0)
        return CacheInfo(
            directory=self._disk.directory if self._disk else None,
            memory_results=results,
            memory_bytes=size,
            memory_budget=self._memory.budget,
            disk_results=disk_results,
            disk_bytes=disk_size,
            disk_budget=self._disk_budget if self._disk else 0,
            problem=self._disk.problem if self._disk else None,
        )

    def clear(self) -> None:
        """Forget every result, in memory and on disk. Results already fetched stay usable.

        Raises:
            CacheError: the directory's files cannot be deleted.
        """
        self._writer.flush()
        self._memory.clear()
        if self._disk is not None:
            try:
                eviction.clear(self._disk)
            except OSError as error:
                raise CacheError(f"{error.filename}: cannot be deleted: {error.strerror}; delete it by hand") from error

    def trim(self) -> int:
        """Bring the disk tier within its budget and delete what dead processes left; return the bytes deleted."""
        self._writer.flush()
        if self._disk is None:
            return 0
        self._claims.sweep()
        return eviction.trim(self._disk, self._disk_budget)

    def require(self) -> None:
        """Make sure that the directory can be written, for callers who asked for it by name.

        Raises:
            CacheError: it cannot; names the directory, the reason and the cure.
        """
        if self._disk is None:
            return
        part = Path(self._disk.temporary())
        try:
            part.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(b"")
            part.unlink()
        except OSError as error:
            raise CacheError(
                f"{self._disk.directory}: cannot be used as cache: {error.strerror}; a writable folder is needed: "
                "choose one with GRAPHGEN_CACHE_DIR, or run with --no-cache"
            ) from error

    def _about_to_be_written(self, digest: str) -> StoredValue | None:
        waiting = (value for result in tuple(self._pending.values()) for value in result.values.values())
        return next((value for value in waiting if value.digest == digest), None)

    def _holds(self, key: str, values: Mapping[str, StoredValue], durable: bool) -> bool:
        """Tell whether keeping would change nothing: a hit that is kept under more keys is written under those only."""
        found = self._memory.get(key)
        if found is None or durable > found.durable or found.values.keys() != values.keys():
            return False
        return all(found.values[name].digest == value.digest for name, value in values.items())

    def _write(self, keys: Sequence[str], result: Result) -> None:
        self._written.append((keys, result))
        if self._disk is not None and self._disk.write(keys, result):
            self._commit()
        if self._disk is not None and self._disk.written > self._disk_budget * _SETTLE:
            self._settle()

    def _commit(self) -> None:
        """Put on disk what was written; from there it is found from now on."""
        if self._disk is not None:
            self._disk.commit()
        for keys, result in self._written:
            for key in keys:
                if self._pending.get(key) is result:
                    del self._pending[key]
        self._written.clear()

    def _after_commit(self, job: Callable[[], None]) -> None:
        """Have something done after all that was kept until now is on disk."""

        def act() -> None:
            self._commit()
            job()

        self._writer.submit(act)

    def _settle(self) -> None:
        self._commit()
        if self._disk is not None:
            eviction.settle(self._disk, self._disk_budget)


def _checked(key: str) -> str:
    """Return a key that may become a file's name."""
    if _is_key(key) is None:
        raise CacheError(f"cache key {key[:60]!r}: must be 40 hexadecimal digits, as graphgen.jsontypes.digest gives")
    return key
