"""What the tests of lanes share: a lane with fake packs, also the perilous one, and what it told."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import entry_points
from itertools import count
from pathlib import Path
from queue import SimpleQueue

from engine_kit import HERE, config

from graphgen.cache import Cache
from graphgen.config import Config
from graphgen.crew import Crew, terms_of
from graphgen.hookspecs import DeviceInfo
from graphgen.jsontypes import JSON
from graphgen.lanes import InlineLane, LoopLane, ThreadLane
from graphgen.partial import CachedPartials
from graphgen.plugins import GROUP, find_plugins
from graphgen.registry import Registry, build_registry
from graphgen.remote import ProcessLane
from graphgen.tasks import Asked, Failed, Finished, Item, Lane, Report, Stopped, Task
from graphgen.workshop import Workshop

PACKS = [str(HERE / "packs"), str(HERE / "packs" / "perils")]
_ids = count(1)


def new_id() -> int:
    """A number for a task."""
    return next(_ids)


ENDS = (Finished, Asked, Failed, Stopped)
WORKER = {"PYTHONPATH": os.pathsep.join(filter(None, [*PACKS, os.environ.get("PYTHONPATH")]))}
OURS = ("maths", "probe", "steering", "streams", "perils")


@cache
def installed() -> Registry:
    """The packs `maths`, `probe`, `steering`, `streams` and `perils`, found as workers find them."""
    sys.path[:0] = PACKS
    try:
        made = build_registry(find_plugins(others()))
    finally:
        del sys.path[: len(PACKS)]
    assert not made.broken, made.broken
    return made


def others() -> tuple[str, ...]:
    """The plugins that tests of lanes can do without."""
    return tuple(entry.name for entry in entry_points(group=GROUP) if entry.name not in OURS)


@dataclass
class Bench:
    """A lane with what a test needs around it."""

    lane: Lane
    cache: Cache
    config: Config
    reports: SimpleQueue[tuple[int, Report]] = field(default_factory=SimpleQueue)
    told: dict[int, list[Report]] = field(default_factory=dict)
    """What tasks told while another's end was waited for."""

    def start(
        self,
        type_: str,
        settings: Mapping[str, JSON] | None = None,
        *,
        watched: bool = False,
        streams: tuple[str, ...] = (),
        streamed: bool = False,
        **inputs: object,
    ) -> int:
        """Submit a task; an input is a value, or a tuple of them."""
        given = {name: value if isinstance(value, tuple) else (value,) for name, value in inputs.items()}
        defaults = installed().nodes[type_].model.model_construct().model_dump()
        filled = {name: value for name, value in {**defaults, **(settings or {})}.items() if name not in given}
        stored = {name: tuple(map(self.cache.wrap, values)) for name, values in given.items()}
        task = Task(new_id(), type_, filled, stored, watched, streams=streams, streamed=streamed)
        self.lane.submit(task, lambda number, report: self.reports.put((number, report)))
        return task.id

    def feed(self, task: int, *items: object, last: bool = False) -> None:
        """Give a task items of its stream `values`."""
        self.lane.feed(task, "values", [self.cache.wrap(item) for item in items], last=last)

    def item(self, task: int) -> object:
        """Wait for the next item that a task gives, and return it."""
        while True:
            number, report = self.reports.get(timeout=60)
            self.told.setdefault(number, []).append(report)
            assert not isinstance(report, ENDS), report
            if number == task and isinstance(report, Item):
                return report.value.load()

    def end(self, task: int) -> list[Report]:
        """Wait for a task's end and return what it told, in order."""
        while not (told := self.told.get(task)) or not isinstance(told[-1], ENDS):
            number, report = self.reports.get(timeout=240)
            self.told.setdefault(number, []).append(report)
        return self.told.pop(task)

    def run(self, type_: str, settings: Mapping[str, JSON] | None = None, **inputs: object) -> list[Report]:
        return self.end(self.start(type_, settings, watched=False, streams=(), streamed=False, **inputs))

    def value(self, type_: str, settings: Mapping[str, JSON] | None = None, **inputs: object) -> object:
        """Run a task that has one output and return that."""
        *_, last = self.end(self.start(type_, settings, watched=False, streams=(), streamed=False, **inputs))
        assert isinstance(last, Finished), last
        (value,) = last.values.values()
        return value.load()


CPU = DeviceInfo("cpu", "float32")


def process_lane(
    settings: Config, cache: Cache, *, device: DeviceInfo = CPU, width: int = 1, workers: int = 1, **changes: object
) -> ProcessLane:
    """A lane of workers that find the fake packs; `changes` are for its terms."""
    partials = CachedPartials(cache)
    crew = Crew(settings, installed(), [device], settings.roots.resolve, cache, partials=partials)
    terms = replace(terms_of(crew, device), **{"environment": WORKER, **changes})  # type: ignore[arg-type]
    return ProcessLane("process" if device == CPU else device.name, terms, width=width, workers=workers)


def bench_of(kind: str, folder: Path) -> Bench:
    settings = config(folder, disabled_plugins=others())
    cache = Cache(installed().codec, None, 1 << 20, 0)
    device = DeviceInfo("cpu", "float32")
    workshop = Workshop(installed(), settings.roots.resolve, cache.wrap, device, partials=CachedPartials(cache))
    makers: dict[str, Callable[[], Lane]] = {
        "inline": lambda: InlineLane(workshop),
        "thread": lambda: ThreadLane("thread", workshop),
        "loop": lambda: LoopLane(workshop),
        "process": lambda: process_lane(settings, cache),
    }
    return Bench(makers[kind](), cache, settings)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.005)


def drained(reports: SimpleQueue[tuple[int, Report]]) -> Iterator[tuple[int, Report]]:
    while not reports.empty():
        yield reports.get()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def no_children() -> bool:
    try:
        return os.waitpid(-1, os.WNOHANG)[0] == 0
    except ChildProcessError:
        return True
