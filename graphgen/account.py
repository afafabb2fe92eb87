"""What one task costs on a lane that lends weights: the seconds that went into loading, and the memory taken.

In: the task's leases, and a meter of the device's memory. Out: reports, `Used` before weights are loaded
and `Measured` at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter

from graphgen.filedigests import stamp_of
from graphgen.residency import Residency
from graphgen.tasks import Measured, Report, Used


class Account:
    """Counts from the moment it is made, and tells `listen`.

    `meter` tells the most memory taken on the device since then, in bytes; None where costs are of no interest.
    """

    def __init__(
        self, residency: Residency, meter: Callable[[], int | None] | None, listen: Callable[[Report], None]
    ) -> None:
        self._residency = residency
        self._meter = meter
        self._listen = listen
        self._loading = 0.0
        self._leased: set[str] = set()

    @contextmanager
    def lease(self, handle: object, report: Callable[[int, int], None], room: int | None) -> Iterator[object]:
        """Lease weights; tell of their files, and count what getting them takes."""
        if stamps := self._stamps(handle):
            self._listen(Used(stamps))
        began = perf_counter()
        with self._residency.lease(handle, report, room) as module:
            self._loading += perf_counter() - began
            self._leased.add(self._residency.identity(handle))
            yield module

    def free(self) -> int:
        """Let idle weights go; return their bytes."""
        return self._residency.clear()

    def close(self) -> None:
        """Tell what came together."""
        if self._meter is None:
            return
        residents = self._residency.report()
        weights = {item.identity: (item.size, item.seconds) for item in residents if item.identity in self._leased}
        peak = self._meter()
        working = None if peak is None else max(0, peak - sum(item.size for item in residents))
        self._listen(Measured(self._loading, working, weights))

    def _stamps(self, handle: object) -> tuple[str, ...]:
        try:
            return tuple(map(stamp_of, self._residency.files(handle)))
        except Exception:  # what is wrong with the files is told by the lease
            return ()
