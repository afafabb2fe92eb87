"""Conversions put onto wires whose ends do not fit, as nodes of their own.

In: nodes whose wires were found, and the rules of the type table. Out: the same with conversions in between. One on a
wire into a subgraph stands outside of it, so that the inside is given the type it declares. One for the items of a list
is a map over the node that converts one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphgen.inference import NOTE
from graphgen.registry import Registry
from graphgen.resolve import ResolvedNode
from graphgen.subgraphs import Converted, Flat
from graphgen.types import ConversionRule, SocketType, TypeTable, conversion_of, fits
from graphgen.wires import Wire, conversion_name, conversion_node
from graphgen.zones import BODY, make_zone

if TYPE_CHECKING:
    from graphgen.graph import GraphNode


def convert_wires(
    node: ResolvedNode, nodes: Mapping[str, GraphNode], registry: Registry
) -> tuple[ResolvedNode, list[ResolvedNode]]:
    """Return a node wired to the conversions it needs, and these."""
    wires = dict(node.wires)
    inserted: list[ResolvedNode] = []
    for socket, sources in node.wires.items():
        into = node.spec.input(socket) or node.spec.setting(socket)
        if into is None:
            continue
        ends = list(sources)
        for index, wire in enumerate(sources):
            output = nodes[wire.node].spec.output(wire.output)
            if output and (rule := _rule(output.type, into.type, registry.types)):
                name = conversion_name(node.name, socket, rule, index)
                inserted.append(_conversion(name, rule, wire, registry))
                ends[index] = Wire(name, rule.output)
        wires[socket] = tuple(ends)
    return node._replace(wires=wires), inserted


def boundary_conversions(
    flat: Flat, nodes: Mapping[str, ResolvedNode], types: TypeTable, known: Converted
) -> dict[tuple[str, int], ConversionRule]:
    """Return the conversions that wires into the outermost subgraphs need, beside those known already.

    What comes into subgraphs inside these may be another type then.
    """
    found: dict[tuple[str, int], ConversionRule] = {}
    for place, source, kind, index in flat.boundaries:
        name, _, socket = source.partition(".")
        output = nodes[name].spec.output(socket) if name in nodes else None
        if output and (place, index) not in known and (rule := _rule(output.type, kind, types)):
            found[place, index] = rule
    outermost = min((place.count("/") for place, _ in found), default=0)
    return {key: rule for key, rule in found.items() if key[0].count("/") == outermost}


def note_loss(node: GraphNode, types: TypeTable) -> GraphNode:
    """Have a conversion say what it loses, to whoever checks or runs the workflow."""
    kind = node.zone.graph.nodes[BODY].spec.id if node.zone else node.spec.id
    rule = next((rule for rule in types.conversions if rule.node == kind), None)
    if rule is None or not rule.lossy:
        return node
    wire = node.wires[rule.input][0]
    source = f"{'each ' if node.zone else ''}{rule.source} from "
    source += f"its '{wire.output}'" if wire.node == BODY else f"'{wire}'"
    note = f"{source} becomes {rule.target} by {rule.node} and loses {rule.lossy}"
    facts = {**node.facts.get(rule.output, {}), NOTE: note}
    return node._replace(facts={**node.facts, rule.output: facts})


def _rule(out: SocketType, into: SocketType, types: TypeTable) -> ConversionRule | None:
    return None if fits(out, into, types) else conversion_of(out, into, types)


def _conversion(name: str, rule: ConversionRule, wire: Wire, registry: Registry) -> ResolvedNode:
    node, wires = conversion_node(rule, str(wire)), {rule.input: (wire,)}
    if not rule.each:
        return ResolvedNode(name, registry.nodes[rule.node], {}, node.inputs, None, wires=wires)
    made = make_zone(name, node, Flat({}, {}, {}), registry, [])
    assert made is not None  # noqa: S101 - a conversion has one input, which is wired
    return ResolvedNode(name, made[0], {}, node.inputs, None, wires=wires, zone=made[1])
