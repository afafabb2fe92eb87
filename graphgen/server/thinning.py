"""Which of many versions are worth keeping: the closer to now, the more of them.

In: marks of one workflow's versions, and the time. Out: the numbers of those that can go. What was saved on purpose,
was run or has a name stays; of what was saved by itself while somebody worked, the last of each stretch of time stays:

| older than | the last of each | |
| --- | --- | --- |
| | 10 seconds | of each session by itself |
| 5 minutes | 5 minutes | of each session by itself |
| a day | hour | |
| 30 days | day | |

Stretches begin at round times and each holds whole ones of the row above. So what goes at one time would have gone at
any later time as well, and thinning often or seldom leaves the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86400.0
TIERS = ((0.0, 10.0), (5 * _MINUTE, 5 * _MINUTE), (_DAY, _HOUR), (30 * _DAY, _DAY))
"""From which age on (seconds) the last of each stretch (seconds) is kept; each length divides the next."""
MOST = 500
"""Versions that are kept of those saved by themselves, however they are spread."""
MOST_ON_PURPOSE = 1000
"""Versions that are kept of those saved on purpose or run; those that have names are always kept."""


class Mark(NamedTuple):
    """What is to be known of a version. Numbers rise with each save; `saved` is in seconds since 1970."""

    number: int
    saved: float
    session: str
    """Who saved it by itself: one tab of an editor."""
    automatic: bool
    ran: bool
    named: bool

    @property
    def thinned(self) -> bool:
        """Tell whether it may go because others are near it."""
        return self.automatic and not self.ran and not self.named


def superfluous(marks: Iterable[Mark], now: float) -> list[int]:
    """Return the numbers of the versions that can go, the latest first; never the latest of all."""
    ordered = sorted(marks, reverse=True)
    gone, stretches = list[int](), set[tuple[float, int, str]]()
    for mark in ordered:
        if not mark.thinned:
            continue
        stretch = _stretch_of(mark, now)
        if stretch in stretches or len(stretches) == MOST:
            gone.append(mark.number)
        else:
            stretches.add(stretch)
    on_purpose = [mark.number for mark in ordered if not mark.thinned and not mark.named]
    return sorted(gone + on_purpose[MOST_ON_PURPOSE:], reverse=True)


def _stretch_of(mark: Mark, now: float) -> tuple[float, int, str]:
    length = max(length for age, length in TIERS if age <= max(0.0, now - mark.saved))
    return length, int(mark.saved // length), mark.session if length < _HOUR else ""
