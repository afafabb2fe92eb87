"""What the engine adds to each node: chains and wide graphs of nodes that only count.

All figures are processor time, of all threads together, so that other work on the machine does not count; waiting for
the disk does not either.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time

from benchmarks.measure import Measurement
from graphgen import hookimpl, node
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen.plugins import module_plugins
from graphgen.registry import Registry, build_registry

SIZES = (100, 1_000, 10_000)
ROUNDS = 5


@node(category="benchmark", cheap=True)
def inline(value: int | None = None, *, seed: int = 0) -> int:
    """Count, inline."""
    return (value or 0) + seed + 1


@node(category="benchmark")
def threaded(value: int | None = None, *, seed: int = 0) -> int:
    """Count, in a worker thread."""
    return (value or 0) + seed + 1


class _Pack:
    @hookimpl
    def register_nodes(self) -> list[Callable[..., object]]:
        return [inline, threaded]


def chain(kind: str, size: int, seed: int) -> dict[str, JSON]:
    """Return a workflow in which each node waits for the one before, and gives what no other node of any seed gives."""
    nodes: dict[str, JSON] = {"n0": {"type": f"noop.{kind}", "settings": {"seed": seed * size}}}
    for index in range(1, size):
        nodes[f"n{index}"] = {"type": f"noop.{kind}", "inputs": {"value": f"n{index - 1}.int"}}
    return {"graphgen": 1, "nodes": nodes, "outputs": {"last": {"from": f"n{size - 1}.int"}}}


def wide(kind: str, size: int, seed: int) -> dict[str, JSON]:
    """Return a workflow in which no node waits for another."""
    nodes: dict[str, JSON] = {
        f"n{index}": {"type": f"noop.{kind}", "settings": {"seed": seed * size + index}} for index in range(size)
    }
    return {"graphgen": 1, "nodes": nodes, "outputs": {name: {"from": f"{name}.int"} for name in nodes}}


def measure() -> Iterator[Measurement]:
    """Measure chains and wide graphs, cold and cached, and planning alone."""
    registry = build_registry(module_plugins({"noop": _Pack()}))
    with TemporaryDirectory() as folder:
        for kind, aim in (("inline", 20.0), ("threaded", 60.0)):
            bare = _bare_call() if kind == "inline" else _bare_thread()
            for shape in (chain, wide):
                for size in SIZES:
                    yield from _measure_one(registry, Path(folder), kind, shape, size, aim, bare)
        for size in (10_000, 100_000):
            yield from _measure_plan(registry, Path(folder), size)


def _measure_one(
    registry: Registry,
    folder: Path,
    kind: str,
    shape: Callable[[str, int, int], dict[str, JSON]],
    size: int,
    aim: float,
    bare: float,
) -> Iterator[Measurement]:
    group = f"{shape.__name__} of {size:,} {kind}"
    compared = "a call" if kind == "inline" else "a future in a thread pool"
    config = config_in(folder / group.replace(" ", "_"))
    with Engine(config, registry) as engine:
        plans = iter([engine.plan(engine.check(shape(kind, size, seed))) for seed in range(1, ROUNDS + 1)])
        cold = best_of(ROUNDS, lambda: engine.execute(next(plans)))
        yield Measurement(group, "run, each node", cold / size * 1e6, "µs", aim, compared, cold / size / bare)
        again = shape(kind, size, 1)
        warm = best_of(ROUNDS, lambda: engine.run(again))
        yield Measurement(
            group, "check, plan and run, cached in memory", warm * 1e3, "ms", 20 if size == 1_000 else None
        )
    if kind == "threaded":
        disk = best_of(ROUNDS, lambda: _run_after_restart(config, registry, again))
        yield Measurement(group, "check, plan and run, cached on disk", disk * 1e3, "ms")


def _run_after_restart(config: Config, registry: Registry, document: dict[str, JSON]) -> None:
    with Engine(config, registry) as engine:
        engine.run(document)


def _measure_plan(registry: Registry, folder: Path, size: int) -> Iterator[Measurement]:
    group, aim = f"chain of {size:,}", 1000 if size == 100_000 else None
    path = folder / f"{size}.json"
    path.write_text(json.dumps(chain("inline", size, 1)))
    with Engine(config_in(folder / "plan"), registry) as engine:
        workflow = engine.read(path)
        graph = engine.check(workflow)
        reading = best_of(ROUNDS, lambda: engine.read(path))
        checking = best_of(ROUNDS, lambda: engine.check(workflow))
        planning = best_of(ROUNDS, lambda: engine.plan(graph))
    yield Measurement(group, "read the file", reading * 1e3, "ms")
    yield Measurement(group, "check", checking * 1e3, "ms")
    yield Measurement(group, "plan", planning * 1e3, "ms")
    yield Measurement(group, "read, check and plan", (reading + checking + planning) * 1e3, "ms", aim)


def config_in(folder: Path) -> Config:
    """Return a configuration whose folders lie in one."""
    roots = {name: folder / name for name in ("models", "inputs", "outputs", "cache", "data")}
    return Config.load({**roots, "device": "cpu"}, environment={})


def _bare_call() -> float:
    return best_of(5, lambda: [inline(1) for _ in range(10_000)]) / 10_000


def _bare_thread() -> float:
    with ThreadPoolExecutor(1) as pool:
        return best_of(3, lambda: [pool.submit(threaded, 1).result() for _ in range(2_000)]) / 2_000


def best_of(times: int, work: Callable[[], object]) -> float:
    """Return the least processor time of several runs, in seconds."""
    least = float("inf")
    for _ in range(times):
        gc.collect()
        began = process_time()
        work()
        least = min(least, process_time() - began)
    return least
