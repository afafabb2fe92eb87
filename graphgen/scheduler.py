"""Carry out a plan: start each node when its inputs are there, on the lane it belongs to, and tell what happens.

In: a Plan. Out: an `Outcome`, and events on the way. One loop in the caller's thread owns all state; lanes answer
through one queue. Independent branches run side by side; a node that fails takes only what depends on it with it.

Before a node runs, its inputs' values are looked up too: what was computed from equal values, on whatever way, is
found by its value key. So a node that comes out as before stops the wave there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from queue import Empty, SimpleQueue
from threading import Event as Flag
from typing import Literal, TypeAlias, cast

from graphgen import events
from graphgen.cache import Cache, Claim, StoredValue
from graphgen.errors import NodeError, PathError, Refusal
from graphgen.events import Event
from graphgen.graph import GraphNode
from graphgen.inference import PathOf
from graphgen.jsontypes import JSON
from graphgen.lanes import Lanes
from graphgen.plan import Plan
from graphgen.recipe import inputs_by_value
from graphgen.spec import Known
from graphgen.tasks import Failed, Finished, Lane, Logged, Progress, Report, Shown, Started, Stopped, Task

Values: TypeAlias = Mapping[str, StoredValue]
Source: TypeAlias = Literal["memory", "disk", "equal"]
Effect: TypeAlias = Callable[[str, StoredValue], tuple[str, ...]]
"""Writes the files an effect node gave (its name, its Files) and returns their paths; raises OSError."""

_POLL = 0.05
"""Seconds between looks at what another process is computing for us."""

_OUTSIDE = (Refusal, PathError, OSError)
"""What a look at the outside world may raise."""

_ids = count(1)


class Control:
    """The handle by which a run is cancelled, from any thread."""

    def __init__(self) -> None:
        self._flag = Flag()
        self._wake: Callable[[], None] = lambda: None

    @property
    def cancelled(self) -> bool:
        """Tell whether the run was cancelled."""
        return self._flag.is_set()

    def cancel(self) -> None:
        """Cancel the run: nothing new starts, what runs is asked to stop, what is finished is kept."""
        self._flag.set()
        self._wake()

    def attach(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when the run is cancelled."""
        self._wake = wake


@dataclass
class Outcome:
    """How a run ended: the targets' values by node, what failed, and how many nodes did what."""

    values: dict[str, Values] = field(default_factory=dict)
    failures: list[NodeError] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    ran: int = 0
    cached: int = 0
    skipped: int = 0
    cancelled: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def status(self) -> events.RunStatus:
        """Tell in one word how the run ended."""
        return "cancelled" if self.cancelled else "failed" if self.failures else "done"


@dataclass(frozen=True, slots=True)
class _Job:
    """A node about to run or running: the keys its result is kept under (its value key first), and its claim."""

    node: GraphNode
    keys: tuple[str, ...]
    fingerprint: str = ""
    claim: Claim | None = None


