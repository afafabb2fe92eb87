"""The handle by which a run is cancelled."""

from __future__ import annotations

from collections.abc import Callable


class Control:
    """The handle by which a run is cancelled, from any thread or signal handler."""

    def __init__(self) -> None:
        self._cancelled = False
        self._wake: Callable[[], None] = lambda: None

    @property
    def cancelled(self) -> bool:
        """Tell whether the run was cancelled."""
        return self._cancelled

    def cancel(self) -> None:
        """Cancel the run: nothing new starts, what runs is asked to stop, what is finished is kept."""
        self._cancelled = True
        self._wake()

    def attach(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when the run is cancelled."""
        self._wake = wake
