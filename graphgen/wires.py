"""Wires: from one node's output into another's socket, and the check that they fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphgen.errors import Problem, did_you_mean, one_of
from graphgen.types import ConversionRule, SocketType
from graphgen.workflow import MapClause, Node

if TYPE_CHECKING:
    from graphgen.resolve import ResolvedNode
    from graphgen.subgraphs import Flat


CONVERTED = ":"
"""What the names of conversions have in them, and no others."""


class Wire(NamedTuple):
    """Where a wire comes from."""

    node: str
    output: str

    def __str__(self) -> str:
        """Write the wire as a workflow file does."""
        return f"{self.node}.{self.output}"


def conversion_name(consumer: str, socket: str, rule: ConversionRule, index: int) -> str:
    """Name the conversion on the wire into a socket, as `blur/mask:from_image`; no node of a file has a colon.

    `index` counts the wires of a socket that takes several.
    """
    name = f"{consumer}/{socket}{CONVERTED}{rule.node.partition('.')[2]}"
    return f"{name}{CONVERTED}{index + 1}" if index else name


def conversion_node(rule: ConversionRule, wire: str) -> Node:
    """Return the node that converts what a wire brings: the rule's own, or a map over it for a list."""
    clause = MapClause(over=[rule.input]) if rule.each else None
    return Node(type=rule.node, inputs={rule.input: wire}, map=clause)


def wire_of(
    text: str, place: str, flat: Flat, nodes: Mapping[str, ResolvedNode], problems: list[Problem]
) -> Wire | None:
    """Find the output that `node.output` names, or report why there is none.

    A wire from a node that is itself unknown is not reported: that node is. One from a muted node is taken as written.
    """
    node_name, _, output = text.partition(".")
    node = nodes.get(node_name)
    if node is None:
        if (face := flat.faces.get(node_name)) is not None:
            message = f"comes from '{text}', but this subgraph has no output '{output}'"
            cure = did_you_mean(output, face)
            problems.append(Problem("unknown_output", place, message, text, one_of(face), cure))
            return None
        if node_name not in flat.nodes:
            problems.append(nowhere("wire_from_nowhere", place, "comes from", text, tuple(flat.nodes)))
            return None
        return Wire(node_name, output) if flat.nodes[node_name].mode == "mute" else None
    output = node.renamed_outputs.get(output, output)
    if node.spec.output(output) is None:
        known = tuple(item.name for item in node.spec.outputs)
        message = f"comes from '{text}', but {node.spec.id} has no output '{output}'"
        cure = did_you_mean(output, known)
        problems.append(Problem("unknown_output", place, message, text, one_of(known), cure))
        return None
    return Wire(node_name, output)


def nowhere(code: str, place: str, verb: str, text: str, known: Sequence[str]) -> Problem:
    """Describe a `node.socket` whose node does not exist: the place `comes from` there, or `sets` it."""
    name = text.partition(".")[0]
    message = f"{verb} '{text}', but no node is named '{name}'"
    return Problem(code, place, message, text, one_of(known), did_you_mean(name, known))


def misfit(wire: Wire, out: SocketType, place: str, into: SocketType) -> Problem:
    """Describe a wire whose ends do not fit."""
    message = f"takes {into}, but '{wire}' gives {out}"
    cure = f"wire an output of type {into}"
    return Problem("wrong_type", place, message, str(wire), cure=cure, parts={"takes": str(into), "gives": str(out)})
