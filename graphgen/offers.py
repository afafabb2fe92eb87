"""What could be wired into an input that has nothing: an output of the same graph, else a node that would give one.

In: the nodes of a graph, before their wires are looked at, and the `Registry`. Out: the cure that a Problem names.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from itertools import islice
from typing import Protocol

from graphgen.registry import Registry
from graphgen.spec import InputSpec, NodeSpec
from graphgen.types import SocketType, fits

NAMED = 3
"""As many are named at most."""

LOOKED_AT = 1000
"""As many nodes are looked at for one input, so that a graph with many bare inputs takes no longer for being large."""


class Wired(Protocol):
    """A node and what is written of its wires."""

    @property
    def spec(self) -> NodeSpec:
        """Its type."""

    @property
    def inputs(self) -> Mapping[str, str | list[str]]:
        """Its wires, `node.output` each."""


class Offers:
    """Knows who gives what. All of it is found when it is first asked for, once for the whole graph."""

    def __init__(self, nodes: Mapping[str, Wired], registry: Registry) -> None:
        self._nodes = nodes
        self._registry = registry

    def cure(self, node: str, item: InputSpec) -> str:
        """Say what to wire into an input of a node: outputs of its own graph where some fit, else of new nodes."""
        if item.type.name == "any":
            return "wire one in"
        if here := self._here(node, item.type):
            return f"wire one in: {' or '.join(here)}"
        if specs := self._installed(item.type):
            return f"add a node that gives one and wire it in, for example {' or '.join(specs)}"
        return "wire one in"

    def _here(self, node: str, into: SocketType) -> list[str]:
        """List outputs of the same graph that fit, but for those of nodes that would then wait for each other."""
        if (after := self._after(node)) is None:
            return []
        given = self._given_here[_scope(node)]
        fitting = (output for kind in self._by_fit(given, into) for output in given[kind])
        return list(islice((output for output in fitting if _node(output) not in after), NAMED))

    def _installed(self, into: SocketType) -> list[str]:
        given = self._given_by_specs
        return list(islice((name for kind in self._by_fit(given, into) for name in given[kind]), NAMED))

    def _by_fit(self, given: Mapping[SocketType, object], into: SocketType) -> list[SocketType]:
        """List the types that fit, the very one first; what gives anything at all is no help."""
        types = self._registry.types
        return sorted(
            (kind for kind in given if kind.name != "any" and fits(kind, into, types)),
            key=lambda kind: (kind != into, str(kind)),
        )

    @cached_property
    def _given_here(self) -> Mapping[str, Mapping[SocketType, list[str]]]:
        """The outputs of each graph, by its scope and their types."""
        found: dict[str, dict[SocketType, list[str]]] = defaultdict(lambda: defaultdict(list))
        for name, node in self._nodes.items():
            for output in node.spec.outputs:
                found[_scope(name)][output.type].append(f"{name}.{output.name}")
        return found

    @cached_property
    def _given_by_specs(self) -> Mapping[SocketType, list[str]]:
        """The outputs of all that is installed, by type, those first whose nodes need nothing of that type."""
        found: dict[SocketType, list[str]] = defaultdict(list)
        for spec in sorted(self._registry.nodes.values(), key=lambda spec: len(spec.required)):
            for output in spec.outputs:
                found[output.type].append(f"{spec.id}.{output.name}")
        passing = {f"{spec.id}.{name}" for spec in self._registry.nodes.values() for name in self._passed_on(spec)}
        return {kind: sorted(names, key=passing.__contains__) for kind, names in found.items()}

    def _passed_on(self, spec: NodeSpec) -> Iterator[str]:
        types = self._registry.types
        for output in spec.outputs:
            if any(fits(output.type, item.type, types) for item in spec.inputs):
                yield output.name

    def _after(self, node: str) -> set[str] | None:
        """Return the nodes that wait for one, however indirectly, and itself; None where there are a great many."""
        found, waiting = {node}, [node]
        while waiting:
            new = [name for name in self._fed[waiting.pop()] if name not in found]
            found.update(new)
            waiting += new
            if len(found) > LOOKED_AT:
                return None
        return found

    @cached_property
    def _fed(self) -> Mapping[str, list[str]]:
        """The nodes that each node is wired to."""
        found: dict[str, list[str]] = defaultdict(list)
        for name, node in self._nodes.items():
            for source in _sources(node.inputs.values()):
                found[source].append(name)
        return found


def _scope(name: str) -> str:
    """Return which subgraph's use a node lies in; empty for the graph itself."""
    return name.rpartition("/")[0]


def _node(output: str) -> str:
    return output.partition(".")[0]


def _sources(inputs: Iterable[str | list[str]]) -> Iterator[str]:
    for written in inputs:
        for text in written if isinstance(written, list) else [written]:
            yield _node(text)
