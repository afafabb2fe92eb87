"""Where the result of a job comes from: the cache, another job of this engine, another process, or the job's own work.

In: jobs whose value keys are known. Out: each one's values handed to the scheduler, or the word that it is to run. It
holds the jobs that wait for somebody else who is at the same; those run nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Literal, Protocol, TypeAlias, cast

from graphgen import events
from graphgen.cache import Cache, Result
from graphgen.commons import Commons, Share, Told
from graphgen.control import Control
from graphgen.events import Event
from graphgen.lazy import ASKS
from graphgen.scope import Job, Scope
from graphgen.tasks import Failed, Finished, new_id
from graphgen.wavefront import Values

Source: TypeAlias = Literal["memory", "disk", "equal"]

_POLL = 0.05
"""Seconds between looks at what another process is computing for us."""

_WORTH_A_CLAIM = 0.002
"""Seconds of work: what took less the last time is done twice, if need be, rather than claimed on disk."""


class Host(Protocol):
    """The scheduler, as far as obtaining results goes."""

    cache: Cache
    look_up: bool
    listen: Callable[[Event], None] | None
    control: Control

    def submit(self, job: Job) -> None:
        """Run a job."""

    def take(self, scope: Scope, name: str, values: Values, source: Source) -> None:
        """Take in values that did not have to be computed."""

    def ask(self, job: Job, sockets: Sequence[str]) -> None:
        """See to the lazy inputs a node asks for."""

    def fail(self, job: Job, report: Failed) -> None:
        """Note that a job failed."""


class Sources:
    """Finds the result of each job of one run, or lets it run.

    `pace` is what the last call of each kind of node took, in seconds. `post` brings a number, and what became of the
    job that it stands for, into the run's thread, from any other; `receive` is to be called with both there.
    """

    def __init__(
        self, host: Host, commons: Commons, pace: Mapping[str, float], post: Callable[[int, Told], None]
    ) -> None:
        self._host = host
        self._share = Share(commons)
        self._pace = pace
        self._post = post
        self._following: dict[int, Job] = {}
        """Jobs that wait for the result of another job of this engine."""
        self._elsewhere: list[Job] = []
        """Jobs that another process is at."""
        self.patience: float | None = None
        """After how many seconds `look` is to be called; None where no other process is waited for."""
        self._looked = 0.0
        self._fresh: set[str] = set()
        """Value keys of forced jobs whose results this run has made."""

    @property
    def waiting(self) -> bool:
        """Whether a job waits for somebody else."""
        return bool(self._following or self._elsewhere)

    def obtain(self, job: Job) -> None:
        """Get a job's result oneself, or follow whoever in this engine is at it."""
        number = new_id()
        leader = self._share.join(job, lambda told: self._post(number, told))
        if leader is job:
            self._lead(job)
        elif leader is None:
            self._host.fail(job, Failed("it needs its own result: the same node, with the same inputs", "", ""))
        else:
            self._following[number] = job
            if leader not in self._share:
                self._tell_of_waiting(job)

    def join_late(self, job: Job, *, look_up: bool) -> bool:
        """Let others follow a job that is at work already; False when its result is found, and taken in."""
        if look_up and (result := self._kept(job)):
            self._host.cache.keep(job.keys, result.values, result.seconds, durable=True)
            self._host.take(job.scope, job.node.name, result.values, result.source)
            return False
        if self._share.lead(job) and self._host.look_up and not job.node.zone:
            self._claim(job)
        return True

    def receive(self, number: int, told: Told) -> None:
        """Take in what the job has given that another one followed, or go on in its place."""
        job = self._following.pop(number, None)
        if job is None:
            return  # the run has stopped
        if isinstance(told, Finished):
            self._share.leave(job)
            self._host.cache.keep(job.keys, told.values, told.seconds, durable=True)
            self._host.take(job.scope, job.node.name, told.values, "equal")
        elif self._host.control.cancelled:
            self._share.leave(job)
        else:
            self._lead(job)

    def look(self) -> None:
        """See what other processes have finished, or have given up, unless that was seen just now."""
        if self._elsewhere and monotonic() - self._looked >= _POLL:
            self._looked = monotonic()
            waiting, self._elsewhere = self._elsewhere, []
            self.patience = None
            for job in waiting:
                self._lead(job)

    def leave(self, job: Job, result: Finished | None) -> None:
        """Give those who follow a job what it gave, or let them try themselves."""
        if job.forced and job.keys and result:
            self._fresh.add(job.keys[0])
        self._share.leave(job, None if job.node.name in job.scope.strayed else result)

    def stop(self) -> None:
        """Wait for nobody any more."""
        for job in (*self._elsewhere, *self._following.values()):
            self._share.leave(job)
        self._elsewhere.clear()
        self.patience = None
        self._following.clear()

    def close(self) -> None:
        """Let nobody wait for what this run had begun and did not end."""
        self.stop()
        self._share.close()

    def _lead(self, job: Job) -> None:
        """Take a job's result from the cache, make it, or leave that to another process that is at it."""
        host = self._host
        if result := self._kept(job):
            host.cache.keep(job.keys, result.values, result.seconds, durable=True)
            if job.node.lazy and ASKS in result.values:
                host.ask(job, cast("list[str]", result.values[ASKS].load()))
                self._share.leave(job)
            else:
                host.take(job.scope, job.node.name, result.values, result.source)
                self._share.leave(job, Finished(result.values, result.seconds))
        elif not host.look_up or self._anew(job) or job.node.zone or job.claim or self._claim(job):
            host.submit(job)
        elif self._share.holds_up_a_claim(job):
            host.submit(job)  # done twice, if need be: whoever is at it may wait for that claim
        else:
            self._tell_of_waiting(job)
            self._elsewhere.append(job)
            self.patience = _POLL

    def _kept(self, job: Job) -> Result | None:
        """Return what is kept under a job's value key, if it may serve."""
        return self._host.cache.fetch(job.keys[0]) if self._host.look_up and not self._anew(job) else None

    def _anew(self, job: Job) -> bool:
        """Tell whether a job is forced, and this run has not made its result yet."""
        return bool(job.forced) and job.keys[0] not in self._fresh

    def _tell_of_waiting(self, job: Job) -> None:
        if self._host.listen and not job.told:
            self._host.listen(events.NodeWaiting(job.label))
        job.told = True

    def _claim(self, job: Job) -> bool:
        """Claim a job among all processes, if it is worth it; False when another one has it."""
        if self._pace.get(job.node.spec.id, _WORTH_A_CLAIM) < _WORTH_A_CLAIM:
            return True
        job.claim = self._host.cache.claim(job.keys[0])
        return job.claim is not None
