"""Keys: what a node's outputs depend on, as digests.

The *recipe key* is made of the node's id, version, settings and the recipe keys upstream; it is known before anything
runs. The *value key* is made of the same with the digests of the input values; it is known when a node is ready, and
finds what was computed from equal values on another way. Neither contains names or ancestors, so that planning is
linear in nodes and wires, and what a node says is keyless is part of neither.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple, cast

from graphgen.cache import Result
from graphgen.faces import INPUTS
from graphgen.graph import GraphNode, Inside
from graphgen.hookspecs import DeviceInfo
from graphgen.jsontypes import JSON, canonical, json_digest
from graphgen.lazy import ASKS
from graphgen.spec import NodeSpec
from graphgen.wires import Wire
from graphgen.workflow import MapClause

_NOTHING: Mapping[Wire, str] = MappingProxyType({})


PINNED = "pinned"
"""What stands in a recipe for the environment of a node that is pinned."""


class Recipe(NamedTuple):
    """Everything of a node's own that its outputs depend on; `fingerprint` stands for what it reads from outside."""

    type: str
    version: int
    source: str | None
    settings: str
    environment: str
    fingerprint: str

    def key(self, inputs: str) -> str:
        """Return the key of this recipe over inputs, given as `socket=key.output,...`."""
        fingerprint = self.fingerprint and canonical(self.fingerprint)  # a plugin's words may hold line ends
        parts = (self.type, str(self.version), self.source or "", self.settings, self.environment, fingerprint)
        return blake2b("\n".join((*parts, inputs)).encode(), digest_size=20).hexdigest()

    def to_json(self) -> dict[str, JSON]:
        """Return the recipe as JSON, for the record of a run."""
        return self._asdict()


def recipe_of(node: GraphNode, device: DeviceInfo, fingerprint: str) -> Recipe:
    """Collect a node's recipe."""
    spec = node.spec
    if node.pinned:
        digests: dict[str, JSON] = {output: value.digest for output, value in node.pinned.items()}
        return Recipe(spec.id, spec.version, None, canonical(digests), PINNED, "")
    if node.zone is not None:
        settings: dict[str, JSON] = {
            "clause": node.zone.clause.model_dump(exclude_defaults=True),
            "body": _body_digest(node.zone, device),
        }
        kind = "flow.map" if isinstance(node.zone.clause, MapClause) else "flow.loop"
        return Recipe(kind, spec.version, None, canonical(settings), "", "")
    return Recipe(spec.id, spec.version, spec.source, node.canonical, environment_of(spec, device), fingerprint)


def _body_digest(zone: Inside, device: DeviceInfo) -> str:
    """Identify what a zone repeats: the keys of its ends, over inputs that are known by their names alone."""
    keys: dict[str, str | None] = {INPUTS: None}
    given = {Wire(INPUTS, output.name): output.name for output in zone.graph.nodes[INPUTS].spec.outputs}
    given |= zone.graph.pins
    for name, node in zone.graph.nodes.items():
        if name != INPUTS:
            keys[name] = recipe_of(node, device, "").key(inputs_by_recipe(node, keys, given) or "")
    ends = {name: f"{keys[wire.node] or INPUTS}.{wire.output}" for name, wire in zone.graph.outputs.items()}
    return json_digest(ends)


def environment_of(spec: NodeSpec, device: DeviceInfo) -> str:
    """Return what a node's outputs depend on beside itself: the device's class and precision, if it runs on one."""
    return f"{device.kind}/{device.dtype}" if spec.device == "gpu" else ""


def inputs_by_recipe(
    node: GraphNode,
    keys: Mapping[str, str | None],
    given: Mapping[Wire, str] = _NOTHING,
    waiting: Collection[str] = (),
) -> str | None:
    """Write a node's inputs by the recipe keys they come from; None when one of them is not known.

    `given` are the digests of what is there already: what comes into a body from outside, and what is pinned. `waiting`
    are sockets nobody asked for: that they are wired counts, but not to what.
    """
    parts: list[str] = []
    for socket, wires in sorted(node.keyed_wires.items()):
        if waiting and socket in waiting:
            parts.append(f"{socket}?")
            continue
        for wire in wires:
            if given and (digest := given.get(wire)) is not None:
                parts.append(f"{socket}:{digest}")
                continue
            key = keys[wire.node]
            if key is None:
                return None
            parts.append(f"{socket}={key}.{wire.output}")
    return ",".join(parts)


def ends_key(recipe: Recipe, inputs: str) -> str:
    """Return the key under which lie the keys that the turns of a zone ended with."""
    return json_digest(["ends", recipe.key(inputs)])


class Trace(NamedTuple):
    """How far a node with lazy inputs is known: the key of what it asked for so far, and what is kept there."""

    key: str | None
    asked: frozenset[str]
    result: Result | None


def follow_asks(
    recipe: Recipe, inputs: Callable[[frozenset[str]], str | None], fetch: Callable[[str], Result | None]
) -> Trace:
    """Go along what a node asked for when it ran with the same inputs, as far as that is known.

    `inputs(asked)` writes the inputs that count when those lazy ones are asked for. Under the key over these lie
    either the node's outputs or what it asked for next.
    """
    asked: frozenset[str] = frozenset()
    while (text := inputs(asked)) is not None:
        key = recipe.key(text)
        result = fetch(key)
        if result is None or ASKS not in result.values:
            return Trace(key, asked, result)
        asked |= set(cast("list[str]", result.values[ASKS].load()))
    return Trace(None, asked, None)


def inputs_by_value(digests: Mapping[str, Sequence[str]]) -> str:
    """Write a node's inputs by the digests of their values."""
    return ",".join(f"{socket}:{digest}" for socket, values in sorted(digests.items()) for digest in values)
