"""How much memory a call needs, where the system tells: the most that was taken since a moment, in bytes.

On Linux the kernel keeps the largest resident size of a process, and lets it begin anew. What runs beside counts too,
so the figure is an upper bound, meant for one thing at a time, as on a device's lane. Elsewhere nothing is known.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def begin() -> Callable[[], int | None]:
    """Begin to measure; return what tells the largest resident size of this process since, None if nobody knows."""
    try:
        _CLEAR.write_text("5")
    except OSError:
        return lambda: None
    return _peak


def _peak() -> int | None:
    try:
        lines = _STATUS.read_text().splitlines()
    except OSError:
        return None
    found = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return int(found) * 1024 if found else None
