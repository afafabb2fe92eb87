"""Lanes in this process: inline for cheap nodes, threads for plain functions, an event loop for async ones.

There is one lane with one thread for each device, which also keeps that device's weights, and a pool of threads for
nodes that need none. All of them pass the same contract test as the lane in a process of its own (`remote.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING

from graphgen.cache import StoredValue
from graphgen.fairqueue import FairQueue
from graphgen.spec import NodeSpec
from graphgen.tasks import Lane, Listener, Task
from graphgen.workshop import Job, Workshop

if TYPE_CHECKING:
    import asyncio  # takes a tenth of the time in which `graphgen nodes` answers, so only async nodes import it


class InlineLane:
    """Runs each task where it is submitted: for nodes that take microseconds."""

    name = "inline"

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop

    def submit(self, task: Task, listen: Listener) -> None:
        """Run the task to its end. Ctrl-C ends it too, and goes on to the caller."""
        Job(task, self._workshop, listen).run()

    def feed(self, task: int, socket: str, items: Sequence[StoredValue], *, last: bool) -> None:
        """Do nothing: what was submitted is over."""

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

    def feed(self, task: int, socket: str, items: Sequence[StoredValue], *, last: bool) -> None:
        """Give the task, begun or not, items of a stream."""
        if job := self._jobs.get(task):
            job.feed(socket, items, last=last)

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

    def feed(self, task: int, socket: str, items: Sequence[StoredValue], *, last: bool) -> None:
        """Give the task items of a stream."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._feed, task, socket, items, last)

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

    def _feed(self, task: int, socket: str, items: Sequence[StoredValue], last: bool) -> None:
        if found := self._running.get(task):
            found[0].feed(socket, items, last=last)

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
    """The lanes of one engine, and which node runs on which.

    Where processes do the work, this one stays `light`: no tensor is made here, and so no heavy library imported.
    """

    inline: Lane
    pool: Lane
    device: Lane
    loop: Lane
    light: bool = False

    def lane_for(self, spec: NodeSpec, inputs: Mapping[str, tuple[StoredValue, ...]]) -> Lane:
        """Choose the lane for a node by its kind and by what it is given."""
        if spec.device == "gpu":
            return self.device
        if spec.asynchronous:
            return self.loop
        if not spec.cheap:
            return self.pool
        heavy = self.light and any(value.has_buffers for values in inputs.values() for value in values)
        return self.pool if heavy else self.inline

    def close(self) -> None:
        """Close all lanes."""
        for lane in (self.inline, self.pool, self.device, self.loop):
            lane.close()
