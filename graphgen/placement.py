"""On which device a task runs: where its weights are warm, with a bounded wait; else where they will be soonest.

In: what a task needs, how long it has waited, what each device holds and does. Out: a device, or the advice to wait.
Waiting for a busy device that has the weights is right as long as it takes no longer than loading them elsewhere; since
nobody knows how long it will take, a task waits as long as loading would take, and then loads. This is the rule of the
ski renter: whatever happens, it costs at most twice what knowing the future would have cost (Karlin, Manasse, Rudolph
and Sleator, "Competitive snoopy caching", 1988).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

UNKNOWN = 5.0
"""Seconds that loading is thought to take, where nobody has loaded these weights yet."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A device: whether it is free, and how many seconds it took to load each of the weights that it holds."""

    free: bool
    warm: Mapping[str, float]


def place(needs: Collection[str], waited: float, candidates: Sequence[Candidate]) -> int | None:
    """Return the index of the device on which a task should run now, or None: it should wait.

    `needs` are the weights it names, `waited` how many seconds it has been held back.
    """
    costs = [_seconds_to_load(needs, candidate, candidates) for candidate in candidates]
    free = [index for index, candidate in enumerate(candidates) if candidate.free]
    if not free:
        return None
    best = min(free, key=lambda index: (costs[index], len(candidates[index].warm), index))
    return best if costs[best] - min(costs) <= waited else None


def patience(needs: Collection[str], candidates: Sequence[Candidate]) -> float:
    """Return how many seconds a task will wait at most, if nothing changes, before it runs on a free device."""
    costs = [_seconds_to_load(needs, candidate, candidates) for candidate in candidates]
    free = [cost for cost, candidate in zip(costs, candidates, strict=True) if candidate.free]
    return min(free) - min(costs) if free else 0.0


def _seconds_to_load(needs: Collection[str], candidate: Candidate, candidates: Sequence[Candidate]) -> float:
    """Estimate what loading all that is missing on a device takes, from what it took elsewhere."""
    missing = (need for need in needs if need not in candidate.warm)
    return sum(
        max((other.warm[need] for other in candidates if need in other.warm), default=UNKNOWN) for need in missing
    )
