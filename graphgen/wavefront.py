"""How far a run has come: which values are in hand, who waits for what, and what nobody needs any more.

In: a Plan, then one call for each node that came to its end. Out: the nodes that this makes ready, or dooms. It runs
nothing and knows no keys; all it does is count, so that a run costs the same for each node and wire, however many.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from typing import TypeAlias

from graphgen.cache import StoredValue
from graphgen.graph import GraphNode
from graphgen.novalue import reason_in
from graphgen.plan import Demand, Plan
from graphgen.wires import Wire

Values: TypeAlias = Mapping[str, StoredValue]


class Wavefront(Container[str]):
    """Counts down what each node waits for, and holds each value until its last use.

    Where nodes have lazy inputs, values are held to the end: nobody knows what will be asked for.
    """

    def __init__(self, plan: Plan) -> None:
        self.left = {*plan.order, *plan.equal}
        """Nodes of which it is not known yet how they end."""
        self._plan = plan
        self._asked = dict(plan.asked)
        self._holds = bool(plan.asked)
        self._values: dict[str, Values] = {}
        self._missing = dict.fromkeys((*plan.order, *plan.equal), 0)
        self._uses = dict.fromkeys((*plan.order, *plan.equal, *plan.cached), 0)
        self._dependants: dict[str, list[str]] = {}
        self._lost: set[str] = set()
        self._blocked = False
        for name in self._missing:
            self._await(name, self._sources(name))

    def first(self) -> list[str]:
        """Return the nodes that wait for nothing."""
        return [name for name in self._plan.order if not self._missing[name]]

    def dependants(self, name: str) -> list[str]:
        """Return the nodes that wait for a node, or waited for it."""
        return [dependant for dependant in self._dependants.get(name, ()) if dependant in self.left]

    def waits_for(self, name: str) -> set[str]:
        """Return the nodes whose values a node waits for."""
        return {source for source in self._sources(name) if source not in self._values}

    def inputs(self, node: GraphNode, without: Collection[str] = ()) -> dict[str, tuple[StoredValue, ...]]:
        """Return the values that come into a node which waits for nothing any more, by socket.

        Of those `without`, it does not wait.
        """
        values = self._values
        wires_of = self._counted(node) if node.lazy else node.wires.items()
        if without:
            wires_of = [(socket, wires) for socket, wires in wires_of if socket not in without]
        found = {socket: tuple([values[wire.node][wire.output] for wire in wires]) for socket, wires in wires_of}
        return _without_blocked(found) if self._blocked else found

    def asked(self, name: str) -> frozenset[str]:
        """Return the lazy inputs that a node has asked for."""
        return self._asked.get(name, frozenset())

    def __contains__(self, name: object) -> bool:
        """Tell whether somebody sees to a node already."""
        return name in self._uses

    def arrive(self, name: str, values: Values) -> list[str]:
        """Take in a node's values; return the nodes that waited for nothing else."""
        self.left.discard(name)
        if self._uses[name] or self._holds:
            self._values[name] = values
        ready = []
        for dependant in self._dependants.get(name, ()):
            self._missing[dependant] -= 1
            if not self._missing[dependant] and dependant in self.left:
                ready.append(dependant)
        return ready

    def stopped_by(self, name: str, values: Values) -> list[tuple[str, str]]:
        """Return the nodes that cannot run because an output they need is blocked, each with the reason."""
        reasons = {key: reason for key, value in values.items() if (reason := reason_in(value.document)) is not None}
        if not reasons:
            return []
        self._blocked = True
        found: dict[str, str] = {}
        for dependant in self._dependants.get(name, ()):
            node = self._plan.graph.nodes[dependant]
            for socket, wires in self._counted(node):
                for wire in wires:
                    if wire.node == name and wire.output in reasons and _needs(node, socket):
                        found[dependant] = reasons[wire.output]
        return [(dependant, reason) for dependant, reason in found.items() if dependant in self.left]

    def extend(self, more: Demand) -> list[str]:
        """Take in nodes that turned out to be needed; return those that wait for nothing."""
        self._asked |= more.asked
        self.left.update(more.order)
        for name in more.cached:
            self._uses[name] = 0
        for name in more.order:
            self._uses[name] = self._missing[name] = 0
        for name in more.order:
            self._await(name, self._sources(name))
        return [name for name in more.order if not self._missing[name]]

    def ask(self, name: str, socket: str) -> bool:
        """Note that a node needs a lazy input; tell whether that is there already."""
        self._asked[name] = self.asked(name) | {socket}
        self._await(name, [wire.node for wire in self._plan.graph.nodes[name].wires[socket]])
        return not self._missing[name]

    def withheld(self, name: str, socket: str) -> tuple[str, str] | None:
        """Return who keeps a lazy input from coming, if somebody does, and the reason."""
        node = self._plan.graph.nodes[name]
        for wire in node.wires[socket]:
            if wire.node in self._lost:
                return wire.node, "it failed, or what it needs did"
            value = self._values.get(wire.node, {}).get(wire.output)
            if value and _needs(node, socket) and (reason := reason_in(value.document)) is not None:
                return wire.node, reason
        return None

    def is_lost(self, name: str) -> bool:
        """Tell whether a node failed, or was skipped because of a failure."""
        return name in self._lost

    def leave(self, name: str) -> None:
        """Let go of what a node that came to its end was given, unless others need it too."""
        if self._holds:
            return
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
                self._lost.add(ended)
                self.leave(ended)
                if ended != name:
                    yield ended
            waiting += [dependant for dependant in self._dependants.get(ended, ()) if dependant in self.left]

    def _await(self, name: str, sources: Iterable[str]) -> None:
        for source in sources:
            self._uses[source] += 1
            if source not in self._values:
                self._missing[name] += 1
                self._dependants.setdefault(source, []).append(name)

    def _counted(self, node: GraphNode) -> Iterable[tuple[str, tuple[Wire, ...]]]:
        """Return the wires that count: all but the lazy ones nobody asked for."""
        if not node.lazy:
            return node.wires.items()
        asked = self.asked(node.name)
        return [(socket, wires) for socket, wires in node.wires.items() if socket not in node.lazy or socket in asked]

    def _sources(self, name: str) -> Iterable[str]:
        if name in self._plan.equal:
            return (self._plan.equal[name],)
        if name in self._plan.cached:
            return ()
        return [wire.node for _, wires in self._counted(self._plan.graph.nodes[name]) for wire in wires]


def _needs(node: GraphNode, socket: str) -> bool:
    item = node.spec.input(socket)
    return item is None or item.required


def _without_blocked(inputs: dict[str, tuple[StoredValue, ...]]) -> dict[str, tuple[StoredValue, ...]]:
    """Leave out blocked values: those who have come this far do without."""
    kept = {
        socket: tuple(value for value in values if reason_in(value.document) is None)
        for socket, values in inputs.items()
    }
    return {socket: values for socket, values in kept.items() if values or not inputs[socket]}
