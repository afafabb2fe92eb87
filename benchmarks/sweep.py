"""A sweep beside its variations run one after the other, and beside one run: what sharing saves, and what it costs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from benchmarks.measure import Measurement
from benchmarks.overhead import config_in
from benchmarks.picture import WORKFLOW, command_seconds
from benchmarks.steering import SteeringPack
from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen.plugins import module_plugins
from graphgen.registry import Registry, build_registry
from graphgen.sweep import sweep

SHARED = 16
OWN = 4
VARIATIONS = 100
SEEDS = (1, 2, 3, 4)
ROUNDS = 3


def partly_shared(start: int) -> dict[str, JSON]:
    """Write a chain of nodes of which the first do not depend on the parameter."""
    nodes: dict[str, JSON] = {"n0": {"type": "steered.number", "settings": {"value": start}}}
    for index in range(1, SHARED):
        nodes[f"n{index}"] = {"type": "steered.plain", "inputs": {"value": f"n{index - 1}.int"}}
    nodes["own"] = {"type": "steered.shift", "inputs": {"value": f"n{SHARED - 1}.int"}, "settings": {"by": 0}}
    before = "own"
    for index in range(OWN - 1):
        nodes[f"o{index}"] = {"type": "steered.plain", "inputs": {"value": f"{before}.int"}}
        before = f"o{index}"
    parameters: dict[str, JSON] = {"by": {"sets": ["own.by"]}}
    return {"graphgen": 1, "nodes": nodes, "outputs": {"end": {"from": f"{before}.int"}}, "parameters": parameters}


def measure() -> Iterator[Measurement]:
    """Measure a sweep over nodes that do nothing, and one over seeds of a picture from the terminal."""
    registry = build_registry(module_plugins({"steered": SteeringPack()}))
    with TemporaryDirectory() as folder:
        yield from _measure_engine(registry, Path(folder))
        yield from _measure_terminal(Path(folder))


def _measure_engine(registry: Registry, folder: Path) -> Iterator[Measurement]:
    """Take turns, each with numbers that nobody had before; the best round counts."""
    group = f"{VARIATIONS} variations, {SHARED} nodes shared and {OWN} of their own"
    values: list[JSON] = [1000 * number for number in range(1, VARIATIONS + 1)]
    best = dict.fromkeys(("one run", "runs one after the other", "a sweep"), float("inf"))
    with Engine(config_in(folder / "engine"), registry) as engine:
        for turn in range(ROUNDS):
            for place, way in enumerate(best):
                document = partly_shared(10**9 * (turn * len(best) + place + 1))
                began = perf_counter()
                if way == "a sweep":
                    sweep(engine, document, {"by": values})
                else:
                    for value in values[:1] if way == "one run" else values:
                        engine.run(document, {"by": value})
                best[way] = min(best[way], perf_counter() - began)
    one = best["one run"]
    yield Measurement(group, "one run", one * 1e3, "ms")
    for way in ("runs one after the other", "a sweep"):
        yield Measurement(group, way, best[way] * 1e3, "ms", None, "one run", best[way] / one)


def _measure_terminal(folder: Path) -> Iterator[Measurement]:
    """Draw pictures of several seeds by one call, by a call each, and one picture; nothing is cached.

    What is told is processor time, so that other work on the machine does not count.
    """
    group, took = f"pictures of {len(SEEDS)} seeds, process time", dict[str, float]()
    ways = {
        "one picture": [["--set", "seed=1"]],
        "a call each": [["--set", f"seed={seed}"] for seed in SEEDS],
        "one call with --sweep": [["--sweep", f"seed={','.join(map(str, SEEDS))}"]],
    }
    for way, calls in ways.items():
        home = folder / way.replace(" ", "_")
        roots = {f"GRAPHGEN_{root}_DIR": str(home / root.lower()) for root in ("CACHE", "OUTPUTS")}
        commands = [[sys.executable, "-m", "graphgen", "run", str(WORKFLOW), *call] for call in calls]
        took[way] = sum(command_seconds(command, {**os.environ, **roots})[1] for command in commands)
        yield Measurement(group, way, took[way], "s", None, "one picture", took[way] / took["one picture"])
