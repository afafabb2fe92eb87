"""Carry out a plan: start each node when its inputs are there, on the lane it belongs to, and tell what happens.

In: a Plan. Out: an `Outcome`, and events on the way. One loop in the caller's thread owns all state; lanes answer
through one queue. Independent branches run side by side; a node that fails takes only what depends on it with it.

Before a node runs, its inputs' values are looked up too: what was computed from equal values, on whatever way, is
found by its value key. So a node that comes out as before stops the wave there.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field, replace
from itertools import count
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Literal, TypeAlias, cast

from graphgen import events
from graphgen.cache import Cache, Claim, StoredValue
from graphgen.errors import NodeError, error_line
from graphgen.events import Event
from graphgen.execution import settle
from graphgen.graph import GraphNode
from graphgen.inference import PathOf, known_of
from graphgen.jsontypes import JSON
from graphgen.lanes import Lanes, summary_of
from graphgen.outcome import Outcome
from graphgen.plan import Plan
from graphgen.recipe import inputs_by_value
from graphgen.tasks import Failed, Finished, Lane, Logged, Progress, Report, Shown, Started, Stopped, Task, Used
from graphgen.wavefront import Values, Wavefront

Source: TypeAlias = Literal["memory", "disk", "equal"]
Effect: TypeAlias = Callable[[str, StoredValue], tuple[str, ...]]
"""Writes the files an effect node gave (its name, its Files) and returns their paths."""

_POLL = 0.05
"""Seconds between looks at what another process is computing for us."""

_WORTH_A_CLAIM = 0.002
"""Seconds of work: what took less the last time is done twice, if need be, rather than claimed on disk."""

_ENDS = (Finished, Failed, Stopped)

_ids = count(1)


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


@dataclass(slots=True)
class _Job:
    """A node about to run or running: what it is given, and the keys its result is kept under (its value key first)."""

    node: GraphNode
    inputs: Mapping[str, tuple[StoredValue, ...]]
    keys: tuple[str, ...] = ()
    fingerprint: str = ""
    claim: Claim | None = None
    lane: Lane | None = None
    waits: bool = False
    """Somebody else has claimed it."""
    followers: list[_Job] = field(default_factory=list)
    """Jobs with the same value key, which wait for this one's result."""


