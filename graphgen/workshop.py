"""A task at work: what it is given, what it asks for, and the reports of how it goes and how it ends.

In: a task, and what its lane works with. Out: reports. Every lane runs its tasks as a `Job`, in whatever thread, loop
or process.
"""

from __future__ import annotations

import traceback
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from threading import current_thread, main_thread
from time import perf_counter
from typing import TYPE_CHECKING, Literal, cast

from graphgen.account import Account
from graphgen.arrivals import Arrivals
from graphgen.cache import StoredValue
from graphgen.context import Context, Preview
from graphgen.errors import Cancelled, ResourceError, did_you_mean, error_line
from graphgen.execution import Call, check_item, outputs_of, prepare
from graphgen.expansion import Expansion
from graphgen.hookspecs import DeviceInfo
from graphgen.inference import PathOf
from graphgen.lazy import InputNeeded
from graphgen.narration import summary_of
from graphgen.partial import Partials, note_key, partial_key
from graphgen.registry import Registry
from graphgen.residency import Residency
from graphgen.spec import NodeSpec
from graphgen.tasks import (
    Adapted,
    Asked,
    Expanded,
    Failed,
    Finished,
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
from graphgen.yields import Yields

if TYPE_CHECKING:
    pass  # takes a tenth of the time in which `graphgen nodes` answers, so only async nodes import it


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

    __slots__ = ("_account", "_arrivals", "_began", "_listen", "_stop", "_workshop", "begun", "task")

    def __init__(self, task: Task, workshop: Workshop, listen: Listener) -> None:
        self.task = task
        self._stop = False
        self.begun = False
        self._began = 0.0
        self._workshop = workshop
        self._listen = listen
        self._account: Account | None = None
        streams = task.streams
        self._arrivals = {socket: Arrivals(self._check_item(socket)) for socket in streams} if streams else {}

    @property
    def stop(self) -> bool:
        """Whether the task should end; what is set here wakes it where it waits for items."""
        return self._stop

    @stop.setter
    def stop(self, wanted: bool) -> None:
        self._stop = wanted
        for arrivals in self._arrivals.values():
            arrivals.stop()

    def feed(self, socket: str, items: Sequence[StoredValue], *, last: bool) -> None:
        """Take in items of a stream."""
        self._arrivals[socket].put(items, last=last)

    def _check_item(self, socket: str) -> Callable[[object, int], None]:
        registry = self._workshop.registry
        found = registry.nodes[self.task.type].input(socket)
        assert found is not None  # noqa: S101 - only inputs are streams
        return lambda value, place: check_item(found, value, place, registry.types)

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

    def adapted(self, words: str, *, exact: bool) -> None:
        """Send what was done otherwise than asked."""
        self.report(Adapted(words, exact))

    def free(self) -> int:
        """Let go of weights that nobody uses."""
        return self._account.free() if self._account else 0

    def lease(
        self, handle: object, report: Callable[[int, int], None], room: int | None
    ) -> AbstractContextManager[object]:
        """Lease what a handle names from the lane's residency."""
        if self._account is None:
            cure = "mark the node @node(device='gpu')"
            raise ResourceError(f"weights ({type(handle).__name__}) are lent on device lanes only; {cure}")
        return self._account.lease(handle, report, room)

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
            spec = self._workshop.registry.nodes[self.task.type]
            context = self._context(spec)
            call = self._prepare(spec, context)
            returned = call.function(*call.arguments, **call.settings)
            yields = self._yields(spec, context) if spec.yields and context else None
            if yields:
                yields.drive(cast(Generator[object], returned))
            seconds = perf_counter() - began - (self._waited() if self._arrivals else 0.0)
            if self._account is not None:
                self._account.close()
            self._finish(yields or returned, seconds)
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
            spec = self._workshop.registry.nodes[self.task.type]
            context = self._context(spec)
            call = self._prepare(spec, context)
            returned = call.function(*call.arguments, **call.settings)
            yields = self._yields(spec, context) if spec.yields and context else None
            if yields:
                await yields.drive_async(cast(AsyncGenerator[object], returned))
            else:
                returned = await cast(Coroutine[object, None, object], returned)
            self._finish(yields or returned, perf_counter() - began - (self._waited() if self._arrivals else 0.0))
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

    def _waited(self) -> float:
        """Return the seconds spent on waiting for items, which are another node's."""
        return sum(arrivals.waited for arrivals in self._arrivals.values())

    def _context(self, spec: NodeSpec) -> Context | None:
        device = self._workshop.device
        return Context(self, device=device.name, dtype=device.dtype) if spec.context or spec.yields else None

    def _prepare(self, spec: NodeSpec, context: Context | None) -> Call:
        task, types = self.task, self._workshop.registry.types
        inputs = {socket: [value.load() for value in values] for socket, values in task.inputs.items()}
        return prepare(spec, task.settings, inputs, context, task.lazy, types, self._arrivals)

    def _yields(self, spec: NodeSpec, context: Context) -> Yields:
        """Return what takes in the values of a generator node."""
        types, wrap = self._workshop.registry.types, self._workshop.wrap
        return Yields(spec, types, wrap, context, self.report, streamed=self.task.streamed)

    def _finish(self, returned: object, seconds: float) -> None:
        registry, wrap = self._workshop.registry, self._workshop.wrap
        if isinstance(returned, Yields):
            self.report(Finished(returned.values(), seconds))
            return
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
