"""Nodes that start on a list which is still growing: maps over it, and nodes that take it as a stream.

In: items, as the producer of a list yields them. Out: jobs for those who read the list, begun while the producer runs.
What they give counts once the list is whole: until then nobody knows whether the producer fails, nor the value keys
under which their results are kept. So a run ends as it would have ended if the list had been returned.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Protocol

from graphgen.cache import StoredValue
from graphgen.control import Control
from graphgen.graph import GraphNode
from graphgen.growing import Growing
from graphgen.identity import identify, planned_key
from graphgen.inference import PathOf
from graphgen.scope import Job, Scope
from graphgen.sources import Sources
from graphgen.tasks import Report
from graphgen.wires import Wire
from graphgen.workflow import MapClause


class Host(Protocol):
    """The scheduler, as far as growing lists go."""

    control: Control
    path_of: PathOf
    run_id: int

    def submit(self, job: Job) -> None:
        """Run a job."""

    def end(self, job: Job, report: Report) -> None:
        """Take in the end of a job that ran."""


class Streams:
    """Starts jobs of one run early, and holds back what they give until their lists are whole."""

    def __init__(self, host: Host, sources: Sources) -> None:
        self._host = host
        self._sources = sources

    def wanted(self, job: Job) -> bool:
        """Tell whether somebody could take the items of a job's list one by one."""
        return any(True for _ in _readers(job.scope, job.node.name))

    def take(self, job: Job, output: str, item: StoredValue) -> None:
        """Take in the next item of a job's list; the first lets its readers start."""
        scope, source = job.scope, Wire(job.node.name, output)
        if source.node not in scope.front.left:
            return  # it began early itself, and was dropped
        growing = scope.growing.setdefault(source, Growing())
        growing.add(item)
        if len(growing.items) == 1:
            self._look(scope)

    def _look(self, scope: Scope) -> None:
        """Start those in a scope who wait for nothing but lists that are growing."""
        for source in {wire.node: None for wire in scope.growing}:
            for node in tuple(_readers(scope, source)):
                if node.name not in scope.early and not self._host.control.cancelled:
                    self._begin(scope, node)

    def _begin(self, scope: Scope, node: GraphNode) -> None:
        streams: dict[str, Growing] = {}
        for source in scope.front.waits_for(node.name):
            socket = _socket(scope, node, source)
            growing = scope.growing.get(node.wires[socket][0]) if socket else None
            if growing is None:
                return  # it needs the whole of something that is not there yet
            streams[str(socket)] = growing
        if streams:
            job = Job(scope, node, scope.front.inputs(node, without=streams.keys()), streams=streams)
            job.forced = self._host.run_id if node.name in scope.plan.forced else 0
            scope.early[node.name] = job
            self._host.submit(job)

    def feed(self, job: Job) -> None:
        """Have the task of a job fed with the items that are there, and with those that come."""
        for socket, growing in job.streams.items():
            growing.read(_feeder(job, socket, growing))

    def counts(self, job: Job, report: Report) -> bool:
        """Tell whether the end of a job counts now: it is held back while its lists are not whole."""
        if not job.whole:
            job.held = report
        return job.whole and not job.dropped

    def arrived(self, scope: Scope, name: str) -> None:
        """Note that a node's values are there, while lists of others are growing, or its own was."""
        self._end(scope, name)
        self._look(scope)

    def _end(self, scope: Scope, name: str) -> None:
        """Note that a node's lists are whole: those who read them end, now or later, as if they had never grown."""
        ended = self._forget(scope, name)
        readers = [job for job in scope.early.values() if any(item in ended for item in job.streams.values())]
        for growing in ended:
            growing.whole = True
        for job in readers:
            if job.whole:
                del scope.early[job.node.name]
                if not self._identify(job):
                    self._stop(job)
        for growing in ended:
            growing.end()
        for job in readers:
            if job.whole and job.held is not None and not job.dropped:
                self._host.end(job, job.held)

    def drop(self, scope: Scope, name: str) -> None:
        """Forget a node that failed or was skipped, with what it may give if it began early."""
        self._forget(scope, name)
        if job := scope.early.pop(name, None):
            self._stop(job)

    def _forget(self, scope: Scope, name: str) -> list[Growing]:
        return [scope.growing.pop(wire) for wire in tuple(scope.growing) if wire.node == name]

    def _identify(self, job: Job) -> bool:
        """Give a job that began early its keys; False when its result is found under them, and taken in."""
        scope, node = job.scope, job.node
        job.inputs = scope.front.inputs(node)
        if not node.spec.pure:
            return True
        identify(job, planned_key(job), self._host.path_of)
        gives = any(wire.node == node.name for wire in scope.growing)  # then those who read it wait for its items
        return self._sources.join_late(job, look_up=not gives)

    def _stop(self, job: Job) -> None:
        job.dropped = True
        if job.lane is not None:
            job.lane.cancel(job.task)


def _readers(scope: Scope, source: str) -> Iterator[GraphNode]:
    """Yield the nodes that could take a node's list item by item."""
    nodes = scope.plan.graph.nodes
    for name in scope.front.dependants(source):
        if name not in scope.plan.equal and _socket(scope, nodes[name], source) is not None:
            yield nodes[name]


def _socket(scope: Scope, node: GraphNode, source: str) -> str | None:
    """Return the socket at which a node takes a source's list item by item; None if it cannot, or needs it whole."""
    able = _able(node, scope.plan.graph.nodes[source])
    sockets = [socket for socket, wires in node.wires.items() for wire in wires if wire.node == source]
    return sockets[0] if len(sockets) == 1 and sockets[0] in able else None


def _able(node: GraphNode, source: GraphNode) -> Collection[str]:
    """Return the sockets at which a node could take a source's list item by item.

    A map opens turns as items come, from a generator or from another map. A node holds its thread or process while it
    waits; so the source must have one too, and not need others, as a map does. Cheap nodes run in the engine's own
    thread, which must not wait; a node with lazy inputs may begin again from the start; one that looks outside has to
    know its key before it does.
    """
    if not (source.zone and isinstance(source.zone.clause, MapClause)) and source.spec.yields != "items":
        return ()
    if node.zone is not None:
        over = node.zone.clause.over
        return over if isinstance(node.zone.clause, MapClause) and len(over) == 1 else ()
    if node.spec.cheap or node.lazy or node.spec.fingerprint is not None or source.zone or source.spec.cheap:
        return ()
    return [item.name for item in node.spec.inputs if item.stream]


def _feeder(job: Job, socket: str, growing: Growing) -> Callable[[], None]:
    """Return what hands a task the items that are new."""
    sent, told = 0, False

    def feed() -> None:
        nonlocal sent, told
        if job.lane is None or job.dropped or job.held is not None or told:
            return
        items, told = growing.items[sent:], growing.whole
        if items or told:
            sent += len(items)
            job.lane.feed(job.task, socket, items, last=told)

    return feed
