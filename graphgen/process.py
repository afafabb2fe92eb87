"""A worker process seen from the engine: started, spoken to, ended, and in which words its death is told.

In: what a worker must know to begin (`setup`). Out: a `WorkerProcess`, whose `connection` carries frames. It is started
afresh (`python -m graphgen.worker`), never forked from a process with threads; it lies in a session of its own, so that
Ctrl-C reaches the engine alone, and what it starts ends with it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from graphgen.errors import LaneError
from graphgen.frames import Connection, Frame
from graphgen.jsontypes import JSON

_STDERR = 2
_LEAST_WORDS = 8192  # bytes of a crash's traceback that are told, at most


class WorkerProcess:
    """One running worker. What nodes print goes to standard error.

    Raises:
        LaneError: it cannot be started.
    """

    def __init__(self, setup: Mapping[str, JSON], environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair()
        self._last_words = TemporaryFile()  # noqa: SIM115 - open as long as the worker is
        inherited = (theirs.fileno(), self._last_words.fileno())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "graphgen.worker", *map(str, inherited)],
                stdin=subprocess.DEVNULL,
                stdout=_STDERR,
                pass_fds=inherited,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            self._last_words.close()
            cure = "free memory, or allow more processes with `ulimit -u`"
            raise LaneError(f"no worker can be started: {error.strerror}; {cure}") from error
        finally:
            theirs.close()
        self.connection = Connection(ours)
        with suppress(OSError):  # that it is gone already is told by the end of what it sends
            self.connection.send(Frame({**setup, "engine": os.getpid(), "path": list(sys.path)}))

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    def own_bytes(self) -> int:
        """Return the memory that it has taken for itself, without the files it has mapped; 0 where nobody can tell."""
        return own_bytes(self.pid)

    def kill(self) -> None:
        """End it at once, and whatever it has started."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)

    def end(self, grace: float) -> tuple[int, str]:
        """Let it end by itself, see to it that it does, and return its exit code and its last words."""
        self.connection.close()
        try:
            self._process.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
        self.kill()  # what it has left behind
        code = self._process.wait()
        with self._last_words as file:
            file.seek(0)
            words = file.read(_LEAST_WORDS).decode(errors="replace")
        return code, words


def own_bytes(pid: int) -> int:
    """Return the memory a process has taken for itself, without mapped files; 0 where nobody can tell."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


_ENDINGS = {
    "SIGKILL": (
        "was killed (SIGKILL); most likely the system had no memory left",
        "make smaller pictures or fewer at a time, close other programs, or set cpu_workers lower",
    ),
    "SIGSEGV": ("crashed (SIGSEGV: compiled code used memory that is not its own)", ""),
    "SIGBUS": ("crashed (SIGBUS: a mapped file was cut short, or the shared memory is full)", ""),
    "SIGABRT": ("gave up (SIGABRT: compiled code found something it cannot go on with)", ""),
    "SIGILL": ("crashed (SIGILL: compiled code has instructions that this processor lacks)", ""),
    "SIGFPE": ("crashed (SIGFPE: compiled code divided by zero)", ""),
}


def ending(code: int) -> tuple[str, str]:
    """Say how a process with an exit code ended, and what may be done about it."""
    if code >= 0:
        return f"ended with exit code {code}", "let the node raise an error instead of ending its process"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    words, cure = _ENDINGS.get(name, (f"was ended by {name}", "find out who sent it"))
    return words, cure or "update the node's plugin or the library that crashed; --verbose shows where it was"
