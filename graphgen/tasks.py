"""What travels between the scheduler and its lanes: tasks one way, reports the other. Data only.

A lane is anything that runs tasks and reports on them. Values cross as `StoredValue`s, which another process can read
from a file by their digest; settings cross as JSON; nothing else does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, NamedTuple, Protocol, TypeAlias

from graphgen.cache import StoredValue
from graphgen.context import Preview
from graphgen.jsontypes import JSON

_ids = count(1)


def new_id() -> int:
    """Return a number that no task of this process has yet."""
    return next(_ids)


class Task(NamedTuple):
    """One call of a node: its type, its settings, and its input values by socket. `id` is unique in the process."""

    id: int
    type: str
    settings: Mapping[str, JSON]
    inputs: Mapping[str, tuple[StoredValue, ...]]
    watched: bool = False
    """Whether somebody looks at previews."""
    key: str = ""
    """The key that its result will be kept under, if it will be."""
    lazy: tuple[str, ...] = ()
    """Inputs that are wired and will be computed if the node asks for them."""
    run: int = 0
    """The run it belongs to: lanes take turns between runs."""
    priority: int = 0
    """Tasks of a higher one are taken first."""
    forced: bool = False
    """Whether it begins from the start, with none of the partial work that is kept."""
    streams: tuple[str, ...] = ()
    """Inputs whose items are fed to the task while it runs."""
    streamed: bool = False
    """Whether somebody waits for the items of its list one by one."""


@dataclass(frozen=True, slots=True)
class Started:
    """The task has begun; `place` says where, in a lane that has several places."""

    place: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """The task has done `done` of `total` units; `stage` says of what, when it is not the work itself."""

    done: int
    total: int
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Shown:
    """The task shows what it is working on."""

    preview: Preview


@dataclass(frozen=True, slots=True)
class Partial:
    """The task has yielded `count` values so far; `summaries` describe the latest one, by output."""

    count: int
    summaries: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Item:
    """The task gives the next item of its list, of which it will give the whole at its end."""

    value: StoredValue


@dataclass(frozen=True, slots=True)
class Logged:
    """The task says something to the person running it."""

    level: Literal["info", "warning"]
    message: str


@dataclass(frozen=True, slots=True)
class Adapted:
    """The task did its work otherwise than asked; goes into the run record.

    Unless what it gives is `exact`ly what was asked for, that serves this run, and is not kept under the task's keys.
    """

    words: str
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Used:
    """The task is about to use model files, named by their stamps (see filedigests.py), which may have to be loaded."""

    stamps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """What the task has cost besides its own seconds; comes before its end, from lanes that lend weights.

    `loading` are seconds that went into loading weights; `working` the most bytes taken on the device, weights not
    counted, None where that is not known; `weights` those it leased, by identity: their bytes and seconds to load.
    """

    loading: float
    working: int | None
    weights: Mapping[str, tuple[int, float]]


class Finished(NamedTuple):
    """The task is done. `seconds` is what the call took."""

    values: Mapping[str, StoredValue]
    seconds: float


@dataclass(frozen=True, slots=True)
class Asked:
    """The task needs a lazy input, and has ended; it is to be run again when that is there."""

    socket: str


@dataclass(frozen=True, slots=True)
class Expanded:
    """The task gave a graph to run in its place, and the values that go into it."""

    subgraph: Mapping[str, JSON]
    values: Mapping[str, StoredValue]
    seconds: float


@dataclass(frozen=True, slots=True)
class Failed:
    """The task raised: what, where, and what it was given."""

    error: str
    traceback: str
    inputs: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """The task stopped because it was cancelled."""


Underway: TypeAlias = Started | Progress | Shown | Partial | Item | Logged | Adapted | Used | Measured
"""Reports after which more will come; every other one is a task's last."""
Report: TypeAlias = Underway | Finished | Asked | Expanded | Failed | Stopped
Listener: TypeAlias = Callable[[int, Report], None]
"""Receives a task's id and a report; may be called from any thread, and must not block."""


class Lane(Protocol):
    """Runs tasks, each of which ends as Finished, Asked, Expanded, Failed or Stopped.

    `submit`, `feed` and `cancel` return at once.
    """

    name: str

    def submit(self, task: Task, listen: Listener) -> None:
        """Take a task."""

    def feed(self, task: int, socket: str, items: Sequence[StoredValue], *, last: bool) -> None:
        """Give a task more items of a stream; `last` tells that these were all. Does nothing for one that is over."""

    def cancel(self, task: int) -> None:
        """Ask a task to stop, whether it has begun or not."""

    def close(self) -> None:
        """Cancel what runs, wait for it, and let everything go."""
