"""The other end of a `ProcessLane`: `python -m graphgen.worker`, which runs tasks that come as frames on its input.

In: frames on standard input, the first of which says where things lie. Out: frames on what was standard output; what
nodes print goes to standard error. It ends when its input does, at the latest `_GRACE` seconds after.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread, Timer
from typing import BinaryIO

from graphgen.cache import Cache, Result, StoredValue
from graphgen.config import Roots
from graphgen.errors import CacheError, error_line
from graphgen.frames import Frame, read_frame, report_frame, write_frame
from graphgen.hookspecs import DeviceInfo
from graphgen.lanes import LoopLane, ThreadLane, Workshop
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.residency import Place, Residency
from graphgen.tasks import Failed, Finished, Lane, Report, Task
from graphgen.widgets import RootName

_GRACE = 5.0
"""Seconds that a task has to end once nobody listens any more."""


class Worker:
    """Runs the tasks of one lane, and tells of them in frames."""

    def __init__(self, setup: Frame, output: BinaryIO) -> None:
        self._output = output
        self._writing = Lock()
        self._spool = Path(setup["spool"])
        self._roots = Roots(**{name: Path(path) for name, path in setup["roots"].items()})
        self._allowed: frozenset[str] = frozenset()
        self._registry = build_registry(find_plugins(setup["disabled_plugins"]))
        self._shipped = {(item.root, item.name): item.path for item in self._registry.shipped}
        device = DeviceInfo(setup["device"], setup["dtype"])
        residency = Residency(self._registry.loaders, Place(device.name, device.dtype), setup["device_bytes"])
        self._cache = Cache(self._registry.codec, None, memory_bytes=0, disk_bytes=0)  # keeps nothing: the engine does
        self.partials = PipedPartials(self.send, self._spool, self._cache)
        partials = self.partials if setup["remembers"] else None
        workshop = Workshop(self._registry, self._path_of, self._cache.wrap, device, residency, partials)
        self._threads = ThreadLane("worker", workshop)
        self._loop = LoopLane(workshop)

    def run(self, frame: Frame) -> None:
        """Begin a task."""
        task = frame["task"]
        self._allowed = frozenset(frame["allowed"])
        spec = self._registry.nodes.get(frame["type"])
        if spec is None:
            self._fail(task, f"LaneError: the worker has no node '{frame['type']}'; install its plugin there too")
            return
        try:
            inputs = {socket: tuple(map(self._value, digests)) for socket, digests in frame["inputs"].items()}
        except CacheError as error:
            self._fail(task, error_line(error))
            return
        lane: Lane = self._loop if spec.asynchronous else self._threads
        self.partials.task = task
        lane.submit(Task(task, spec.id, frame["settings"], inputs, frame["watched"], frame["key"]), self._tell)

    def cancel(self, task: int) -> None:
        """Ask a task to stop."""
        self._threads.cancel(task)
        self._loop.cancel(task)

    def close(self) -> None:
        """Stop what runs."""
        self._threads.close()
        self._loop.close()

    def send(self, frame: Frame) -> None:
        """Write a frame; one that nobody reads any more is lost, and the end of the input will tell so too."""
        with self._writing:
            try:
                write_frame(self._output, frame)
            except OSError:
                return

    def _tell(self, task: int, report: Report) -> None:
        if isinstance(report, Finished):
            folder = self._spool / str(task)
            try:
                folder.mkdir(exist_ok=True)
                for value in report.values.values():
                    value.write_to(folder)
            except OSError as error:
                self._fail(task, f"LaneError: a value cannot be handed over: {error_line(error)}")
                return
        self.send(report_frame(task, report))

    def _fail(self, task: int, message: str) -> None:
        self.send(report_frame(task, Failed(message, "", "")))

    def _value(self, digest: str) -> StoredValue:
        return self._cache.read(self._spool / "values" / f"{digest}.safetensors")

    def _path_of(self, root: RootName, name: str) -> Path:
        return self._roots.resolve(root, name, self._shipped, allow_absolute=name in self._allowed)


class PipedPartials:
    """Partial work that the engine keeps: asked for and sent in frames, values as files. One task speaks at a time."""

    def __init__(self, send: Callable[[Frame], None], spool: Path, cache: Cache) -> None:
        self.task = 0
        self._send = send
        self._spool = spool
        self._cache = cache
        self._answers: SimpleQueue[Frame | None] = SimpleQueue()
        self._asking = Lock()
        self._over = False

    def recall(self, key: str) -> Result | None:
        """Ask the engine, and wait for the answer."""
        with self._asking:
            if self._over:
                return None
            self._send({"task": self.task, "report": "recall", "key": key})
            answer = self._answers.get()
        if answer is None or answer["digest"] is None:
            return None
        value = self._cache.read(self._spool / "values" / f"{answer['digest']}.safetensors")
        return Result({"value": value}, answer["seconds"], "memory", False)

    def remember(self, key: str, value: StoredValue, seconds: float) -> None:
        """Send the value; a disk that is full costs the partial work, not the task."""
        folder = self._spool / str(self.task)
        with suppress(OSError):
            folder.mkdir(exist_ok=True)
            value.write_to(folder)
            frame: Frame = {"key": key, "digest": value.digest, "seconds": seconds}
            self._send({"task": self.task, "report": "remember", **frame})

    def answer(self, frame: Frame | None) -> None:
        """Take in an answer; None: there will be no more."""
        self._over = frame is None
        self._answers.put(frame)


def main() -> None:
    """Work until the input ends."""
    source, target = _own_pipes()
    setup = read_frame(source)
    if setup is None:
        return
    worker = Worker(setup, target)
    worker.send({"ready": os.getpid()})
    while (frame := read_frame(source)) is not None:
        if "cancel" in frame:
            worker.cancel(frame["cancel"])
        elif "recalled" in frame:
            worker.partials.answer(frame)
        else:
            worker.run(frame)
    worker.partials.answer(None)
    last = Timer(_GRACE, os._exit, [1])  # a node that never looks must not outlive the engine
    last.daemon = True
    last.start()
    closing = Thread(target=worker.close, daemon=True)
    closing.start()
    closing.join()


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take the pipes for frames alone: what nodes print goes to standard error, and what they read is empty."""
    if hasattr(signal, "SIGINT"):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's matter, which sends a cancel
    source, target = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    sys.stdout.flush()
    os.dup2(2, 1)
    return source, target


if __name__ == "__main__":
    main()
