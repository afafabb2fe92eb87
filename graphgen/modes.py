"""Modes: nodes that a workflow leaves out (`mute`), passes by (`bypass`) or replaces by stored values (`pin`).

In: resolved nodes in topological order. Out: those that are left, wired past the others. A muted node takes with it
whatever needs it: an input that must be wired, or a wired setting; optional inputs do without. A bypassed node gives at
each output the first of its wired inputs that fits there, or else that can be converted to it; so its keys and values
are those of what comes in. A pinned node has no wires, so that what only it needs is needed by nobody (pins.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from graphgen.errors import Problem
from graphgen.resolve import ResolvedNode
from graphgen.types import SocketType, TypeTable, fits, joins
from graphgen.wires import Wire, misfit
from graphgen.workflow import Node


@dataclass(frozen=True, slots=True)
class Gone:
    """Why a wire brings nothing. `meant`: somebody muted a node, it is no mistake. `told`: it is, and was reported."""

    why: str
    meant: bool
    told: bool = False


class Arrangement:
    """What is left of a workflow's nodes: `nodes` run, `left_out` says of the others why they do not."""

    def __init__(self, written: Mapping[str, Node], nodes: Mapping[str, ResolvedNode], types: TypeTable) -> None:
        self.nodes: dict[str, ResolvedNode] = {}
        self.left_out: dict[str, str] = {}
        self._resolved = nodes
        self._types = types
        self._gone: dict[str, Gone] = {}
        self._past: dict[Wire, Wire | Gone] = {}
        for name, node in written.items():
            if node.mode == "mute":
                self._leave_out(name, Gone(f"'{name}' is muted", meant=True))

    def follow(self, wire: Wire) -> Wire | Gone:
        """Return where a wire really comes from."""
        return self._gone.get(wire.node) or self._past.get(wire, wire)

    def add(self, node: ResolvedNode, problems: list[Problem]) -> None:
        """Take a node in, after all that its wires come from."""
        if not self.left_out and node.mode is None:  # nearly always
            self.nodes[node.name] = node
            return
        if node.mode == "pin":
            self.nodes[node.name] = node._replace(wires={}, converts=False)
            return
        if node.mode == "bypass":
            self.left_out[node.name] = f"'{node.name}' is bypassed"
            for output in node.spec.outputs:
                self._past[Wire(node.name, output.name)] = self._pass(node, output.type)
            return
        wires: dict[str, tuple[Wire, ...]] = {}
        for socket, sources in node.wires.items():
            found = [self.follow(wire) for wire in sources]
            kept = tuple(wire for wire in found if isinstance(wire, Wire))
            lost = next((gone for gone in found if isinstance(gone, Gone)), None)
            if kept or lost is None:
                wires[socket] = kept
                problems.extend(self._misfits(node, socket, sources, kept))
            elif _needs(node, socket):
                if not lost.meant and not lost.told:
                    problems.append(nothing_passes(f"{node.name}.{socket}", lost))
                self._leave_out(node.name, replace(lost, told=not lost.meant))
                return
        self.nodes[node.name] = node._replace(wires=wires, converts=node.converts or wires != node.wires)

    def _leave_out(self, name: str, gone: Gone) -> None:
        self._gone[name] = gone
        self.left_out[name] = gone.why

    def _pass(self, node: ResolvedNode, wanted: SocketType) -> Wire | Gone:
        """Choose what a bypassed node gives at an output."""
        found = [wire for item in node.spec.inputs for wire in map(self.follow, node.wires.get(item.name, ()))]
        wires = [wire for wire in found if isinstance(wire, Wire)]
        for rule in (fits, joins):
            for wire in wires:
                if rule(self._type_of(wire), wanted, self._types):
                    return wire
        missing = next((gone for gone in found if isinstance(gone, Gone)), None)
        why = f"'{node.name}' is bypassed, and none of its wired inputs fits {wanted}"
        return missing if missing and missing.meant else Gone(why, meant=False)

    def _misfits(
        self, node: ResolvedNode, socket: str, sources: Iterable[Wire], kept: Iterable[Wire]
    ) -> Iterable[Problem]:
        """Check wires that now come from elsewhere: what fits a bypassed output need not fit what comes after it."""
        into = node.spec.input(socket) or node.spec.setting(socket)
        for wire in set(kept) - set(sources):
            if into and not joins(self._type_of(wire), into.type, self._types):
                yield misfit(wire, self._type_of(wire), f"{node.name}.{socket}", into.type)

    def _type_of(self, wire: Wire) -> SocketType:
        output = self._resolved[wire.node].spec.output(wire.output)
        assert output is not None  # noqa: S101 - resolved nodes have no wires from nowhere
        return output.type


def nothing_passes(place: str, gone: Gone) -> Problem:
    """Describe something that is wanted from a node which is muted, or bypassed without anything to pass through."""
    if gone.meant:
        return Problem("muted", place, f"cannot be had, because {gone.why}", cure="remove that node's mode")
    return Problem(
        "bypassed", place, f"gets nothing, because {gone.why}", cure="remove that node's mode, or wire past it"
    )


def _needs(node: ResolvedNode, socket: str) -> bool:
    item = node.spec.input(socket)
    return item is None or item.required
