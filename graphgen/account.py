"""What one task costs on a lane that lends weights: the seconds that went into loading, and the memory taken.

In: the task's leases, and a meter of the device's memory. Out: a `Measured` report.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from graphgen.filedigests import stamp_of
from graphgen.residency import Residency
from graphgen.tasks import Measured


def stamps_of(residency: Residency, handle: object) -> tuple[str, ...]:
    """Return the stamps of the files that a lease needs; none where something is wrong with them, as the lease tells."""
    try:
        return tuple(map(stamp_of, residency.files(handle)))
    except Exception:  # a loader is a plugin's
        return ()


class Account:
    """Counts from the moment it is made. `meter` tells the most memory taken on the device since then, in bytes."""

    def __init__(self, residency: Residency, meter: Callable[[], int | None]) -> None:
        self._residency = residency
        self._meter = meter
        self._loading = 0.0
        self._leased: set[str] = set()

    @contextmanager
    def lease(self, handle: object, report: Callable[[int, int], None]) -> Iterator[object]:
        """Lease weights, and count what getting them takes."""
        began = perf_counter()
        with self._residency.lease(handle, report) as module:
            self._loading += perf_counter() - began
            self._leased.add(self._residency.identity(handle))
            yield module

    def close(self) -> Measured:
        """Return what came together."""
        residents = self._residency.report()
        weights = {item.identity: (item.size, item.seconds) for item in residents if item.identity in self._leased}
        peak = self._meter()
        working = None if peak is None else max(0, peak - sum(item.size for item in residents))
        return Measured(self._loading, working, weights)
