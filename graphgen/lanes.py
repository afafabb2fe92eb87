"""Lanes in this process: inline for cheap nodes, threads for plain functions, an event loop for async ones.

There is one lane with one thread for each device, which also keeps that device's weights, and a pool of threads for
nodes that need none. All of them pass the same contract test as the lane in a process of its own (`remote.py`).
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread, current_thread, main_thread
from time import perf_counter
from typing import TYPE_CHECKING, Literal, cast

from graphgen.account import Account
from graphgen.cache import StoredValue
from graphgen.context import Context, Preview
from graphgen.errors import Cancelled, ResourceError, did_you_mean, error_line
from graphgen.execution import Call, outputs_of, prepare
from graphgen.expansion import Expansion
from graphgen.fairqueue import FairQueue
from graphgen.hookspecs import DeviceInfo
from graphgen.inference import PathOf
from graphgen.lazy import InputNeeded
from graphgen.partial import Partials, note_key, partial_key
from graphgen.registry import Registry
from graphgen.residency import Residency
from graphgen.spec import NodeSpec
from graphgen.tasks import (
    Asked,
    Expanded,
    Failed,
    Finished,
    Lane,
    Listener,
    Logged,
    Progress,
    Report,
    Shown,
    Started,
    Stopped,
    Task,
)
from graphgen.validation import shown
from graphgen.widgets import RootName

if TYPE_CHECKING:
    import asyncio  # takes a tenth of the time in which `graphgen nodes` answers, so only async nodes import it


@dataclass(frozen=True)
class Workshop:
    """What a lane works with: the nodes, where files lie, how values are stored, its device and that one's weights.

    `partials` is where nodes keep partial work; None: nowhere.
    """

    registry: Registry
    path_of: PathOf
    wrap: Callable[[object], StoredValue]
    device: DeviceInfo
    residency: Residency | None = None
    partials: Partials | None = None


class Job:
    """A task at work: the channel its context speaks through. Set `stop` to ask it to end."""

    __slots__ = ("_account", "_began", "_listen", "_workshop", "begun", "stop", "task")

    def __init__(self, task: Task, workshop: Workshop, listen: Listener) -> None:
        self.task = task
        self.stop = False
        self.begun = False
        self._began = 0.0
        self._workshop = workshop
        self._listen = listen
        self._account: Account | None = None

    def report(self, report: Report) -> None:
        """Send a report."""
        self._listen(self.task.id, report)

    def cancelled(self) -> bool:
        """Tell whether the task should end."""
        return self.stop

    def watched(self) -> bool:
        """Tell whether somebody looks at previews."""
        return self.task.watched

    def progress(self, done: int, total: int, stage: str) -> None:
        """Send progress."""
        self.report(Progress(done, total, stage))

    def preview(self, preview: Preview) -> None:
        """Send a preview."""
        self.report(Shown(preview))

    def log(self, level: Literal["info", "warning"], message: str) -> None:
        """Send a message."""
        self.report(Logged(level, message))

    def path(self, root: RootName, name: str) -> Path:
        """Resolve a name inside a root."""
        return self._workshop.path_of(root, name)

    def lease(self, handle: object, report: Callable[[int, int], None]) -> AbstractContextManager[object]:
        """Lease what a handle names from the lane's residency."""
        if self._account is None:
            cure = "mark the node @node(device='gpu')"
            raise ResourceError(f"weights ({type(handle).__name__}) are lent on device lanes only; {cure}")
        return self._account.lease(handle, report)

    def remembers(self) -> bool:
        """Tell whether partial work is kept."""
        return self._workshop.partials is not None

    def digest(self, value: object) -> str:
        """Identify a value."""
        return self._workshop.registry.codec.encode(value).digest

    def recall(self, key: str, of: str) -> object | None:
        """Return partial work of this node or another; what it took is added to what going on from it takes."""
        partials = self._workshop.partials
        found = partials.recall(self._partial_key(key, of)) if partials and not self.task.forced else None
        if found is None:
            return None
        self._began -= found.seconds
        return found.values["value"].load()

    def remember(self, key: str, value: object, of: str, words: str) -> None:
        """Keep partial work, and a note under the key of the task's result."""
        if (partials := self._workshop.partials) is None:
            return
        where, seconds = self._partial_key(key, of), perf_counter() - self._began
        partials.remember(where, self._workshop.wrap(value), seconds)
        if words and self.task.key:
            partials.remember(note_key(self.task.key), self._workshop.wrap((words, where)), seconds)

    def _partial_key(self, key: str, of: str) -> str:
        nodes = self._workshop.registry.nodes
        spec = nodes.get(of or self.task.type)
        if spec is None:
            cure = did_you_mean(of, tuple(nodes)) or "install its plugin"
            raise ResourceError(f"no node '{of}' is installed whose partial work could be shared; {cure}")
        return partial_key(spec, self._workshop.device, key)

    def run(self) -> None:
        """Call the node and report how it ended; nothing it raises gets out, save Ctrl-C in the main thread."""
        try:
            self._start()
            began = perf_counter()
            call = self._prepare()
            returned = call.function(*call.arguments, **call.settings)
            seconds = perf_counter() - began
            if self._account is not None:
                self._account.close()
            self._finish(returned, seconds)
        except KeyboardInterrupt as error:
            if current_thread() is main_thread():
                self.report(Stopped())
                raise
            self._end(error)
        except BaseException as error:  # whatever a node raises fails that node, and nothing else
            self._end(error)

    async def run_async(self) -> None:
        """Await the node and report how it ended; nothing it raises gets out."""
        try:
            self._start()
            began = perf_counter()
            call = self._prepare()
            returned = await cast(Coroutine[object, None, object], call.function(*call.arguments, **call.settings))
            self._finish(returned, perf_counter() - began)
        except BaseException as error:
            self._end(error)

    def _start(self) -> None:
        if self.stop:
            raise Cancelled("the run was cancelled")
        self.begun = True
        if (residency := self._workshop.residency) is not None:
            meter = self._workshop.registry.meter(self.task.type, self._workshop.device)
            self._account = Account(residency, meter, self.report)
        self._began = perf_counter()
        self.report(Started())

    def _prepare(self) -> Call:
        spec = self._workshop.registry.nodes[self.task.type]
        inputs = {socket: [value.load() for value in values] for socket, values in self.task.inputs.items()}
        device = self._workshop.device
        context = Context(self, device=device.name, dtype=device.dtype) if spec.context else None
        return prepare(spec, self.task.settings, inputs, context, self.task.lazy, self._workshop.registry.types)

    def _finish(self, returned: object, seconds: float) -> None:
        registry, wrap = self._workshop.registry, self._workshop.wrap
        if isinstance(returned, Expansion):
            given = {name: wrap(value) for name, value in returned.inputs.items()}
            self.report(Expanded(dict(returned.subgraph), given, seconds))
            return
        values = outputs_of(registry.nodes[self.task.type], returned, registry.types)
        self.report(Finished({name: wrap(value) for name, value in values.items()}, seconds))

    def _end(self, error: BaseException) -> None:
        """Report an end that is none of the node's: stopped if somebody asked for it, failed otherwise."""
        if isinstance(error, InputNeeded):
            self.report(Asked(error.socket))
        elif self.stop and isinstance(error, Cancelled | KeyboardInterrupt | _loop_cancelled()):
            self.report(Stopped())
        else:
            trace = "".join(traceback.format_exception(error))
            words = error_line(error)
            if isinstance(error, SystemExit):
                words = f"{words}; the node called sys.exit, which ends it alone; let it raise an error instead"
            self.report(Failed(words, trace, summarise_inputs(self.task)))