class Execution:
    """One plan being carried out. Call `run` once."""

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
        self.outcome = Outcome()
        self._queue: SimpleQueue[tuple[int, Report | None]] = SimpleQueue()
        self._values: dict[str, Values] = {}
        self._ready: deque[str] = deque()
        self._running: dict[int, tuple[_Job, Lane]] = {}
        self._elsewhere: list[_Job] = []
        self._targets = frozenset(plan.targets)
        self._left: set[str] = {*plan.order, *plan.equal}
        self._missing, self._dependants, self._uses = _wiring(plan)

    def run(self) -> Outcome:
        """Carry the plan out. Ctrl-C cancels; a second one interrupts."""
        self.control.attach(lambda: self._queue.put((0, None)))
        self._ready.extend(name for name in self.plan.order if not self._missing[name])
        for name, result in self.plan.cached.items():
            self._take(name, result.values, result.source)
        try:
            self._loop()
        except KeyboardInterrupt:
            self.control.cancel()
            self._loop()
        self._give_up()
        return self.outcome

    def _loop(self) -> None:
        """Start what is ready, take in one report, and again, until nothing runs."""
        while True:
            self._start_ready()
            if self.control.cancelled:
                self._cancel_running()
            if not self._running and not self._elsewhere:
                return
            try:
                task, report = self._queue.get(timeout=_POLL if self._elsewhere else None)
            except Empty:
                self._look_elsewhere()
                continue
            if report is not None:
                self._receive(task, report)

    def _cancel_running(self) -> None:
        self._elsewhere.clear()
        for task, (_, lane) in self._running.items():
            lane.cancel(task)

    # --- starting ---------------------------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        while self._ready and not self.control.cancelled:
            node = self.plan.graph.nodes[self._ready.popleft()]
            key = self.plan.keys[node.name]
            if node.spec.cheap:
                self._submit(_Job(node, (key,) if key else ()))
            else:
                self._start(node, (key,) if key else ())

    def _start(self, node: GraphNode, keys: tuple[str, ...]) -> None:
        """Look the node's value key up, and run it if nothing is found and nobody else is at it."""
        try:
            fingerprint = self._fingerprint(node)
        except _OUTSIDE as error:
            self._fail(node, Failed(f"{type(error).__name__}: {error}", "", ""))
            return
        if not node.spec.pure:
            self._submit(_Job(node, ()))
            return
        digests = {socket: [value.digest for value in values] for socket, values in self._inputs(node).items()}
        recipe = replace(self.plan.recipes[node.name], fingerprint=fingerprint)
        job = _Job(node, (recipe.key(inputs_by_value(digests)), *keys), fingerprint)
        if not self.look_up:
            self._submit(job)
        elif not self._take_cached(job) and not self._claim_and_submit(job):
            self._elsewhere.append(job)

    def _take_cached(self, job: _Job) -> bool:
        result = self.cache.fetch(job.keys[0])
        if result is None:
            return False
        self.cache.keep(job.keys, result.values, result.seconds, durable=True)
        self._take(job.node.name, result.values, result.source)
        return True

    def _claim_and_submit(self, job: _Job) -> bool:
        claim = self.cache.claim(job.keys[0])
        if claim is None:
            return False
        self._submit(replace(job, claim=claim))
        return True

    def _look_elsewhere(self) -> None:
        """See what other processes have finished, or have given up."""
        waiting, self._elsewhere = self._elsewhere, []
        self._elsewhere += [job for job in waiting if not self._take_cached(job) and not self._claim_and_submit(job)]

    def _submit(self, job: _Job) -> None:
        node = job.node
        lane = self.lanes.lane_for(node.spec)
        task = Task(next(_ids), node.spec.id, node.settings, self._inputs(node), self.watched)
        self._running[task.id] = (job, lane)
        lane.submit(task, self._receive if lane is self.lanes.inline else self._post)

    def _post(self, task: int, report: Report) -> None:
        self._queue.put((task, report))

    def _inputs(self, node: GraphNode) -> dict[str, tuple[StoredValue, ...]]:
        values = self._values
        return {
            socket: tuple([values[wire.node][wire.output] for wire in wires]) for socket, wires in node.wires.items()
        }

    def _fingerprint(self, node: GraphNode) -> str:
        """Identify what the node reads from outside, now that all its settings are known."""
        if node.spec.fingerprint is None:
            return ""
        inputs = self._inputs(node)
        wired = {name: cast(JSON, inputs[name][0].load()) for name in node.wired_settings}
        return node.spec.fingerprint(Known({}, {}, {**node.settings, **wired}, self.path_of))

    # --- reports ----------------------------------------------------------------------------------------------------

    def _receive(self, task: int, report: Report) -> None:
        if isinstance(report, Finished | Failed | Stopped):
            job, _ = self._running.pop(task)
            if isinstance(report, Finished):
                self._finish(job, report)
            elif isinstance(report, Failed):
                self._fail(job.node, report)
            if job.claim:
                job.claim.release()
        elif self.listen:
            job, lane = self._running[task]
            self.listen(_event(job.node.name, lane, report))

    def _finish(self, job: _Job, report: Finished) -> None:
        node = job.node
        self.outcome.ran += 1
        self.outcome.seconds[node.name] = report.seconds
        if job.keys and self._unchanged(job):
            self.cache.keep(job.keys, report.values, report.seconds, durable=not node.spec.cheap)
        if self.listen:
            summaries = {name: value.summary() for name, value in report.values.items()}
            self.listen(events.NodeFinished(node.name, report.seconds, summaries))
        self._complete(node.name, report.values)

    def _unchanged(self, job: _Job) -> bool:
        """Tell whether what the node read is still what its key says; if not, its result is not kept."""
        try:
            return job.node.spec.fingerprint is None or self._fingerprint(job.node) == job.fingerprint
        except _OUTSIDE:
            return False  # it went away while it was read: the values serve this run and are not kept

    def _take(self, name: str, values: Values, source: Source) -> None:
        """Take in values that did not have to be computed."""
        self.outcome.cached += 1
        if self.listen:
            self.listen(events.NodeCached(name, source))
        self._complete(name, values)

    def _complete(self, name: str, values: Values) -> None:
        """Take in a node's values, perform its effect, and make ready what waited for it."""
        node = self.plan.graph.nodes[name]
        if node.spec.effect and not self._perform(node, values):
            return
        self._left.discard(name)
        self._values[name] = values
        if name in self._targets:
            self.outcome.values[name] = values
        for dependant in self._dependants.get(name, ()):
            self._missing[dependant] -= 1
            if not self._missing[dependant]:
                self._wake(dependant)
        if name not in self.plan.equal and name not in self.plan.cached:
            self._release(wire.node for wires in node.wires.values() for wire in wires)

    def _wake(self, name: str) -> None:
        original = self.plan.equal.get(name)
        if original is None:
            self._ready.append(name)
        else:
            self._take(name, self._values[original], "equal")
            self._release([original])

    def _release(self, names: Iterable[str]) -> None:
        """Let go of values that nobody needs any more."""
        for name in names:
            self._uses[name] -= 1
            if not self._uses[name]:
                del self._values[name]

    def _perform(self, node: GraphNode, values: Values) -> bool:
        """Write an effect node's files; what goes wrong there fails the node."""
        try:
            self.outcome.files.extend(self.effect(node.name, values[node.spec.outputs[0].name]))
        except (OSError, PathError) as error:
            self._fail(node, Failed(f"{type(error).__name__}: {error}", "", ""))
            return False
        return True

    # --- endings ----------------------------------------------------------------------------------------------------

    def _fail(self, node: GraphNode, report: Failed) -> None:
        """Note a failure, and skip what depends on the node."""
        name, spec = node.name, node.spec
        failure = NodeError(name, spec.id, report.error, traceback=report.traceback, inputs=report.inputs)
        self.outcome.failures.append(failure)
        self._left.discard(name)
        if self.listen:
            self.listen(events.NodeFailed(name, spec.id, report.error, report.traceback, report.inputs))
        doomed = list(self._dependants.get(name, ()))
        while doomed:
            dependant = doomed.pop()
            if dependant in self._left:
                self._skip(dependant, f"'{name}' failed")
                doomed.extend(self._dependants.get(dependant, ()))

    def _skip(self, name: str, because: str) -> None:
        self._left.discard(name)
        self.outcome.skipped += 1
        if self.listen:
            self.listen(events.NodeSkipped(name, because))

    def _give_up(self) -> None:
        """Report what a cancelled run left undone."""
        self.outcome.cancelled = self.control.cancelled and bool(self._left)
        for name in (*self.plan.order, *self.plan.equal):
            if name in self._left:
                self._skip(name, "the run was cancelled")


