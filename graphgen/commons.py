"""What the runs of one engine have in common: each value is computed by one of them, and the others are given it.

In: jobs, from any run in any thread. Out: who of them computes. The first job with a value key leads; others with the
same key follow, in whatever run, and are told what it gave. Forced ones lead and follow within their own run. A leader
that fails or is cancelled hands over to the job that has followed it longest. Nobody waits in here, and nobody looks
again and again; other processes are not seen. But it is known here whether a job keeps another one from ending that has
promised its result to them: one that does must not wait for them in turn, or all would wait in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import TypeAlias

from graphgen.scope import Job
from graphgen.tasks import Finished


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The job leads now: whoever did before gave nothing."""


Told: TypeAlias = Finished | HandedOver
Tell: TypeAlias = Callable[[Told], None]
"""Tells a job's run what became of its leader; may be called from any thread."""


@dataclass(slots=True)
class _Group:
    """Jobs with one value key: who leads, and who follows, in the order in which they came."""

    leader: Job
    followers: dict[Job, Tell] = field(default_factory=dict)


class Commons:
    """The groups of all runs of an engine, by value key."""

    def __init__(self) -> None:
        self.lock = Lock()
        self.groups: dict[str, _Group] = {}


class Share:
    """The part of one run in the commons; all calls come from its thread."""

    def __init__(self, commons: Commons) -> None:
        self._commons = commons
        self._keys: dict[Job, str] = {}
        """The jobs of this run that lead or follow, each with its value key."""

    def __contains__(self, job: Job) -> bool:
        """Tell whether a job of this run leads or follows."""
        return job in self._keys

    def join(self, job: Job, tell: Tell) -> Job | None:
        """Let a job lead under its value key, or follow; return its leader, which may be itself.

        None is returned where it would wait for itself: it stands in a job that needs its result. `tell` is called
        once, unless the job leaves before; with a hand-over, it leads from then on.
        """
        groups, key = self._commons.groups, job.common
        with self._commons.lock:
            group = groups.get(key)
            if group is None:
                group = groups[key] = _Group(job)
            elif job.scope.owner and group.leader in _held_up(groups, job):
                return None
            else:
                group.followers[job] = tell
        self._keys[job] = key
        return group.leader

    def lead(self, job: Job) -> bool:
        """Let a job that is at work already lead under its value key, if nobody does; tell whether it leads."""
        key = job.common
        with self._commons.lock:
            leads = key not in self._commons.groups
            if leads:
                self._commons.groups[key] = _Group(job)
                self._keys[job] = key
        return leads

    def leave(self, job: Job, result: Finished | None = None) -> None:
        """Take a job out: those who follow it are given its result, or the first of them leads, with its claim."""
        key = self._keys.pop(job, None)
        if key is None:
            return
        with self._commons.lock:
            group = self._commons.groups.get(key)
            if group is None or group.leader is not job:
                if group:
                    group.followers.pop(job, None)
                return  # it followed; if it is not there any more, it has been told
            told = list(group.followers.values()) if result else _hand_over(group)
            if result or not told:
                del self._commons.groups[key]
        for tell in told:
            tell(result or HandedOver())
        if job.claim:
            job.claim.release()

    def holds_up_a_claim(self, job: Job) -> bool:
        """Tell whether a job that has a claim among all processes cannot end before this one does."""
        with self._commons.lock:
            return any(held.claim for held in _held_up(self._commons.groups, job))

    def close(self) -> None:
        """Take all jobs of the run out, which has come to its end."""
        for job in tuple(self._keys):
            self.leave(job)


def _hand_over(group: _Group) -> list[Tell]:
    """Let the first who follows lead, if there is one; return whom to tell."""
    if not group.followers:
        return []
    heir, job = next(iter(group.followers)), group.leader
    heir.claim, job.claim = job.claim, None
    group.leader = heir
    return [group.followers.pop(heir)]


def _held_up(groups: Mapping[str, _Group], job: Job) -> set[Job]:
    """Return the jobs that cannot end before one does: it stands in them, or in what they follow, and so on."""
    found, waiting = set[Job](), [job]
    while waiting:
        inner = waiting.pop()
        group = groups.get(inner.common) if inner.keys else None
        followers = group.followers if group and group.leader is inner else ()
        for above in (*inner.owners(), *(owner for follower in followers for owner in follower.owners())):
            if above not in found:
                found.add(above)
                waiting.append(above)
    return found
