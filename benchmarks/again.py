"""What running again costs: all cached, with nodes forced, with one pinned; and what checking maps costs, with facts.

All figures are processor time, of all threads together, as in overhead.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.measure import Measurement
from benchmarks.overhead import best_of, config_in
from benchmarks.steering import SteeringPack, side_by_side
from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen.pinning import pin
from graphgen.plugins import module_plugins
from graphgen.registry import build_registry

SIZE, MAPS, ROUNDS = 1_000, 300, 5


def measure() -> Iterator[Measurement]:
    """Measure a wide graph of nodes through worker threads again, then maps of one item beside plain nodes."""
    registry = build_registry(module_plugins({"steered": SteeringPack()}))
    with TemporaryDirectory() as folder, Engine(config_in(Path(folder)), registry) as engine:
        yield from _measure_again(engine)
        plain = best_of(ROUNDS, lambda: engine.check(side_by_side("steered.plain", MAPS, 0)))
        maps = best_of(ROUNDS, lambda: engine.check(_maps(MAPS)))
    yield Measurement("checking", "two plain nodes", plain / MAPS * 1e6, "µs")
    yield Measurement("checking", "a list and a map over it", maps / MAPS * 1e6, "µs", None, "plain", maps / plain)


def _measure_again(engine: Engine) -> Iterator[Measurement]:
    document = side_by_side("steered.plain", SIZE, 0)
    first = engine.run(document)
    held = engine.read(document)
    pinned = pin(engine, held, "n0", {"int": first.outputs.stored["n0"]})
    cached = best_of(ROUNDS, lambda: engine.run(document))
    one = best_of(ROUNDS, lambda: engine.run(document, force=["n0"]))
    every = best_of(ROUNDS, lambda: engine.run(document, force="all"))
    with_pin = best_of(ROUNDS, lambda: engine.run(pinned))
    group = f"{SIZE:,} calls again"
    yield Measurement(group, "all cached", cached * 1e3, "ms")
    yield Measurement(group, "one of them forced", one * 1e3, "ms", None, "cached", one / cached)
    yield Measurement(group, "one of them pinned", with_pin * 1e3, "ms", None, "cached", with_pin / cached)
    yield Measurement(group, "all forced", every * 1e3, "ms", None, "cached", every / cached)


def _maps(count: int) -> dict[str, JSON]:
    """Write as many lists, each with a map over it."""
    nodes: dict[str, JSON] = {}
    for index in range(count):
        nodes[f"v{index}"] = {"type": "steered.numbers", "settings": {"start": index}}
        inputs: dict[str, JSON] = {"value": f"v{index}.ints"}
        nodes[f"n{index}"] = {"type": "steered.plain", "map": {"over": ["value"]}, "inputs": inputs}
    outputs: dict[str, JSON] = {f"n{index}": {"from": f"n{index}.int"} for index in range(count)}
    return {"graphgen": 1, "nodes": nodes, "outputs": outputs}
