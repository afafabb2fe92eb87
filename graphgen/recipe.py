"""Keys: what a node's outputs depend on, as digests.

The *recipe key* is made of the node's id, version, settings and the recipe keys upstream; it is known before anything
runs. The *value key* is made of the same with the digests of the input values; it is known when a node is ready, and
finds what was computed from equal values on another way. Neither contains names or ancestors, so that planning is
linear in nodes and wires.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import NamedTuple

from graphgen.graph import GraphNode
from graphgen.hookspecs import DeviceInfo
from graphgen.jsontypes import JSON, canonical
from graphgen.spec import NodeSpec


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
    return Recipe(spec.id, spec.version, spec.source, node.canonical, environment_of(spec, device), fingerprint)


def environment_of(spec: NodeSpec, device: DeviceInfo) -> str:
    """Return what a node's outputs depend on beside itself: the device's class and precision, if it runs on one."""
    return f"{device.kind}/{device.dtype}" if spec.device == "gpu" else ""


def inputs_by_recipe(node: GraphNode, keys: Mapping[str, str | None]) -> str | None:
    """Write a node's inputs by the recipe keys they come from; None when one of them is not known."""
    parts: list[str] = []
    for socket, wires in sorted(node.wires.items()):
        for wire in wires:
            key = keys[wire.node]
            if key is None:
                return None
            parts.append(f"{socket}={key}.{wire.output}")
    return ",".join(parts)


def inputs_by_value(digests: Mapping[str, Sequence[str]]) -> str:
    """Write a node's inputs by the digests of their values."""
    return ",".join(f"{socket}:{digest}" for socket, values in sorted(digests.items()) for digest in values)