class Execution:
    """One plan being carried out. Call `run` once.

    `pace` remembers, from run to run, what the last call of each kind of node took, in seconds; `used` hears the stamps
    of model files that nodes use.
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
        self._pace = {} if pace is None else pace
        self._queue: SimpleQueue[tuple[int, Report | None]] = SimpleQueue()
        self._front = Wavefront(plan)
        self._ready = deque(self._front.first())
        self._running: dict[int, _Job] = {}
        self._by_value: dict[str, _Job] = {}
        """The running jobs that others may follow, by value key."""
        self._elsewhere: list[_Job] = []
        self._looked = 0.0
        self._stopping = False
        self._strayed = self.outcome.strayed
        self._targets = frozenset(plan.targets)

    def run(self) -> Outcome:
        """Carry the plan out. Ctrl-C cancels; a second one interrupts.

        Raises whatever `listen` raises; what runs is then cancelled and forgotten.
        """
        self.control.attach(lambda: self._queue.put((0, None)))
        try:
            for name, result in self.plan.cached.items():
                self._take(name, result.values, result.source)
            try:
                self._loop()
            except KeyboardInterrupt:
                self.control.cancel()
                self._loop()
        finally:
            self._abandon()
        self._give_up()
        return self.outcome

    def _loop(self) -> None:
        """Start what is ready, take in one report, and again, until nothing runs."""
        while True:
            while self._ready and not self.control.cancelled:
                self._start(self.plan.graph.nodes[self._ready.popleft()])
            if self.control.cancelled and not self._stopping:
                self._stop_running()
            if not self._running and not self._elsewhere:
                return
            try:
                task, report = self._queue.get(timeout=_POLL if self._elsewhere else None)
            except Empty:
                report = None
            if report is not None:
                self._receive(task, report)
            if self._elsewhere and monotonic() - self._looked >= _POLL:
                self._look_elsewhere()

    def _stop_running(self) -> None:
        self._stopping = True
        self._elsewhere.clear()
        for task, job in self._running.items():
            if job.lane:
                job.lane.cancel(task)

    def _abandon(self) -> None:
        """After an error, let nobody wait for what this run had begun."""
        if self._running:
            self._stop_running()
            for job in self._running.values():
                if job.claim:
                    job.claim.release()

    # --- starting ---------------------------------------------------------------------------------------------------

    def _start(self, node: GraphNode) -> None:
        """Look a node's value key up, and run it if nothing is found and nobody else is at it."""
        spec, job = node.spec, _Job(node, self._front.inputs(node))
        planned = self._planned_key(node)
        if not spec.pure:
            self._submit(job)
            return
        if spec.cheap and spec.fingerprint is None:  # looking it up takes longer than doing it
            job.keys = (planned,) if planned else ()
            self._submit(job)
            return
        try:
            job.fingerprint = self._fingerprint(job)
        except Exception as error:  # a plugin's look at the outside world may raise anything
            self._fail(node, _failed(error))
            return
        recipe = self.plan.recipes[node.name]
        if job.fingerprint != recipe.fingerprint:
            self._strayed.add(node.name)
            recipe, planned = recipe._replace(fingerprint=job.fingerprint), None
        digests = {socket: [value.digest for value in values] for socket, values in job.inputs.items()}
        by_value = recipe.key(inputs_by_value(digests))
        job.keys = (by_value, planned) if planned else (by_value,)
        self._obtain(job)

    def _obtain(self, job: _Job) -> None:
        """Take a job's result from where it is, or wait for whoever is at it, or make it."""
        key = job.keys[0]
        if leader := self._by_value.get(key):
            leader.followers.append(job)
        elif self.look_up and (result := self.cache.fetch(key)):
            self.cache.keep(job.keys, result.values, result.seconds, durable=True)
            self._take(job.node.name, result.values, result.source)
        elif not self.look_up or self._claim(job):
            self._by_value[key] = job
            self._submit(job)
        else:
            if self.listen and not job.waits:
                self.listen(events.NodeWaiting(job.node.name))
            job.waits = True
            self._elsewhere.append(job)

    def _planned_key(self, node: GraphNode) -> str | None:
        """Return the recipe key that the plan gave a node, if what lies above it came out as the plan assumed."""
        if self._strayed and any(wire.node in self._strayed for wires in node.wires.values() for wire in wires):
            self._strayed.add(node.name)
            return None
        return self.plan.keys[node.name]

    def _claim(self, job: _Job) -> bool:
        """Claim a job among all runs and processes, if it is worth it; False when another one has it."""
        if self._pace.get(job.node.spec.id, _WORTH_A_CLAIM) < _WORTH_A_CLAIM:
            return True
        job.claim = self.cache.claim(job.keys[0])
        return job.claim is not None

    def _look_elsewhere(self) -> None:
        """See what other runs and processes have finished, or have given up."""
        self._looked = monotonic()
        waiting, self._elsewhere = self._elsewhere, []
        for job in waiting:
            self._obtain(job)

    def _submit(self, job: _Job) -> None:
        node = job.node
        job.lane = self.lanes.lane_for(node.spec)
        key = job.keys[-1] if job.keys else ""  # the planned one, where there is one
        task = Task(next(_ids), node.spec.id, node.settings, job.inputs, self.watched, key)
        self._running[task.id] = job
        job.lane.submit(task, self._post)

    def _post(self, task: int, report: Report) -> None:
        self._queue.put((task, report))

    def _fingerprint(self, job: _Job) -> str:
        """Identify what the node reads from outside, now that all its settings are known."""
        node = job.node
        if node.spec.fingerprint is None:
            return ""
        known = known_of(node, self.plan.graph.nodes, self.path_of)
        if node.wired_settings:
            wired = {name: job.inputs[name][0].load() for name in node.wired_settings}
            known = replace(known, settings=cast(Mapping[str, JSON], settle(node.spec, node.settings, wired)))
        return node.spec.fingerprint(known)

    # --- reports ----------------------------------------------------------------------------------------------------

    def _receive(self, task: int, report: Report) -> None:
        job = self._running.get(task)
        if job is None:
            return  # a thread that a node has left behind still talks
        if isinstance(report, Used):
            self.outcome.weights.setdefault(job.node.name, set()).update(report.stamps)
            self.used(report.stamps)
            return
        if not isinstance(report, _ENDS):
            if self.listen and job.lane:
                self.listen(_event(job.node.name, job.lane, report))
            return
        del self._running[task]
        if job.keys and self._by_value.get(job.keys[0]) is job:
            del self._by_value[job.keys[0]]
        try:
            if isinstance(report, Finished):
                self._finish(job, report)
            elif isinstance(report, Failed):
                self._fail(job.node, report)
        finally:
            if job.claim:
                job.claim.release()
        for follower in job.followers:
            if isinstance(report, Finished) and job.node.name not in self._strayed:
                self.cache.keep(follower.keys, report.values, report.seconds, durable=True)
                self._take(follower.node.name, report.values, "equal")
            elif not self.control.cancelled:
                self._obtain(follower)

    def _finish(self, job: _Job, report: Finished) -> None:
        node = job.node
        self.outcome.ran += 1
        self.outcome.seconds[node.name] = self._pace[node.spec.id] = report.seconds
        if not self._unchanged(job):
            self._strayed.add(node.name)
        elif job.keys:
            self.cache.keep(job.keys, report.values, report.seconds, durable=not node.spec.cheap)
        if self.listen:
            summaries = {name: summary_of(value) for name, value in report.values.items()}
            self.listen(events.NodeFinished(node.name, report.seconds, summaries))
        self._complete(node, report.values)

    def _unchanged(self, job: _Job) -> bool:
        """Tell whether what the node read is still what its key says; if not, its result is not kept."""
        if job.node.spec.fingerprint is None or not job.node.spec.pure:
            return True
        try:
            return self._fingerprint(job) == job.fingerprint
        except Exception:  # it went away while it was read: the values serve this run and are not kept
            return False

    def _take(self, name: str, values: Values, source: Source) -> None:
        """Take in values that did not have to be computed."""
        self.outcome.cached += 1
        if self.listen:
            self.listen(events.NodeCached(name, source))
        self._complete(self.plan.graph.nodes[name], values)

    def _complete(self, node: GraphNode, values: Values) -> None:
        """Take in a node's values, perform its effect, and make ready what waited for it."""
        name = node.name
        self.outcome.digests[name] = {output: value.digest for output, value in values.items()}
        if node.spec.effect and not self._perform(node, values):
            return
        if name in self._targets:
            self.outcome.values[name] = values
        for dependant in self._front.arrive(name, values):
            if dependant in self.plan.equal:
                if name in self._strayed:
                    self._strayed.add(dependant)
                self._take(dependant, values, "equal")
            else:
                self._ready.append(dependant)
        self._front.leave(name)

    def _perform(self, node: GraphNode, values: Values) -> bool:
        """Write an effect node's files; what goes wrong there fails the node."""
        try:
            self.outcome.files.extend(self.effect(node.name, values[node.spec.outputs[0].name]))
        except Exception as error:  # the disk, or a plugin's file format
            self._fail(node, _failed(error))
            return False
        return True

    # --- endings ----------------------------------------------------------------------------------------------------

    def _fail(self, node: GraphNode, report: Failed) -> None:
        """Note a failure, and skip what depends on the node."""
        name, spec = node.name, node.spec
        failure = NodeError(name, spec.id, report.error, traceback=report.traceback, inputs=report.inputs)
        self.outcome.failures.append(failure)
        if self.listen:
            self.listen(events.NodeFailed(name, spec.id, report.error, report.traceback, report.inputs))
        for dependant in self._front.doom(name):
            self._skip(dependant, f"'{name}' failed")

    def _skip(self, name: str, because: str) -> None:
        self.outcome.undone.append(name)
        if self.listen:
            self.listen(events.NodeSkipped(name, because))

    def _give_up(self) -> None:
        """Report what a cancelled run left undone."""
        self.outcome.cancelled = bool(self._front.left)
        for name in (*self.plan.order, *self.plan.equal):
            if name in self._front.left:
                self._skip(name, "the run was cancelled")


def _failed(error: Exception) -> Failed:
    """Describe what went wrong around a node, rather than in it."""
    return Failed(error_line(error), "".join(traceback.format_exception(error)), "")


def _event(name: str, lane: Lane, report: Started | Progress | Shown | Logged) -> Event:
    """Say what a report means for the run."""
    match report:
        case Started(place):
            return events.NodeStarted(name, place or lane.name)
        case Progress(done, total, stage):
            return events.NodeProgress(name, done, total, stage)
        case Shown(preview):
            return events.NodePreview(name, preview.media_type, preview.data)
        case Logged(level, message):
            return events.NodeLog(name, level, message)
