"""Random workflows over the fake pack `maths`, and the naive way to compute them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from engine_kit import N, workflow

from graphgen.jsontypes import JSON


@dataclass(frozen=True)
class Sketch:
    """A node of a random workflow: its kind, its settings, and by socket the names of the nodes wired in."""

    kind: str
    settings: Mapping[str, int | str] = field(default_factory=dict)
    wires: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def sources(self) -> set[str]:
        return {name for names in self.wires.values() for name in names}


def random_sketches(chance: Random) -> dict[str, Sketch]:
    """Make 3 to 25 nodes, each after those it needs."""
    made = {"n0": Sketch("maths.number", {"value": chance.randrange(4)})}
    for index in range(1, chance.randrange(3, 25)):
        made[f"n{index}"] = _random_sketch(chance, list(made))
    return made


def _random_sketch(chance: Random, above: list[str]) -> Sketch:
    kind = chance.choice(["maths.number", "maths.add", "maths.quick", "maths.total", "maths.parity"])
    if kind == "maths.number":
        return Sketch(kind, {"value": chance.randrange(4)})
    if kind == "maths.total":
        return Sketch(kind, {}, {"values": tuple(chance.choices(above, k=chance.randrange(4)))})
    if kind == "maths.parity":
        return Sketch(kind, {}, {"value": (chance.choice(above),)})
    wires = {"a": (chance.choice(above),)} | ({"b": (chance.choice(above),)} if chance.random() < 0.5 else {})
    return Sketch(kind, {"extra": chance.randrange(3)}, wires)


def as_workflow(sketches: Mapping[str, Sketch], *targets: str) -> dict[str, JSON]:
    """Write the workflow; all nodes are outputs if none is named."""
    nodes: dict[str, JSON] = {}
    for name, sketch in sketches.items():
        wires: dict[str, JSON] = {}
        for socket, sources in sketch.wires.items():
            texts = [f"{source}.int" for source in sources]
            wires[socket] = texts if socket == "values" else texts[0]
        nodes[name] = N(sketch.kind, sketch.settings, **wires)
    return workflow(nodes, *(f"{name}.int" for name in targets or sketches))


def evaluate(sketches: Mapping[str, Sketch]) -> dict[str, int]:
    """Compute every node, one after another."""
    values: dict[str, int] = {}
    for name, sketch in sketches.items():
        given = [values[source] for sources in sketch.wires.values() for source in sources]
        match sketch.kind:
            case "maths.number":
                values[name] = int(sketch.settings["value"])
            case "maths.parity":
                values[name] = given[0] % 2
            case _:
                values[name] = sum(given) + int(sketch.settings.get("extra", 0))
    return values


def calls(sketches: Mapping[str, Sketch]) -> dict[str, str]:
    """Write each node as the call it makes, with the values it is given: equal calls need computing once."""
    values = evaluate(sketches)
    return {
        name: f"{sketch.kind} {dict(sketch.settings)} "
        f"{ {socket: [values[source] for source in sources] for socket, sources in sketch.wires.items()} }"
        for name, sketch in sketches.items()
    }
