"""Scopes inside a run: the turns of zones, and graphs that nodes return, opened and brought to their end.

In: a job whose node is a zone, or that returned a graph. Out: that job's values, handed back to the scheduler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from time import monotonic, perf_counter
from typing import Protocol

from graphgen import events
from graphgen.cache import Cache, StoredValue
from graphgen.errors import WorkflowError
from graphgen.events import Event
from graphgen.execution import CallError
from graphgen.forcing import Force
from graphgen.graph import Graph
from graphgen.inference import PathOf
from graphgen.jsontypes import JSON
from graphgen.novalue import NoValue
from graphgen.plan import Plan, make_plan
from graphgen.scope import Job, Scope
from graphgen.streaming import Streams
from graphgen.tasks import Expanded, Failed, Finished
from graphgen.wavefront import Values
from graphgen.workflow import MapClause

TOLD = 0.1
"""Seconds between two reports of a zone's progress at least."""
DEEPEST = 32
"""Graphs in graphs that nodes returned."""
MOST_EXPANSIONS = 10_000
"""Graphs that nodes may return in one run."""


class Host(Protocol):
    """The scheduler, as far as scopes inside a run go."""

    plan: Plan
    cache: Cache
    path_of: PathOf
    look_up: bool
    listen: Callable[[Event], None] | None
    streams: Streams

    def begin(self, scope: Scope) -> None:
        """Carry out a scope."""

    def finish(self, job: Job, values: Values, seconds: float) -> None:
        """Take in what a job gave."""

    def fail(self, job: Job, report: Failed) -> None:
        """Note that a job failed."""

    def leave(self, job: Job, result: Finished | None) -> None:
        """Give those who follow a job what it gave, or let them try themselves."""


class Openings:
    """Opens scopes inside a run. `expand` checks a graph that a node returned."""

    def __init__(self, host: Host, expand: Callable[[Mapping[str, JSON]], Graph] | None) -> None:
        self._host = host
        self._expand = expand
        self._expansions = 0
        self._told: dict[str, float] = {}

    def wrap(self, value: object) -> StoredValue:
        """Turn a value into one that travels."""
        return self._host.cache.wrap(value)

    def open(self, job: Job, turn: int, given: Values, ended: Callable[[Scope], None]) -> None:
        """Carry out the body of a zone once; `ended` is called with its scope."""
        zone = job.node.zone
        assert zone is not None  # noqa: S101 - only zones have turns
        tolerant = job.scope.tolerant or (isinstance(zone.clause, MapClause) and zone.clause.failures == "skip")
        self._open(job, zone.graph, given, f"{job.label}/{turn}", ended, tolerant=tolerant, turn=turn)

    def turned(self, job: Job, done: int, total: int) -> None:
        """Tell how many turns are over, and of how many; a total of 0 says that nobody knows."""
        now = monotonic()
        if self._host.listen and (done in (0, total) or now - self._told.get(job.label, 0.0) >= TOLD):
            self._told[job.label] = now
            self._host.listen(events.NodeProgress(job.label, done, total, "turns"))

    def streamed(self, job: Job) -> bool:
        """Tell whether somebody wants a zone's items as they come."""
        return self._host.streams.wanted(job)

    def give(self, job: Job, items: Values) -> None:
        """Give the next item of each of a zone's lists."""
        for output, item in items.items():
            self._host.streams.take(job, output, item)

    def close(self, job: Job, values: Values, left_out: Sequence[str]) -> None:
        """Give a zone its values; `left_out` are items that failed, each with the reason."""
        if left_out and self._host.listen:
            failed = "1 item failed and was" if len(left_out) == 1 else f"{len(left_out)} items failed and were"
            message = f"{failed} left out; {left_out[0]}"
            self._host.listen(events.NodeLog(job.label, "warning", message))
        job.fleeting |= bool(left_out)  # the next run tries them again
        self._conclude(job, values)

    def give_up(self, job: Job, reason: str) -> None:
        """Fail a zone, or a node whose expansion failed."""
        self._host.fail(job, Failed(reason, "", ""))
        self._host.leave(job, None)

    def _conclude(self, job: Job, values: Values) -> None:
        seconds = perf_counter() - job.began
        self._host.finish(job, values, seconds)
        self._host.leave(job, Finished(values, seconds))

    def _open(
        self,
        job: Job,
        graph: Graph,
        given: Values,
        prefix: str,
        ended: Callable[[Scope], None],
        *,
        tolerant: bool,
        turn: int = 0,
    ) -> None:
        cache, device = self._host.cache if self._host.look_up else None, self._host.plan.device
        failed = []
        try:
            force: Force = "all" if job.forced else ()
            plan = make_plan(graph, cache, device, self._host.path_of, force=force, given=given)
        except WorkflowError as error:  # a file that is not there; it ends where all scopes do
            failed.append("; ".join(str(replace(item, place="")) for item in error.problems))
            plan = Plan(graph, (), device, {}, {}, {}, (), {})

        def over(scope: Scope) -> None:
            job.fleeting |= bool(scope.strayed)
            if job.node.zone is not None and job.node.zone.effects:
                more = scope.ends()
                job.ends = None if job.ends is None or more is None else job.ends | more
            ended(scope)

        scope = Scope(plan, prefix, over, tolerant=tolerant, owner=job, turn=turn)
        scope.failed += failed
        self._host.begin(scope)

    def enter(self, job: Job, report: Expanded) -> None:
        """Carry out the graph that a node returned, in its place."""
        self._expansions += 1
        if job.scope.depth >= DEEPEST or self._expansions > MOST_EXPANSIONS or self._expand is None:
            limit = f"{DEEPEST} deep" if job.scope.depth >= DEEPEST else f"{MOST_EXPANSIONS:,} times in a run"
            self.give_up(job, f"the node returned a graph to run in its place, more than {limit}; stop earlier")
            return
        try:
            graph = self._expand(report.subgraph)
            _check_ends(job, graph)
        except (WorkflowError, CallError) as error:
            self.give_up(job, f"the graph that the node returned cannot run: {error}")
            return
        job.fleeting = graph.looks_outside

        def ended(scope: Scope) -> None:
            values = scope.outputs()
            if scope.failed:
                self.give_up(job, scope.failed[0])
            elif len(values) < len(job.node.spec.outputs):
                blocked = self.wrap(NoValue("a part of its graph was skipped"))
                self._conclude(job, {item.name: values.get(item.name, blocked) for item in job.node.spec.outputs})
            else:
                self._conclude(job, values)

        self._open(job, graph, report.values, job.label, ended, tolerant=job.scope.tolerant)


def _check_ends(job: Job, graph: Graph) -> None:
    """Check that a returned graph gives what the node promises."""
    promised = [output.name for output in job.node.spec.outputs]
    if sorted(graph.outputs) != sorted(promised):
        raise CallError(f"it gives {', '.join(graph.outputs)}; the node promises {', '.join(promised)}")
