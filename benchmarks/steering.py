"""What each way of steering a run adds to a node: a thousand calls plainly, and in zones, choices and the like.

A list that is given item by item is measured beside the same list returned at once.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, sleep
from typing import cast

from benchmarks.measure import Measurement
from benchmarks.overhead import config_in
from graphgen import Expansion, Lazy, NoValue, Stream, hookimpl, node
from graphgen.engine import Engine
from graphgen.events import Event, NodeFinished
from graphgen.jsontypes import JSON
from graphgen.plugins import module_plugins
from graphgen.registry import Registry, build_registry

SIZE, ITEMS, TURNS, RUNS, EARLY = 1_000, 10_000, 1_000, 10_000, 1_000
SLOW_ITEMS, SLOWLY = 100, 0.01
ROUNDS = 3

INSIDE: dict[str, JSON] = {
    "inputs": {"value": {"type": "int"}},
    "outputs": {"int": {"from": "inner.int"}},
    "nodes": {"inner": {"type": "steered.plain", "inputs": {"value": "inputs.value"}}},
}


@node(category="benchmark")
def plain(value: int) -> int:
    """Count."""
    return value + 1


@node(category="benchmark")
def shift(value: int, *, by: int = 0) -> int:
    """Add a number."""
    return value + by


@node(category="benchmark")
def choosing(value: Lazy[int]) -> int:
    """Ask for the input, and count."""
    return value.get() + 1


@node(category="benchmark")
def blocking(value: int) -> int | NoValue:
    """Block the output."""
    return NoValue(f"{value} is shut")


@node(category="benchmark")
def expanding(value: int) -> int | Expansion:
    """Return a graph of one node."""
    return Expansion(INSIDE, {"value": value})


@node(category="benchmark", cheap=True)
def numbers(*, start: int = 0, count: int = 1) -> list[int]:
    """List numbers."""
    return list(range(start, start + count))


@node(category="benchmark")
def returned(*, start: int = 0, count: int = 1, seconds: float = 0.0) -> list[int]:
    """List numbers, each of which takes some time."""
    return list(yielded(start=start, count=count, seconds=seconds))


@node(category="benchmark")
def yielded(*, start: int = 0, count: int = 1, seconds: float = 0.0) -> Stream[int]:
    """List numbers one by one, each of which takes some time."""
    for index in range(count):
        sleep(seconds)
        yield start + index


@node(category="benchmark", cheap=True)
def number(*, value: int = 0) -> int:
    """Give a number."""
    return value


class SteeringPack:
    """The plugin of these nodes."""

    @hookimpl
    def register_nodes(self) -> list[Callable[..., object]]:
        """Contribute the nodes."""
        return [plain, shift, choosing, blocking, expanding, numbers, number, returned, yielded]


def side_by_side(type_: str, size: int, start: int) -> dict[str, JSON]:
    """Write as many nodes of a type, each with a number of its own."""
    nodes: dict[str, JSON] = {}
    for index in range(size):
        nodes[f"v{index}"] = {"type": "steered.number", "settings": {"value": start + index}}
        nodes[f"n{index}"] = {"type": type_, "inputs": {"value": f"v{index}.int"}}
    outputs: dict[str, JSON] = {f"n{index}": {"from": f"n{index}.int"} for index in range(size)}
    return {"graphgen": 1, "nodes": nodes, "outputs": outputs, "subgraphs": {"inside": INSIDE}}


def mapped(type_: str, size: int, start: int) -> dict[str, JSON]:
    """Write a map over as many numbers."""
    nodes: dict[str, JSON] = {
        "many": {"type": "steered.numbers", "settings": {"start": start, "count": size}},
        "each": {"type": type_, "map": {"over": ["value"]}, "inputs": {"value": "many.ints"}},
    }
    return {"graphgen": 1, "nodes": nodes, "outputs": {"each": {"from": "each.int"}}, "subgraphs": {"inside": INSIDE}}


def over_list(type_: str, size: int, start: int, seconds: float = 0.0) -> dict[str, JSON]:
    """Write a map over a list that a node gives, at once or item by item."""
    document = mapped("steered.plain", size, start)
    settings: dict[str, JSON] = {"start": start, "count": size, "seconds": seconds}
    many: dict[str, JSON] = {"type": type_, "settings": settings}
    return {**document, "nodes": {**cast("dict[str, JSON]", document["nodes"]), "many": many}}


def looped(type_: str, size: int, start: int) -> dict[str, JSON]:
    """Write a loop of as many turns."""
    nodes: dict[str, JSON] = {
        "first": {"type": "steered.number", "settings": {"value": start}},
        "loop": {"type": type_, "loop": {"times": size, "carry": {"value": "int"}}, "inputs": {"value": "first.int"}},
    }
    return {"graphgen": 1, "nodes": nodes, "outputs": {"loop": {"from": "loop.int"}}, "subgraphs": {"inside": INSIDE}}


def measure() -> Iterator[Measurement]:
    """Measure each way beside the plain one, a long map, a long loop, and memory over many runs."""
    registry = build_registry(module_plugins({"steered": SteeringPack()}))
    with TemporaryDirectory() as folder:
        yield from _measure_ways(registry, Path(folder))
        for name, write, size in (("a map", mapped, ITEMS), ("a loop", looped, TURNS)):
            with Engine(config_in(Path(folder) / name), registry) as engine:
                cold = _seconds(engine, write("steered.plain", size, 0))
                warm = _seconds(engine, write("steered.plain", size, 0))
            yield Measurement(f"{name} of {size:,}", "each item or turn", cold / size * 1e6, "µs", 1000)
            yield Measurement(f"{name} of {size:,}", "found in memory", warm * 1e3, "ms")
        yield from _measure_lists(registry, Path(folder) / "lists")
        yield _measure_memory(registry, Path(folder) / "memory")


def _measure_ways(registry: Registry, folder: Path) -> Iterator[Measurement]:
    """Take turns, so that what disturbs the machine disturbs all alike; the best round counts."""
    ways = {
        "plain": (side_by_side, "steered.plain"),
        "in a subgraph": (side_by_side, "subgraph.inside"),
        "lazy": (side_by_side, "steered.choosing"),
        "blocked": (side_by_side, "steered.blocking"),
        "expanded": (side_by_side, "steered.expanding"),
        "in a map": (mapped, "steered.plain"),
        "in a loop": (looped, "steered.plain"),
    }
    best = dict.fromkeys(ways, float("inf"))
    with Engine(config_in(folder / "ways"), registry) as engine:
        start = 0
        for _ in range(ROUNDS):
            for name, (write, type_) in ways.items():
                start += 2 * SIZE  # numbers that nobody had before
                best[name] = min(best[name], _seconds(engine, write(type_, SIZE, start)))
    for name, seconds in best.items():
        told = ("", None) if name == "plain" else ("plain", seconds / best["plain"])
        yield Measurement(f"{SIZE:,} calls", f"{name}, each", seconds / SIZE * 1e6, "µs", None, *told)


def _measure_lists(registry: Registry, folder: Path) -> Iterator[Measurement]:
    """Map a list that comes item by item, beside the same list at once, in turns; the best round counts."""
    kinds = {"returned at once": "steered.returned", "given item by item": "steered.yielded"}
    best = dict.fromkeys(kinds, float("inf"))
    first, whole = dict(best), dict(best)
    with Engine(config_in(folder), registry) as engine:
        start = 0
        for _ in range(ROUNDS):
            for name, type_ in kinds.items():
                start += 2 * SIZE
                best[name] = min(best[name], _seconds(engine, over_list(type_, SIZE, start)))
                start += 2 * SIZE
                early, all_ = _first_item(engine, over_list(type_, SLOW_ITEMS, start, SLOWLY))
                first[name], whole[name] = min(first[name], early), min(whole[name], all_)
    for name, seconds in best.items():
        other = ("", None) if name == "returned at once" else ("returned", seconds / best["returned at once"])
        yield Measurement(f"a map of {SIZE:,} items", f"{name}, each", seconds / SIZE * 1e6, "µs", None, *other)
    slow = f"a list of {SLOW_ITEMS} items of {SLOWLY * 1000:.0f} ms, mapped"
    for name in kinds:
        yield Measurement(slow, f"{name}, to the first item's result", first[name] * 1e3, "ms")
        yield Measurement(slow, f"{name}, to the end", whole[name] * 1e3, "ms")


def _first_item(engine: Engine, document: dict[str, JSON]) -> tuple[float, float]:
    """Return the seconds to the first turn's result, and to the end."""
    began, ends = perf_counter(), list[float]()

    def listen(event: Event) -> None:
        if isinstance(event, NodeFinished) and event.node.startswith("each/"):
            ends.append(perf_counter() - began)

    report = engine.run(document, listen=listen)
    if report.failures:
        raise report.failures[0]
    return ends[0], perf_counter() - began


def _measure_memory(registry: Registry, folder: Path) -> Measurement:
    """Run a small workflow of every kind again and again in one engine, and weigh what Python holds."""
    kinds = [(mapped, "steered.plain"), (looped, "subgraph.inside"), (side_by_side, "steered.expanding")]
    early = 0
    with Engine(config_in(folder), registry, use_cache=False) as engine:
        tracemalloc.start()
        for index in range(RUNS):
            write, type_ = kinds[index % len(kinds)]
            engine.run(write(type_, 2, index % 10))
            if index == EARLY:
                early = _held()
        late = _held()
        tracemalloc.stop()
    return Measurement(
        f"{RUNS:,} runs of one engine", "held at the end", late / 2**10, "KiB", None, f"after {EARLY:,}", late / early
    )


def _held() -> int:
    """Return what Python holds, in bytes, garbage left out."""
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def _seconds(engine: Engine, document: dict[str, JSON]) -> float:
    began = perf_counter()
    report = engine.run(document)
    if report.failures:
        raise report.failures[0]
    return perf_counter() - began
