"""Who holds weights on a device: leases, a budget, and what is let go first.

In: handles (values that say *what* to load) and the `Loader`s that plugins register through `register_loaders()`.
Out: `with residency.lease(handle, report) as module:`. There is one `Residency` per device. It holds the only lasting
references to weights there; a value on a wire never does, so caching an output cannot pin device memory.

What is let go first is chosen as in GreedyDual-Size (Cao and Irani, "Cost-Aware WWW Proxy Caching Algorithms", 1997):
each resident is worth `clock + seconds to load / bytes` at the time it was last used, the least worthy idle one goes,
and the clock moves up to what that one was worth. So large things that load fast go before small ones that load slowly,
and everything not used for long goes in the end. A resident under a lease is never let go.

Weights that do not fit into the budget are streamed by loaders that can: they are told what room is left.

What a handle's patches make of weights is a resident of its own, that shares what it leaves alone with the weights it
was made of, and goes when they go.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Condition
from time import monotonic
from typing import Protocol, TypeAlias

from graphgen.errors import DefinitionError, ResourceError, one_of

Report: TypeAlias = Callable[[int, int], None]
"""`report(done, total)`, in bytes of the place (0, 0: not known yet); raises Cancelled when the run was cancelled."""

Lease: TypeAlias = Callable[[object], AbstractContextManager[object]]
"""`with lease(handle) as module:` lends what another handle stands for, at the same place."""

_WAIT = 0.05  # seconds between looks at `report` while another thread loads: how late a cancel may be noticed

_VARIANTS = 2  # idle ones kept of the same weights: a run may go to and fro between two, a sweep needs none again

_ATTEMPTS = 3  # at loading: as it is, with idle weights let go, and streamed in as little room as can be

_MUCH = 32 << 20  # bytes: for less, a collection (0.1 s with torch loaded) can wait until it happens by itself


@dataclass(frozen=True, slots=True)
class Place:
    """Where weights are wanted: a device (`cpu`, `cuda:0`) and the precision there (`float32`, `float16`, ...)."""

    device: str
    dtype: str
    room: int | None = None
    """How many bytes are to be taken there at most; None: as many as are needed."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """Weights on a device: whatever the loader made of them, and the most bytes that they take there at a time."""

    module: object
    size: int


class Loader(Protocol):
    """Loads the weights that one or more classes of handles stand for. Subclass it to inherit what is optional.

    All methods are called from worker threads, `load` and `derive` once at a time for the same weights.
    """

    handles: tuple[type, ...]
    """The classes of handles it loads, their subclasses included."""

    def identity(self, handle: object) -> str:
        """Return what two handles that can share weights have in common: the weights' digest, without patches."""
        ...

    def load(self, handle: object, place: Place, report: Report) -> Loaded:
        """Load a handle's weights, unpatched, to a place.

        Weights that take more than `place.room` are streamed, if the loader can: they stay outside, and come piece by
        piece when they are used. A loader that cannot loads them as a whole.

        Call `report(done, total)` once before anything is allocated, with `total` the bytes that will be taken (idle
        residents make room then), and again between tensors; let the Cancelled it raises pass.

        Raises:
            ResourceError: the weights are not there, or not what they should be; names the place and the cure.
            MemoryError: the device is full. Idle residents are let go then, and `load` is called once more, and at
                last with a room of 0: what cannot do without any takes as little as it can.
        """
        ...

    def files(self, handle: object) -> Sequence[Path]:  # noqa: ARG002
        """Return the files that a handle's weights are loaded from, for run records."""
        return ()

    def variant(self, handle: object) -> Hashable:  # noqa: ARG002
        """Return what tells the handle's changed weights from others of the same identity; None: they are unchanged."""
        return None

    def derive(self, loaded: Loaded, handle: object, place: Place, report: Report) -> Loaded:  # noqa: ARG002
        """Return what the handle makes of weights, for a handle with a `variant`; it is kept like weights are.

        The originals must not be touched. The size is what is taken besides them, and `place.room` what may be; report
        it as `load` does.

        Raises:
            ResourceError: the changes do not fit the weights.
            MemoryError: the device is full; as for `load`.
        """
        return loaded

    def attach(self, loaded: Loaded, handle: object, lease: Lease) -> AbstractContextManager[object]:  # noqa: ARG002
        """Yield what a node uses during one lease, from what `load` or `derive` returned.

        What a handle changes for one lease alone is done here, with further weights by `lease` where it needs some. The
        loaded module must not be touched: several leases of it may be open at once, with other changes.
        """
        return nullcontext(loaded.module)


@dataclass(frozen=True, slots=True)
class Resident:
    """What one entry of a residency looks like from outside, for `doctor` and metrics."""

    identity: str
    device: str
    size: int
    """Bytes."""
    seconds: float
    """What loading it took."""
    leases: int
    uses: int
    loading: bool


_Make: TypeAlias = Callable[[Place, Report], Loaded]