def _loop_cancelled() -> type[BaseException]:
    """Return asyncio's own sign of cancelling."""
    from asyncio import CancelledError

    return CancelledError


def summarise_inputs(task: Task) -> str:
    """Describe what a task was given, in one line."""
    parts = [f"{socket}: {' and '.join(map(summary_of, values))}" for socket, values in task.inputs.items()]
    parts += [f"{name}={shown(value)}" for name, value in task.settings.items()]
    return ", ".join(parts)


def summary_of(value: StoredValue) -> str:
    """Describe a value in a few words; a plugin's codec that fails at it must not fail the run."""
    try:
        return value.summary()
    except Exception:
        return f"{value.size:,} bytes"


class InlineLane:
    """Runs each task where it is submitted: for nodes that take microseconds."""

    name = "inline"

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def submit(self, task: Task, listen: Listener) -> None:
        """Run the task to its end. Ctrl-C ends it too, and goes on to the caller."""
        Job(task, self._workshop, listen).run()

    def cancel(self, task: int) -> None:
        """Do nothing: what was submitted is over."""

    def close(self) -> None:
        """Do nothing: nothing is held."""


class ThreadLane:
    """Runs tasks in worker threads, started when the first task comes."""

    def __init__(self, name: str, workshop: Workshop, threads: int = 1) -> None:
        self.name = name
        self._workshop = workshop
        self._count = threads
        self._threads: list[Thread] = []
        self._bell: SimpleQueue[bool] = SimpleQueue()
        """Rung once for each task in line, and with False for each thread that is to end."""
        self._line: FairQueue[Job] = FairQueue()
        self._jobs: dict[int, Job] = {}
        self._lock = Lock()

    def submit(self, task: Task, listen: Listener) -> None:
        """Put the task in line."""
        job = Job(task, self._workshop, listen)
        with self._lock:
            if len(self._threads) < min(self._count, len(self._jobs) + 1):
                self._threads.append(Thread(target=self._work, name=f"graphgen-{self.name}", daemon=True))
                self._threads[-1].start()
            self._jobs[task.id] = job
            self._line.put(job, task.run, task.priority)
        self._bell.put(True)

    def cancel(self, task: int) -> None:
        """Ask the task to stop at its next look."""
        if job := self._jobs.get(task):
            job.stop = True

    def warm(self) -> Mapping[str, float]:
        """Return the weights that the lane holds, and how many seconds each took to load."""
        return self._workshop.residency.warm() if self._workshop.residency else {}

    def close(self) -> None:
        """Stop all tasks and join the threads."""
        for job in tuple(self._jobs.values()):
            job.stop = True
        for _ in self._threads:
            self._bell.put(False)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self) -> None:
        while self._bell.get():
            with self._lock:
                job = self._line.take()
            job.run()
            del self._jobs[job.task.id]
            del job  # an idle thread holds no values


