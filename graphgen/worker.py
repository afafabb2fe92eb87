"""The other end of a `ProcessLane`: `python -m graphgen.worker`, which runs tasks that come as frames.

In: frames on an inherited socket, the first of which says where things lie. Out: frames. What nodes print goes to
standard error. It ends when the engine does.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread, Timer

from graphgen.cache import Result, StoredValue
from graphgen.cache.crossing import Image, receive_value, send_value
from graphgen.codec import ValueCodec
from graphgen.config import Roots
from graphgen.errors import GraphgenError, error_line
from graphgen.frames import Connection, Frame, read_feed, read_task, report_frame
from graphgen.hookspecs import DeviceInfo
from graphgen.jsontypes import JSON
from graphgen.lanes import LoopLane, ThreadLane
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.residency import Place, Residency
from graphgen.tasks import Failed, Lane, Report, Underway
from graphgen.widgets import RootName
from graphgen.workshop import Workshop

_GRACE = 5.0
"""Seconds that a task has to end once nobody listens any more."""

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Worker:
    """Runs the tasks that a lane sends, and tells of them in frames."""

    def __init__(self, setup: Frame, connection: Connection) -> None:
        said = setup.fields
        self._connection = connection
        self._roots = Roots(**{name: Path(path) for name, path in said["roots"].items()})
        self._allowed: frozenset[str] = frozenset()
        self._registry = build_registry(find_plugins(said["disabled_plugins"]))
        self._shipped = {(item.root, item.name): item.path for item in self._registry.shipped}
        device, codec = DeviceInfo(said["device"], said["dtype"]), self._registry.codec
        self._residency = Residency(self._registry.loaders, Place(device.name, device.dtype), said["device_bytes"])
        self.partials = SentPartials(self.send, codec)
        wrap = partial(StoredValue.wrap, codec=codec)
        partials = self.partials if said["remembers"] else None
        residency = self._residency if said["lends"] else None
        workshop = Workshop(self._registry, self._path_of, wrap, device, residency, partials)
        self._threads = ThreadLane("worker", workshop)
        self._loop = LoopLane(workshop)

    def run(self, frame: Frame) -> None:
        """Begin a task."""
        task, kind = frame.fields["task"], frame.fields["type"]
        self._allowed = frozenset(frame.fields["allowed"])
        spec = self._registry.nodes.get(kind)
        if spec is None:
            self._fail(task, f"the worker has no node '{kind}'; {self._why_missing(kind)}")
            return
        lane: Lane = self._loop if spec.asynchronous else self._threads
        try:
            lane.submit(read_task(frame, self._registry.codec), self._tell)
        except GraphgenError as error:
            self._fail(task, error_line(error))

    def feed(self, frame: Frame) -> None:
        """Give a task items of a stream."""
        task, socket, last = (frame.fields[name] for name in ("feed", "socket", "last"))
        try:
            items = read_feed(frame, self._registry.codec)
        except GraphgenError as error:
            self._fail(task, error_line(error))
            self.cancel(task)
            return
        for lane in (self._threads, self._loop):  # the one that does not have it does nothing
            lane.feed(task, socket, items, last=last)

    def cancel(self, task: int) -> None:
        """Ask a task to stop."""
        self._threads.cancel(task)
        self._loop.cancel(task)

    def close(self) -> None:
        """Stop what runs."""
        self.partials.answer(None)
        self._threads.close()
        self._loop.close()

    def send(self, frame: Frame) -> None:
        """Send a frame; one that nobody reads any more is lost, and the end of what comes will tell so too."""
        try:
            self._connection.send(frame)
        except OSError:
            return

    def _tell(self, task: int, report: Report) -> None:
        more: dict[str, JSON] = {}
        if not isinstance(report, Underway):
            more["warm"] = dict[str, JSON](self._residency.warm())
        self.send(report_frame(task, report, **more))

    def _fail(self, task: int, message: str) -> None:
        self.send(report_frame(task, Failed(message, "", "")))

    def _why_missing(self, kind: str) -> str:
        pack = kind.partition(".")[0]
        broken = next((plugin for plugin in self._registry.broken if plugin.name == pack), None)
        if broken is None:
            return "install its plugin where workers find it too"
        return f"its plugin could not be loaded there: {broken.error}; `graphgen plugins --verbose` may say more"

    def _path_of(self, root: RootName, name: str) -> Path:
        return self._roots.resolve(root, name, self._shipped, allow_absolute=name in self._allowed)


class SentPartials:
    """Partial work that the engine keeps: asked for and sent in frames. One thread asks at a time."""

    def __init__(self, send: Callable[[Frame], None], codec: ValueCodec) -> None:
        self._send = send
        self._codec = codec
        self._answers: SimpleQueue[Frame | None] = SimpleQueue()
        self._asking = Lock()
        self._over = False

    def recall(self, key: str) -> Result | None:
        """Ask the engine, and wait for the answer."""
        with self._asking:
            if self._over:
                return None
            self._send(Frame({"recall": key}))
            answer = self._answers.get()
        if answer is None or answer.fields["value"] is None:
            return None
        value = receive_value(answer.fields["value"], answer.images, self._codec)
        return Result({"value": value}, answer.fields["seconds"], "memory", False)

    def remember(self, key: str, value: StoredValue, seconds: float) -> None:
        """Send the value."""
        images: list[Image] = []
        self._send(Frame({"remember": key, "value": send_value(value, images), "seconds": seconds}, images))

    def answer(self, frame: Frame | None) -> None:
        """Take in an answer; None: there will be no more."""
        self._over = frame is None
        self._answers.put(frame)


def main() -> None:
    """Work until the engine ends, or closes its end."""
    descriptor, last_words = map(int, sys.argv[1:])
    faulthandler.enable(last_words)  # where a crash happened
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the engine's matter, which sends a cancel
    connection = Connection(socket.socket(fileno=descriptor))
    try:
        setup = connection.receive()
        assert setup is not None  # noqa: S101 - without a time limit there is a frame, or the end
        _die_with(setup.fields["engine"])
        sys.path += [place for place in setup.fields["path"] if place not in sys.path]
        worker = Worker(setup, connection)
        worker.send(Frame({"ready": True}))
        _serve(worker, connection)
    except EOFError:
        return


def _serve(worker: Worker, connection: Connection) -> None:
    try:
        while (frame := connection.receive()) is not None:
            if "cancel" in frame.fields:
                worker.cancel(frame.fields["cancel"])
            elif "feed" in frame.fields:
                worker.feed(frame)
            elif "recalled" in frame.fields:
                worker.partials.answer(frame)
            else:
                worker.run(frame)
    except EOFError:
        pass
    last = Timer(_GRACE, os._exit, [1])  # a node that never looks must not outlive the engine
    last.daemon = True
    last.start()
    closing = Thread(target=worker.close, daemon=True)
    closing.start()
    closing.join()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # nothing here needs taking down, and taking torch down takes a while


def _die_with(engine: int) -> None:
    """Have the system end this process with the engine, even if a node never lets go of the interpreter."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != engine:
        os._exit(1)


if __name__ == "__main__":
    main()