def _event(name: str, lane: Lane, report: Started | Progress | Shown | Logged) -> Event:
    """Say what a report means for the run."""
    match report:
        case Started():
            return events.NodeStarted(name, lane.name)
        case Progress(done, total, stage):
            return events.NodeProgress(name, done, total, stage)
        case Shown(preview):
            return events.NodePreview(name, preview.media_type, preview.data)
        case Logged(level, message):
            return events.NodeLog(name, level, message)


def _wiring(plan: Plan) -> tuple[dict[str, int], dict[str, list[str]], dict[str, int]]:
    """Count for each node what it waits for, who waits for it, and how often its values will be used."""
    missing = dict.fromkeys((*plan.order, *plan.equal), 0)
    dependants: dict[str, list[str]] = {}
    uses: dict[str, int] = dict.fromkeys((*plan.order, *plan.equal, *plan.cached), 0)
    for name in plan.targets:
        uses[name] += 1  # never used up
    for name in plan.order:
        for wires in plan.graph.nodes[name].wires.values():
            for wire in wires:
                uses[wire.node] += 1
                missing[name] += 1
                dependants.setdefault(wire.node, []).append(name)
    for name, original in plan.equal.items():
        uses[original] += 1
        missing[name] += 1
        dependants.setdefault(original, []).append(name)
    return missing, dependants, uses