class LoopLane:
    """Runs async nodes on an event loop in a thread of its own, started when the first task comes."""

    name = "loop"

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._running: dict[int, tuple[Job, asyncio.Task[None]]] = {}
        self._lock = Lock()

    def submit(self, task: Task, listen: Listener) -> None:
        """Schedule the task on the loop."""
        import asyncio

        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(target=self._loop.run_forever, name="graphgen-loop", daemon=True)
                self._thread.start()
        self._loop.call_soon_threadsafe(self._begin, self._loop, Job(task, self._workshop, listen))

    def cancel(self, task: int) -> None:
        """Cancel the task where it waits."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._cancel, task)

    def close(self) -> None:
        """Cancel all tasks and stop the loop."""
        if self._loop and self._thread:
            import asyncio

            asyncio.run_coroutine_threadsafe(self._drain(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._loop = self._thread = None

    def _begin(self, loop: asyncio.AbstractEventLoop, job: Job) -> None:
        running = loop.create_task(job.run_async())
        self._running[job.task.id] = (job, running)
        running.add_done_callback(lambda _: self._running.pop(job.task.id))

    def _cancel(self, task: int) -> None:
        if found := self._running.get(task):
            job, running = found
            if job.begun:  # a task that has not begun sees `stop` when it does, and reports it
                running.cancel()
            job.stop = True

    async def _drain(self) -> None:
        import asyncio

        waiting = [running for _, running in self._running.values()]
        for task in tuple(self._running):
            self._cancel(task)
        await asyncio.gather(*waiting)
        loop = asyncio.get_running_loop()
        await loop.shutdown_asyncgens()
        await loop.shutdown_default_executor()  # the threads of nodes that called asyncio.to_thread


@dataclass(frozen=True)
class Lanes:
    """The lanes of one engine, and which node runs on which."""

    inline: Lane
    pool: Lane
    device: Lane
    loop: Lane

    def lane_for(self, spec: NodeSpec) -> Lane:
        """Choose the lane for a kind of node."""
        if spec.device == "gpu":
            return self.device
        if spec.asynchronous:
            return self.loop
        return self.inline if spec.cheap else self.pool

    def close(self) -> None:
        """Close all lanes."""
        for lane in (self.inline, self.pool, self.device, self.loop):
            lane.close()
