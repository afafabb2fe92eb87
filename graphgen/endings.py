"""Endings without a value: nodes that fail, those that are skipped because of it, and what a cancelled run leaves.

In: a job and how it failed, or a node that gets no value. Out: what depends on it skipped, each with the reason, and
told. Only a failure takes all that is below; who merely gets no value at an optional input does without it.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from graphgen import events
from graphgen.cache import Cache
from graphgen.errors import NodeError, error_line
from graphgen.events import Event
from graphgen.novalue import NoValue
from graphgen.outcome import Outcome
from graphgen.scope import Job, Scope
from graphgen.streaming import Streams
from graphgen.tasks import Failed


class Host(Protocol):
    """The scheduler, as far as endings go."""

    cache: Cache
    outcome: Outcome
    streams: Streams
    listen: Callable[[Event], None] | None

    def ready(self, scope: Scope, name: str) -> None:
        """Have a node started, whose inputs are all there, or do without."""

    def settle(self, scope: Scope) -> None:
        """Note a scope's end, if nothing of it is left."""


class Why(NamedTuple):
    """Why a node is skipped: for what kind of reason, because of which node, and in words."""

    kind: events.Skipped
    about: str
    words: str


class Endings:
    """Ends nodes of one run that give no value."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def fail(self, job: Job, report: Failed) -> None:
        """Note a failure, and skip what depends on the node."""
        host, name, scope, spec = self._host, job.label, job.scope, job.node.spec
        if not scope.tolerant:
            host.outcome.failures.append(
                NodeError(name, spec.id, report.error, traceback=report.traceback, inputs=report.inputs)
            )
        host.streams.drop(scope, job.node.name)
        scope.failed.append(f"'{name}' failed: {report.error}" if scope.prefix else name)
        if host.listen:
            host.listen(events.NodeFailed(name, spec.id, report.error, report.traceback, report.inputs))
        for dependant in scope.front.doom(job.node.name):
            self._skip(scope, dependant, Why("failed", name, f"'{name}' failed"))
        host.settle(scope)

    def lose(self, scope: Scope, name: str, because: Why) -> None:
        """Skip a node because of a failure, and all that depends on it."""
        dependants = list(scope.front.doom(name))
        self._skip(scope, name, because)
        for dependant in dependants:
            self._skip(scope, dependant, _skipped(scope.label(name)))
        self._host.settle(scope)

    def skip(self, scope: Scope, name: str, because: Why) -> None:
        """Skip a node for want of a value, and what needs it; optional inputs do without."""
        front, reasons, waiting = scope.front, {name: because}, deque([name])
        while waiting:
            ended = waiting.popleft()
            if ended not in front.left:
                continue
            self._skip(scope, ended, reasons[ended])
            reason = _skipped(scope.label(ended))
            outputs = scope.plan.graph.nodes[ended].spec.outputs
            values = dict.fromkeys((output.name for output in outputs), self._host.cache.wrap(NoValue(reason.words)))
            stopped = [dependant for dependant, _ in front.stopped_by(ended, values)]
            for dependant in front.arrive(ended, values):
                if dependant in scope.plan.equal:
                    stopped.append(dependant)
                elif dependant not in reasons and dependant not in stopped:
                    self._host.ready(scope, dependant)
            front.leave(ended)
            waiting += stopped
            reasons |= {dependant: reason for dependant in stopped if dependant not in reasons}
        self._host.settle(scope)

    def give_up_rest(self, scope: Scope, order: Iterable[str]) -> None:
        """Report what a cancelled run left undone, in order."""
        left = scope.front.left
        self._host.outcome.cancelled = bool(left)
        for name in (*order, *left):
            if name in left:
                left.discard(name)
                self._skip(scope, name, Why("cancelled", "", "the run was cancelled"))

    def _skip(self, scope: Scope, name: str, because: Why) -> None:
        self._host.streams.drop(scope, name)
        self._host.outcome.undone.append(scope.label(name))
        if self._host.listen:
            kind, about, words = because
            self._host.listen(events.NodeSkipped(scope.label(name), words, kind, about))


def no_value(label: str, reason: str) -> Why:
    """Say that a node is skipped because another one gives no value, for a reason."""
    return Why("no_value", label, f"'{label}' gives no value: {reason}")


def _skipped(label: str) -> Why:
    return Why("skipped", label, f"'{label}' was skipped")


def failure_of(error: Exception) -> Failed:
    """Describe what went wrong around a node, rather than in it."""
    return Failed(error_line(error), "".join(traceback.format_exception(error)), "")
