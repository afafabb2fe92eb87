"""A lane in a process of its own: what crashes there takes one task with it, and nothing of the engine.

In: tasks. Out: reports, as from any lane. One worker (`worker.py`) is started when the first task comes, runs one task
at a time, and is started anew after it died. Tasks and reports cross as frames (`frames.py`), values as files in a
spool folder, which is there as long as the lane is.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from signal import Signals
from tempfile import mkdtemp
from threading import Lock, Thread
from typing import IO, BinaryIO, cast

from graphgen.cache import StoredValue
from graphgen.config import Config
from graphgen.errors import GraphgenError, LaneError, error_line
from graphgen.frames import Frame, read_frame, read_report, task_frame, write_frame
from graphgen.hookspecs import DeviceInfo
from graphgen.jsontypes import JSON
from graphgen.lanes import summarise_inputs
from graphgen.partial import Partials
from graphgen.tasks import Failed, Finished, Listener, Report, Started, Stopped, Task


class ProcessLane:
    """Runs tasks in a worker process, one at a time.

    `read` reads a value's file, as `Cache.read` does. `allowed` are the absolute paths that nodes may read, which may
    change meanwhile. `grace` is how many seconds a worker has to end by itself. `environment` is added to the worker's.
    """

    def __init__(
        self,
        name: str,
        config: Config,
        device: DeviceInfo,
        read: Callable[[Path], StoredValue],
        *,
        allowed: Collection[str] = (),
        grace: float = 5.0,
        environment: Mapping[str, str] | None = None,
        partials: Partials | None = None,
    ) -> None:
        self.name = name
        self._partials = partials
        self._config = config
        self._device = device
        self._read = read
        self._allowed = allowed
        self._grace = grace
        self._environment = dict(environment or {})
        self._queue: SimpleQueue[tuple[Task, Listener] | None] = SimpleQueue()
        self._stopped: set[int] = set()
        self._waiting: set[int] = set()
        self._lock = Lock()
        self._thread: Thread | None = None
        self._worker: subprocess.Popen[bytes] | None = None
        self._current: int | None = None
        self._spool: Path | None = None

    def submit(self, task: Task, listen: Listener) -> None:
        """Put the task in line."""
        with self._lock:
            self._waiting.add(task.id)
            if self._thread is None:
                self._thread = Thread(target=self._work, name=f"graphgen-{self.name}", daemon=True)
                self._thread.start()
        self._queue.put((task, listen))

    def cancel(self, task: int) -> None:
        """Ask the task to stop, at the latest when its turn comes."""
        with self._lock:
            if task in self._waiting:
                self._stopped.add(task)
                if task == self._current:
                    self._send({"cancel": task})

    def close(self) -> None:
        """Stop all tasks and end the worker; one that does not end by itself in time is killed."""
        with self._lock:
            thread, waiting = self._thread, tuple(self._waiting)
        if thread is None:
            return
        for task in waiting:
            self.cancel(task)
        self._queue.put(None)
        thread.join(self._grace)
        if thread.is_alive() and self._worker is not None:
            self._worker.kill()
        thread.join()
        self._thread = None

    # --- in the lane's own thread -----------------------------------------------------------------------------------

    def _work(self) -> None:
        self._spool = Path(mkdtemp(prefix="graphgen-lane-"))
        (self._spool / "values").mkdir()
        try:
            while (entry := self._queue.get()) is not None:
                task, listen = entry
                listen(task.id, self._carry_out(task, listen))
                with self._lock:
                    self._current = None
                    self._waiting.discard(task.id)
                    self._stopped.discard(task.id)
                del entry, task, listen  # an idle lane holds no values
        finally:
            self._end_worker()
            shutil.rmtree(self._spool, ignore_errors=True)

    def _carry_out(self, task: Task, listen: Listener) -> Report:
        """Run one task and return how it ended."""
        for _ in range(2):
            try:
                ended = self._try(task, listen)
            except (GraphgenError, OSError) as error:
                self._end_worker()
                ended = Failed(error_line(error), "", summarise_inputs(task))
            if ended is not None:
                return ended
            # the worker had died before it began: nothing is lost, another one may do it
        return Failed(f"LaneError: no worker can be started ({self._last_words()})", "", summarise_inputs(task))

    def _try(self, task: Task, listen: Listener) -> Report | None:
        """Run a task on the worker; None if the worker ended before the task began."""
        worker, begun = self._running_worker(), False
        paths = self._hand_over(task)
        with self._lock:
            if task.id in self._stopped:
                return Stopped()
            self._current = task.id
            self._send({**task_frame(task), "allowed": sorted(self._allowed)})
        try:
            while (frame := read_frame(_pipe(worker.stdout))) is not None:
                if frame.get("task") != task.id:
                    continue  # ready, or a thread that an earlier task left behind
                if frame["report"] in ("recall", "remember"):
                    paths.extend(self._keep_or_answer(frame))
                    continue
                report = read_report(frame, self._values(frame))
                if isinstance(report, Failed):
                    return Failed(report.error, report.traceback, report.inputs or summarise_inputs(task))
                if isinstance(report, Finished | Stopped):
                    return report
                begun = begun or isinstance(report, Started)
                listen(task.id, report)
        finally:
            for path in paths:
                path.unlink(missing_ok=True)
            shutil.rmtree(self._folder / str(task.id), ignore_errors=True)
        self._end_worker()
        if task.id in self._stopped:
            return Stopped()
        cure = "the engine goes on, with a new worker; what the worker wrote to the terminal may say more"
        words = f"LaneError: the worker died ({self._last_words()}) while this node ran; {cure}"
        return Failed(words, "", summarise_inputs(task)) if begun else None

    def _hand_over(self, task: Task) -> list[Path]:
        """Write the values a task is given where the worker finds them."""
        values = [value for values in task.inputs.values() for value in values]
        return [value.write_to(self._folder / "values") for value in values]

    def _values(self, frame: Frame) -> dict[str, StoredValue]:
        """Read the values that a finished task gave."""
        folder = self._folder / str(frame["task"])
        digests: Mapping[str, str] = frame.get("values", {})
        return {name: self._read(folder / f"{digest}.safetensors") for name, digest in digests.items()}

    def _keep_or_answer(self, frame: Frame) -> list[Path]:
        """Keep the partial work that a task sends, or send what it asks for; return the paths of what was sent."""
        if self._partials is None:
            raise LaneError(f"a worker speaks of partial work, which is not kept here: {frame}")
        if frame["report"] == "remember":
            path = self._folder / str(frame["task"]) / f"{frame['digest']}.safetensors"
            self._partials.remember(frame["key"], self._read(path), frame["seconds"])
            return []
        found = self._partials.recall(frame["key"])
        value = found.values["value"] if found else None
        paths = [value.write_to(self._folder / "values")] if value else []
        with self._lock:
            digest = value.digest if value else None
            self._send({"recalled": frame["key"], "digest": digest, "seconds": found.seconds if found else 0.0})
        return paths

    @property
    def _folder(self) -> Path:
        assert self._spool is not None  # noqa: S101 - made before the first task
        return self._spool

    # --- the worker -------------------------------------------------------------------------------------------------

    def _running_worker(self) -> subprocess.Popen[bytes]:
        if self._worker is not None and self._worker.poll() is not None:
            self._end_worker()
        if self._worker is None:
            self._worker = subprocess.Popen(
                [sys.executable, "-m", "graphgen.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **self._environment},
                start_new_session=True,  # so that Ctrl-C reaches the engine alone
            )
            self._send(self._setup())
        return self._worker

    def _setup(self) -> dict[str, JSON]:
        return {
            "spool": str(self._folder),
            "roots": {name: str(path) for name, path in asdict(self._config.roots).items()},
            "device": self._device.name,
            "dtype": self._device.dtype,
            "device_bytes": self._config.device_bytes,
            "disabled_plugins": list(self._config.disabled_plugins),
            "remembers": self._partials is not None,
        }

    def _send(self, frame: Mapping[str, JSON]) -> None:
        """Write to the worker; that it is gone will be seen when it is read from."""
        if self._worker is not None:
            with suppress(OSError):
                write_frame(_pipe(self._worker.stdin), frame)

    def _end_worker(self) -> None:
        """Let the worker end, and see to it that it does."""
        worker, self._worker = self._worker, None
        if worker is None:
            return
        with suppress(OSError):
            _pipe(worker.stdin).close()
        try:
            worker.wait(self._grace)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.wait()
        _pipe(worker.stdout).close()
        self._code = worker.returncode

    _code = 0

    def _last_words(self) -> str:
        if self._code >= 0:
            return f"exit code {self._code}"
        try:
            return f"killed by {Signals(-self._code).name}"
        except ValueError:
            return f"killed by signal {-self._code}"


def _pipe(pipe: IO[bytes] | None) -> BinaryIO:
    assert pipe is not None  # noqa: S101 - workers are started with pipes
    return cast(BinaryIO, pipe)
