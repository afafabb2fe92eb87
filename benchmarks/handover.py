"""What handing a task to a worker process and its result back adds, beside a worker thread."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from time import perf_counter

import torch

from benchmarks.measure import Measurement
from graphgen.cache import Cache, StoredValue
from graphgen.config import Config
from graphgen.crew import Crew, terms_of
from graphgen.hookspecs import DeviceInfo
from graphgen.lanes import ThreadLane
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.remote import ProcessLane
from graphgen.tasks import Finished, Lane, Report, Task, Underway
from graphgen.workshop import Workshop
from graphgen_nodes.sockets import Image

ROUNDS = 500
AIM = 500.0  # µs
PACKS = str(Path(__file__).parent / "packs")
_ids = count(1)


def measure() -> Iterator[Measurement]:
    """Time round trips of a node that does nothing, given nothing or a picture of 100 MB, in a process and a thread."""
    sys.path.append(PACKS)  # workers look where this process does
    try:
        with TemporaryDirectory() as folder:
            yield from _measure(Path(folder))
    finally:
        sys.path.remove(PACKS)


def _measure(folder: Path) -> Iterator[Measurement]:
    roots = {name: folder / name for name in ("models", "inputs", "outputs", "cache", "data")}
    config = Config.load({**roots, "device": "cpu"}, environment={})
    registry, device = build_registry(find_plugins()), DeviceInfo("cpu", "float32")
    cache = Cache(registry.codec, None, 1 << 30, 0)
    crew = Crew(config, registry, [device], config.roots.resolve, cache)
    workshop = Workshop(registry, config.roots.resolve, cache.wrap, device)
    lanes: list[Callable[[], Lane]] = [
        lambda: ThreadLane("pool", workshop),
        lambda: ProcessLane("pool", terms_of(crew, device)),
    ]
    picture = cache.wrap(Image(torch.rand(1, 3, 2560, 3413)))
    for value, what in ((None, "nothing"), (picture, f"a picture of {picture.size / 1e6:.0f} MB")):
        thread, process = (_each(make(), value) for make in lanes)
        added = (process - thread) * 1e6
        yield Measurement("hand-over", f"{what}, to a thread and back", thread * 1e6, "µs")
        yield Measurement("hand-over", f"{what}, to a process: added", added, "µs", AIM, "a thread", process / thread)


def _each(lane: Lane, value: StoredValue | None) -> float:
    """Return the seconds that one round trip takes, at the median."""
    answers: SimpleQueue[Report] = SimpleQueue()
    inputs = {} if value is None else {"value": (value,)}
    spent: list[float] = []
    with closing(lane):
        for _ in range(ROUNDS + 10):  # the first ones start the worker and import torch
            task = Task(next(_ids), "noop.nothing", {}, inputs)
            began = perf_counter()
            lane.submit(task, lambda _, report: answers.put(report))
            while isinstance(report := answers.get(), Underway):
                pass
            spent.append(perf_counter() - began)
            assert isinstance(report, Finished), report
    return sorted(spent[10:])[ROUNDS // 2]