class _Entry:
    """One set of weights, loaded or being loaded. Guarded by the residency's condition."""

    __slots__ = ("identity", "leases", "loaded", "progress", "room", "seconds", "size", "uses", "worth")

    def __init__(self, identity: str) -> None:
        self.identity = identity
        self.loaded: Loaded | None = None
        self.progress = (0, 0)
        self.room: int | None = None
        self.size = 0
        self.seconds = 0.0
        self.leases = 0
        self.uses = 0
        self.worth = 0.0


_Key: TypeAlias = tuple[int, str, Hashable]
"""The loader, the weights, and what was made of them (None: nothing)."""


class Residency:
    """Holds weights at one place, lends them, and lets the least worthy go when a budget is exceeded.

    `budget_bytes` bounds what is taken (None: no bound): loaders are told what room is left, and stream weights that do
    not fit. Where they cannot, what is leased at a time may exceed it: refusing would fail work that may well fit.

    Raises:
        DefinitionError: two loaders handle the same class.
    """

    def __init__(self, loaders: Sequence[Loader], place: Place, budget_bytes: int | None = None) -> None:
        self.place = place
        self.budget_bytes = budget_bytes
        self._loaders = _by_class(loaders)
        self._entries: dict[_Key, _Entry] = {}
        self._changed = Condition()
        self._clock = 0.0

    @contextmanager
    def lease(self, handle: object, report: Report, room: int | None = None) -> Iterator[object]:
        """Lend what a handle stands for; it is not let go while the `with` block runs.

        Loads on first use, in the calling thread; others that ask for the same weights wait, and see their own `report`
        called meanwhile. With a `room`, in bytes, each set of weights is to take no more: idle ones that do are loaded
        anew.

        Raises:
            ResourceError: no loader knows the handle's class, or its weights cannot be loaded.
            Cancelled: raised by `report`.
        """
        loader = self._loader_for(handle)
        identity, variant = loader.identity(handle), loader.variant(handle)
        with ExitStack() as held:

            def hold(kind: Hashable, make: _Make) -> Loaded:
                return held.enter_context(self._held((id(loader), identity, kind), make, room, report))

            loaded = hold(None, partial(loader.load, handle))
            if variant is not None:
                loaded = hold(variant, partial(loader.derive, loaded, handle))
            yield held.enter_context(loader.attach(loaded, handle, partial(self.lease, report=report, room=room)))

    def files(self, handle: object) -> Sequence[Path]:
        """Return the files that a handle's weights are loaded from, as far as its loader tells.

        Raises:
            ResourceError: no loader knows the handle's class, or its files are not there.
        """
        return self._loader_for(handle).files(handle)

    def identity(self, handle: object) -> str:
        """Return what handles that share weights with this one have in common.

        Raises:
            ResourceError: no loader knows the handle's class.
        """
        return self._loader_for(handle).identity(handle)

    def free(self, bytes: int) -> int:  # noqa: A002
        """Let idle weights go until at least so many bytes are free or none is idle; return the bytes let go."""
        freed = 0
        with self._changed:
            while freed < bytes and (victim := self._least_worthy()) is not None:
                freed += self._evict(victim)
        _collect(freed)
        return freed

    def clear(self) -> int:
        """Let all idle weights go; return their bytes. What is leased stays."""
        with self._changed:
            freed = sum(self._evict(key) for key in self._idle() if key in self._entries)
        _collect(freed)
        return freed

    def report(self) -> list[Resident]:
        """Return what is here, the least worth keeping first."""
        device = self.place.device
        with self._changed:
            return [
                Resident(one.identity, device, one.size, one.seconds, one.leases, one.uses, one.loaded is None)
                for one in sorted(self._entries.values(), key=lambda entry: entry.worth)
            ]

    def warm(self) -> dict[str, float]:
        """Return what is loaded, and how many seconds each took."""
        with self._changed:
            there = [entry for key, entry in self._entries.items() if key[2] is None and entry.loaded is not None]
            return {entry.identity: entry.seconds for entry in there}

    def _loader_for(self, handle: object) -> Loader:
        for cls in type(handle).__mro__:
            if found := self._loaders.get(cls):
                return found
        known = one_of(sorted(cls.__name__ for cls in self._loaders))
        raise ResourceError(
            f"a {type(handle).__name__} does not stand for weights that any plugin can load; allowed: {known}; "
            "pass one of these, or install the plugin that registers a loader for it"
        )

    @contextmanager
    def _held(self, key: _Key, make: _Make, room: int | None, report: Report) -> Iterator[Loaded]:
        entry, loaded = self._acquire(key, make, room, report)
        try:
            yield loaded
        finally:
            with self._changed:
                entry.leases -= 1
                evicted = self._make_room() + self._thin_out(key)
            _collect(evicted)

    def _acquire(self, key: _Key, make: _Make, room: int | None, report: Report) -> tuple[_Entry, Loaded]:
        while True:
            evicted, progress = 0, None
            with self._changed:
                entry = self._entries.get(key)
                if entry is not None and _takes_more(entry, room):
                    evicted, entry = self._evict(key), None
                if entry is None:
                    entry = self._entries[key] = _Entry(key[1] if key[2] is None else f"{key[1]}, patched")
                elif entry.loaded is not None:
                    return entry, self._lend(entry, entry.loaded)
                else:
                    self._changed.wait(_WAIT)
                    progress = entry.progress
            if progress is None:
                _collect(evicted)
                return entry, self._load(key, entry, make, room, report)
            report(*progress)

    def _load(self, key: _Key, entry: _Entry, make: _Make, room: int | None, report: Report) -> Loaded:
        def track(done: int, total: int) -> None:
            with self._changed:
                entry.progress, grown = (done, total), total > entry.size
                entry.size = max(total, entry.size)
                evicted = self._make_room() if grown else 0
            _collect(evicted)
            report(done, total)

        start = monotonic()
        try:
            loaded = self._load_or_make_room(entry, make, room, track)
        except BaseException:
            with self._changed:
                del self._entries[key]
                self._changed.notify_all()
            raise
        with self._changed:
            entry.loaded, entry.size, entry.seconds = loaded, loaded.size, monotonic() - start
            self._lend(entry, loaded)
            evicted = self._make_room()
            self._changed.notify_all()
        _collect(evicted)
        return loaded

    def _load_or_make_room(self, entry: _Entry, make: _Make, room: int | None, report: Report) -> Loaded:
        for attempt in range(_ATTEMPTS):
            with self._changed:
                entry.size, entry.room = 0, 0 if attempt == _ATTEMPTS - 1 else self._room(entry, room)
            try:
                return make(replace(self.place, room=entry.room), report)
            except MemoryError as error:
                problem = str(error)
            self.clear()  # stands outside, so that the error's frames and what they hold are gone by then
        raise ResourceError(
            f"{self.place.device}: the weights {entry.identity} do not fit, not even block by block ({problem}); "
            "close what else uses the device, choose a lower precision, or run on the CPU"
        )

    def _room(self, entry: _Entry, most: int | None) -> int | None:
        """Return what weights that are about to be loaded may take, `most` or what others in use leave."""
        if self.budget_bytes is None:
            return most
        others = (other for other in self._entries.values() if other is not entry)
        held = sum(other.size for other in others if other.leases or other.loaded is None)
        left = max(0, self.budget_bytes - held)
        return left if most is None else min(left, most)

    def _lend(self, entry: _Entry, loaded: Loaded) -> Loaded:
        entry.leases += 1
        entry.uses += 1
        entry.worth = self._clock + entry.seconds / max(entry.size, 1)
        return loaded

    def _make_room(self) -> int:
        if self.budget_bytes is None:
            return 0
        freed, total = 0, sum(entry.size for entry in self._entries.values())
        while total - freed > self.budget_bytes and (victim := self._least_worthy()) is not None:
            freed += self._evict(victim)
        return freed

    def _least_worthy(self) -> _Key | None:
        return min(self._idle(), key=lambda key: self._entries[key].worth, default=None)

    def _idle(self) -> list[_Key]:
        return [key for key, entry in self._entries.items() if entry.loaded is not None and not entry.leases]

    def _evict(self, key: _Key) -> int:
        """Let an idle entry go, with what was made of it, which is idle too; return the bytes."""
        gone = [key] if key[2] is not None else [other for other in self._entries if other[:2] == key[:2]]
        entries = [self._entries.pop(other) for other in gone]
        self._clock = max(self._clock, *(entry.worth for entry in entries))
        return sum(entry.size for entry in entries)

    def _thin_out(self, key: _Key) -> int:
        """Let idle variants of the same weights go, but for the last few, of which the one at `key` is."""
        if key[2] is None or key not in self._entries:
            return 0
        others = [other for other in self._idle() if other[:2] == key[:2] and other[2] is not None and other != key]
        others.sort(key=lambda other: self._entries[other].worth)
        return sum(self._evict(other) for other in others[: max(len(others) - _VARIANTS + 1, 0)])


def _by_class(loaders: Sequence[Loader]) -> dict[type, Loader]:
    known: dict[type, Loader] = {}
    for loader in loaders:
        for cls in loader.handles:
            if known.setdefault(cls, loader) is not loader:
                raise DefinitionError(
                    f"two loaders handle {cls.__module__}.{cls.__qualname__}: {type(known[cls]).__qualname__} and "
                    f"{type(loader).__qualname__}; remove one"
                )
    return known


def _takes_more(entry: _Entry, room: int | None) -> bool:
    """Tell whether idle weights take more than a room, and were not loaded for so little already."""
    if room is None or entry.loaded is None or entry.leases or entry.size <= room:
        return False
    return entry.room is None or entry.room > room


def _collect(evicted: int) -> None:
    """Collect garbage once much was let go: networks often sit in reference cycles, and would hold the memory."""
    if evicted >= _MUCH:
        gc.collect()
