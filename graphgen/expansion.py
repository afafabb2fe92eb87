"""A graph that a node returns, to run in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from graphgen.jsontypes import JSON


@dataclass(frozen=True)
class Expansion:
    """Return this in place of outputs: a subgraph, as a workflow file writes one, and the values that go into it.

    Its outputs are named as the node's are. Its nodes are cached on their own and shown under the node's name.
    """

    subgraph: Mapping[str, JSON]
    inputs: Mapping[str, object] = field(default_factory=dict)
