"""Carry out a plan: start each node when its inputs are there, on the lane it belongs to, and tell what happens.

In: a Plan. Out: an `Outcome`, and events on the way. One loop in the caller's thread owns all state; lanes answer
through one queue. Independent branches run side by side; a node that fails takes only what depends on it with it.

Before a node runs, its inputs' values are looked up too: what was computed from equal values, on whatever way, is
found by its value key. So a node that comes out as before stops the wave there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from queue import Empty, SimpleQueue
from typing import TypeAlias

from graphgen import events
from graphgen.cache import Cache, StoredValue
from graphgen.commons import Commons, HandedOver, Told
from graphgen.control import Control
from graphgen.endings import Endings, failure_of, no_value
from graphgen.events import Event
from graphgen.faces import INPUTS
from graphgen.graph import Graph, GraphNode
from graphgen.identity import identify, planned_key, unchanged
from graphgen.inference import PathOf
from graphgen.jsontypes import JSON
from graphgen.lanes import Lanes
from graphgen.lazy import ASKS
from graphgen.narration import digests_of, event_of, summary_of
from graphgen.novalue import reason_in
from graphgen.openings import Openings
from graphgen.outcome import Outcome
from graphgen.pins import gave_key
from graphgen.plan import Plan, demand_more
from graphgen.ready import Ready
from graphgen.scope import Job, Scope
from graphgen.sources import Source, Sources
from graphgen.streaming import Streams
from graphgen.tasks import Adapted, Asked, Expanded, Failed, Finished, Item, Measured, Report, Stopped, Used, new_id
from graphgen.turns import begin_zone
from graphgen.wavefront import Values

Effect: TypeAlias = Callable[[str, StoredValue], tuple[str, ...]]
"""Writes the files an effect node gave (its name, its Files) and returns their paths."""

_Queue: TypeAlias = "deque[tuple[Scope, str]] | Ready[tuple[Scope, str]]"
_ENDS = (Finished, Asked, Expanded, Failed, Stopped)


class Execution:
    """One plan being carried out. Call `run` once.

    `pace` remembers, from run to run, what the last call of each kind of node took, in seconds. `used` hears the stamps
    of model files that nodes use; `ranks` tells how urgent nodes are; `expand` checks a graph that a node returned.
    `commons` is what the run has in common with others. Lanes take tasks of a higher `priority` first.
    """

    def __init__(
        self,
        plan: Plan,
        lanes: Lanes,
        cache: Cache,
        path_of: PathOf,
        effect: Effect,
        *,
        look_up: bool = True,
        listen: Callable[[Event], None] | None = None,
        control: Control | None = None,
        previews: bool = True,
        pace: MutableMapping[str, float] | None = None,
        used: Callable[[Iterable[str]], None] = lambda _: None,
        ranks: Mapping[str, float] | None = None,
        expand: Callable[[Mapping[str, JSON]], Graph] | None = None,
        commons: Commons | None = None,
        priority: int = 0,
    ) -> None:
        self.plan = plan
        self.lanes = lanes
        self.cache = cache
        self.path_of = path_of
        self.effect = effect
        self.look_up = look_up
        self.watched = previews and listen is not None
        self.listen = listen
        self.control = control or Control()
        self.outcome, self.used = Outcome(), used
        self.run_id, self._priority = new_id(), priority
        self._pace: MutableMapping[str, float] = {} if pace is None else pace
        self._queue: SimpleQueue[tuple[int, Report | Told | None]] = SimpleQueue()
        self._openings = Openings(self, expand)
        self._root = Scope(plan)
        self._root.strayed = self.outcome.strayed
        self._ready: _Queue = Ready(lambda item: ranks.get(item[1], 0.0)) if ranks else deque()
        self._over: deque[Scope] = deque()
        """Scopes of which nothing is left."""
        self._running: dict[int, Job] = {}
        """Tasks at work."""
        self._sources = Sources(self, commons or Commons(), self._pace, self._post)
        self.streams = Streams(self, self._sources)
        self._endings = Endings(self)
        self._stopping = False

    def run(self) -> Outcome:
        """Carry the plan out. Ctrl-C cancels; a second one interrupts.

        Raises whatever `listen` raises; what runs is then cancelled and forgotten.
        """
        self.control.attach(lambda: self._queue.put((0, None)))
        try:
            self.begin(self._root)
            try:
                self._loop()
            except KeyboardInterrupt:
                self.control.cancel()
                self._loop()
        finally:
            self._abandon()
        self._endings.give_up_rest(self._root, (*self.plan.order, *self.plan.equal))
        self.outcome.values = self._root.values
        return self.outcome

    def _loop(self) -> None:
        """Start what is ready, take in one report, and again, until nothing runs."""
        while True:
            while (self._ready or self._over) and not self.control.cancelled:
                if self._over:
                    scope = self._over.popleft()
                    if scope.ended:
                        scope.ended(scope)
                else:
                    scope, name = self._ready.popleft()
                    if scope.owner is None or not scope.owner.dropped:
                        self._start(scope, scope.plan.graph.nodes[name])
            if self.control.cancelled and not self._stopping:
                self._stop_running()
            if not self._running and not self._sources.waiting:
                return
            patience = self._sources.patience
            try:
                task, report = self._queue.get(timeout=patience)
            except Empty:
                report = None
            if report is not None:
                self._receive(task, report)
            if patience is not None:
                self._sources.look()

    def _stop_running(self) -> None:
        self._stopping = True
        self._sources.stop()
        for task, job in tuple(self._running.items()):
            if job.lane:
                job.lane.cancel(task)

    def _abandon(self) -> None:
        """Let nobody wait for what this run had begun and did not end."""
        if self._running:
            self._stop_running()
        self._sources.close()

    # --- starting ---------------------------------------------------------------------------------------------------

    def begin(self, scope: Scope) -> None:
        """Take in what a scope's plan found, and make ready what waits for nothing."""
        self._ready.extend((scope, name) for name in scope.front.first())
        for name, result in scope.plan.cached.items():
            self.take(scope, name, result.values, result.source)
        self.settle(scope)

    def settle(self, scope: Scope) -> None:
        """Note a scope's end."""
        if scope.ended and not scope.over and not scope.front.left:
            scope.over = True
            self._over.append(scope)

    def _start(self, scope: Scope, node: GraphNode) -> None:
        """Look a node's value key up, and run it if nothing is found and nobody else is at it."""
        spec, job = node.spec, Job(scope, node, scope.front.inputs(node))
        job.forced = self.run_id if node.name in scope.plan.forced else 0
        planned = planned_key(job)
        if not spec.pure:
            self.submit(job)
        elif spec.cheap and spec.fingerprint is None and not node.lazy:  # looking it up takes longer than doing it
            job.keys = (planned,) if planned else ()
            self.submit(job)
        else:
            try:
                identify(job, planned, self.path_of)
            except Exception as error:  # a plugin's look at the outside world may raise anything
                self.fail(job, failure_of(error))
                return
            self._sources.obtain(job)

    def ask(self, job: Job, sockets: Sequence[str]) -> None:
        """See to the lazy inputs a node asks for, and start it again when they are there."""
        scope, node, front = job.scope, job.node, job.scope.front
        for socket in sockets:
            if withheld := front.withheld(node.name, socket):
                source, reason = withheld
                skip = self._endings.lose if front.is_lost(source) else self._endings.skip
                skip(scope, node.name, no_value(scope.label(source), reason))
                return
        wanted = [wire.node for socket in sockets for wire in node.wires[socket] if wire.node not in front]
        more = demand_more(scope.plan, wanted, self.cache if self.look_up else None, front)
        first = front.extend(more)
        there = [front.ask(node.name, socket) for socket in sockets]
        self._ready.extend((scope, name) for name in first)
        if all(there):
            self._ready.append((scope, node.name))
        for name, result in more.cached.items():
            self.take(scope, name, result.values, result.source)

    def submit(self, job: Job) -> None:
        """Run a job on the lane it belongs to, or open the first turns of a zone."""
        node = job.node
        if node.zone is not None:
            if self.listen:
                self.listen(events.NodeStarted(job.label, "zone"))
            begin_zone(job, node.zone, self._openings)
            return
        job.lane = self.lanes.lane_for(node.spec, job.inputs)
        streamed = node.spec.yields == "items" and self.streams.wanted(job)
        task = job.make_task(self.run_id, self._priority, watched=self.watched, streamed=streamed)
        self._running[task.id] = job
        job.lane.submit(task, self._post)
        if job.streams:
            self.streams.feed(job)

    def _post(self, task: int, report: Report | Told) -> None:
        self._queue.put((task, report))

    # --- reports ----------------------------------------------------------------------------------------------------

    def _receive(self, task: int, report: Report | Told) -> None:
        job = self._running.get(task)
        if job is None or job.lane is None:
            if isinstance(report, Finished | HandedOver):
                self._sources.receive(task, report)
            return  # or a thread that a node has left behind still talks
        if isinstance(report, Used | Measured | Adapted):
            self.outcome.account(job.label, report)
            job.fleeting |= isinstance(report, Adapted) and not report.exact
            self.used(report.stamps if isinstance(report, Used) else ())
        elif isinstance(report, Item):
            self.streams.take(job, job.node.spec.outputs[0].name, report.value)
        elif isinstance(report, _ENDS):
            del self._running[task]
            if not job.streams or self.streams.counts(job, report):
                self.end(job, report)
        elif self.listen and not isinstance(report, HandedOver):
            self.listen(event_of(job.label, job.lane, report))

    def end(self, job: Job, report: Report | Told) -> None:
        """Take in the end of a job that ran."""
        if isinstance(report, Expanded):
            self._openings.enter(job, report)
            return
        if isinstance(report, Finished):
            self.finish(job, report.values, report.seconds)
        elif isinstance(report, Asked):
            self._note(job, report)
        elif isinstance(report, Failed):
            self.fail(job, report)
        self._sources.leave(job, report if isinstance(report, Finished) else None)

    def fail(self, job: Job, report: Failed) -> None:
        """Note a failure, and skip what depends on the node."""
        self._endings.fail(job, report)

    def ready(self, scope: Scope, name: str) -> None:
        """Have a node started, whose inputs are all there, or do without."""
        self._ready.append((scope, name))

    def leave(self, job: Job, result: Finished | None) -> None:
        """Give those who follow a job what it gave, or let them try themselves."""
        self._sources.leave(job, result)

    def _note(self, job: Job, report: Asked) -> None:
        """Keep what a node asked for in place of its outputs, and see to it."""
        if job.keys:
            self.cache.keep(job.keys, {ASKS: self.cache.wrap([report.socket])}, 0.0, durable=True)
        if not self.control.cancelled:
            self.ask(job, [report.socket])

    def finish(self, job: Job, values: Values, seconds: float) -> None:
        """Take in what a job gave, keep it, and go on with what waited for it."""
        node, name = job.node, job.label
        found = node.zone is not None and node.zone.effects and not job.worked
        self.outcome.ran += not found
        self.outcome.cached += found
        if job.scope.owner and not node.spec.cheap and not found:
            for owner in job.owners():
                owner.worked = True
        self.outcome.seconds[name] = self._pace[node.spec.id] = seconds
        if job.fleeting or not unchanged(job, self.path_of):
            job.scope.strayed.add(node.name)
        elif job.keys:
            durable = bool(node.lazy) or not node.spec.cheap  # what was asked for is as cheap as what is above it
            self.cache.keep(job.keys, values, self.outcome.seconds_again(name), durable=durable)
        elif node.zone is not None and node.zone.effects and job.ends is not None:
            self._note_ends(job, job.ends, seconds)
        if self.listen and found:
            self.listen(events.NodeCached(name, "memory", digests_of(values)))
        elif self.listen:
            told = {key: summary_of(value) for key, value in values.items()}
            self.listen(events.NodeFinished(name, seconds, told, digests_of(values)))
        self._complete(job.scope, node, values)

    def _note_ends(self, job: Job, ends: frozenset[str], seconds: float) -> None:
        """Note what the turns of a zone ended with that writes files, so that a later plan knows what is kept of it."""
        job.scope.inside[job.node.name] = ends
        key = job.scope.plan.ends.get(job.node.name)
        if key and self.look_up:
            self.cache.keep([key], {"value": self.cache.wrap(sorted(ends))}, seconds, durable=True)

    def take(self, scope: Scope, name: str, values: Values, source: Source) -> None:
        """Take in values that did not have to be computed."""
        if not (scope.prefix and name == INPUTS):
            self.outcome.cached += 1
            if self.listen:
                self.listen(events.NodeCached(scope.label(name), source, digests_of(values)))
        self._complete(scope, scope.plan.graph.nodes[name], values)

    def _complete(self, scope: Scope, node: GraphNode, values: Values) -> None:
        """Take in a node's values, perform its effect, and make ready what waited for it."""
        name, front = node.name, scope.front
        if not scope.prefix:
            digests = self.outcome.digests[name] = digests_of(values)
            if self.look_up and (name in scope.strayed or scope.plan.keys[name] is None):  # no key leads to it later
                self.cache.keep([gave_key(digests)], values, self.outcome.seconds.get(name, 0.0), durable=True)
        if node.spec.effect and not self._perform(scope, node, values):
            return
        if name in scope.targets:
            scope.values[name] = values
        for dependant, reason in front.stopped_by(name, values):
            self._endings.skip(scope, dependant, no_value(scope.label(name), reason))
        equal = scope.plan.equal
        for dependant in front.arrive(name, values):
            if dependant in equal:
                if name in scope.strayed:
                    scope.strayed.add(dependant)
                self.take(scope, dependant, values, "equal")
            elif dependant not in scope.early:
                self._ready.append((scope, dependant))
        front.leave(name)
        if scope.growing:
            self.streams.arrived(scope, name)
        self.settle(scope)

    def _perform(self, scope: Scope, node: GraphNode, values: Values) -> bool:
        """Write an effect node's files; what goes wrong there fails the node."""
        files = values[node.spec.outputs[0].name]
        if reason_in(files.document) is not None:
            return True
        try:
            self.outcome.written.append((scope.place(node.name), self.effect(scope.outermost(node), files)))
        except Exception as error:  # the disk, or a plugin's file format
            self.fail(Job(scope, node, {}), failure_of(error))
            return False
        return True
