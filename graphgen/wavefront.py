"""How far a run has come: which values are in hand, who waits for what, and what nobody needs any more.

In: a Plan, then one call for each node that came to its end. Out: the nodes that this makes ready, or dooms. It runs
nothing and knows no keys; all it does is count, so that a run costs the same for each node and wire, however many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from graphgen.cache import StoredValue
from graphgen.graph import GraphNode
from graphgen.plan import Plan

Values: TypeAlias = Mapping[str, StoredValue]


class Wavefront:
    """Counts down what each node waits for, and holds each value until its last use."""

    def __init__(self, plan: Plan) -> None:
        self.left = {*plan.order, *plan.equal}
        """Nodes of which it is not known yet how they end."""
        self._plan = plan
        self._values: dict[str, Values] = {}
        self._missing = dict.fromkeys((*plan.order, *plan.equal), 0)
        self._uses = dict.fromkeys((*plan.order, *plan.equal, *plan.cached), 0)
        self._dependants: dict[str, list[str]] = {}
        for name in self._missing:
            for source in self._sources(name):
                self._uses[source] += 1
                self._missing[name] += 1
                self._dependants.setdefault(source, []).append(name)

    def first(self) -> list[str]:
        """Return the nodes that wait for nothing."""
        return [name for name in self._plan.order if not self._missing[name]]

    def inputs(self, node: GraphNode) -> dict[str, tuple[StoredValue, ...]]:
        """Return the values that come into a node which waits for nothing any more, by socket."""
        values = self._values
        return {
            socket: tuple([values[wire.node][wire.output] for wire in wires]) for socket, wires in node.wires.items()
        }

    def arrive(self, name: str, values: Values) -> list[str]:
        """Take in a node's values; return the nodes that waited for nothing else."""
        self.left.discard(name)
        if self._uses[name]:
            self._values[name] = values
        ready = []
        for dependant in self._dependants.get(name, ()):
            self._missing[dependant] -= 1
            if not self._missing[dependant]:
                ready.append(dependant)
        return ready

    def leave(self, name: str) -> None:
        """Let go of what a node that came to its end was given, unless others need it too."""
        for source in self._sources(name):
            self._uses[source] -= 1
            if not self._uses[source]:
                self._values.pop(source, None)

    def doom(self, name: str) -> Iterator[str]:
        """Yield the nodes that cannot run because this one has no values; they count as ended, and so does it."""
        waiting = [name]
        while waiting:
            ended = waiting.pop()
            if ended in self.left:
                self.left.discard(ended)
                self.leave(ended)
                if ended != name:
                    yield ended
            waiting += [dependant for dependant in self._dependants.get(ended, ()) if dependant in self.left]

    def _sources(self, name: str) -> Iterable[str]:
        if name in self._plan.equal:
            return (self._plan.equal[name],)
        if name in self._plan.cached:
            return ()
        return [wire.node for wires in self._plan.graph.nodes[name].wires.values() for wire in wires]
