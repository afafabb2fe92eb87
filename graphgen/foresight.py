"""What is known of the values inside zones, and what comes out of them, before anything runs.

In: what is known outside of the inputs of a map or loop, and its body once checked. Out: what every item or turn is
given, and what the zone gives. A list's facts are its `count` and, under `item`, what all of its items have in common.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import TYPE_CHECKING

from graphgen.inference import NOTE
from graphgen.jsontypes import JSON
from graphgen.spec import Facts, Known
from graphgen.wires import CONVERTED
from graphgen.workflow import LoopClause, MapClause

if TYPE_CHECKING:
    from graphgen.graph import Graph
    from graphgen.zones import Zone

COUNT = "count"
"""The fact of a list that says how many items it has."""
ITEM = "item"
"""The fact of a list that holds what all items have in common."""

DEEP = 4
"""From how many subgraphs deep nothing is said of what a loop carries."""
ROUNDS = 4
"""How often a loop's body is looked at to find what holds in each turn, before nothing is said of what it carries."""


def of_item(facts: Facts) -> Facts:
    """Return what is known of each item of a list."""
    item = facts.get(ITEM)
    return item if isinstance(item, Mapping) else {}


def of_list(item: Facts, count: int | None) -> Facts:
    """Return what is known of a list of so many items."""
    found: dict[str, JSON] = {} if count is None else {COUNT: count}
    return {**found, ITEM: item} if item else found


def in_common(first: Facts, second: Facts) -> Facts:
    """Return what is known of a value that has either these facts or those."""
    return {name: fact for name, fact in first.items() if name in second and second[name] == fact}


def count_of(facts: Facts) -> int | None:
    """Return how many items a list has, if that is known."""
    count = facts.get(COUNT)
    return count if isinstance(count, int) else None


def items_of(clause: MapClause, given: Mapping[str, Facts]) -> int | None:
    """Return how many items a map goes through, if that is known: of a zip, if only one of its lists is known."""
    counts = [count_of(given.get(name, {})) for name in clause.over]
    known = [count for count in counts if count is not None]
    if clause.how == "zip":
        return known[0] if known else None
    return prod(known) if len(known) == len(counts) else None


def turns_of(clause: LoopClause, given: Mapping[str, Facts]) -> int | None:
    """Return how many turns a loop takes, if that is known: one that ends when it will, nobody knows."""
    counts = [count_of(given.get(name, {})) for name in clause.over]
    limits = [count for count in (*counts, clause.times) if count is not None]
    if 0 in limits:
        return 0
    return min(limits) if limits and None not in counts and clause.go_on is None else None


def look_inside(
    zone: Zone, outside: Known, depth: int, build: Callable[[Mapping[str, Facts]], Graph]
) -> tuple[Graph, Mapping[str, Facts]]:
    """Check a zone's body with what is known of what comes in; return it, and what is known of what the zone gives.

    A loop's body is checked again with what its turns have in common, until that stays: twice, mostly. One that stands
    `depth` subgraphs deep is not, from `DEEP` on, since loops inside loops would multiply.

    Raises:
        WorkflowError: as `build` does.
    """
    given = _given(zone.clause, outside)
    if isinstance(zone.clause, MapClause):
        count = items_of(zone.clause, outside.inputs)
        graph = build(given if count != 0 else {})  # where nothing runs, nothing is impossible
        ends = _ends(graph)
        certain = count if zone.clause.failures == "stop" and not _may_block(graph) else None
        return graph, {name: of_list(facts, certain) for name, facts in ends.items()}
    if turns_of(zone.clause, outside.inputs) == 0:
        return _look_without_a_turn(zone.clause, given, build)
    if depth >= DEEP:
        given = {name: facts for name, facts in given.items() if name not in zone.clause.carry}
    return _look_at_turns(zone.clause, given, outside, build)


def _look_without_a_turn(
    clause: LoopClause, given: Mapping[str, Facts], build: Callable[[Mapping[str, Facts]], Graph]
) -> tuple[Graph, Mapping[str, Facts]]:
    """Look at a loop that takes no turn: it gives what was carried in, and nothing inside is impossible."""
    graph = build({})
    begun = {output: given.get(socket, {}) for socket, output in clause.carry.items()}
    ends = {name: facts for name, facts in _ends(graph).items() if CONVERTED not in name}
    return graph, {
        name: of_list(facts, 0) if name in clause.collect else begun.get(name, {}) for name, facts in ends.items()
    }


def _look_at_turns(
    clause: LoopClause,
    given: Mapping[str, Facts],
    outside: Known,
    build: Callable[[Mapping[str, Facts]], Graph],
) -> tuple[Graph, Mapping[str, Facts]]:
    known = dict(given)
    for _ in range(ROUNDS):
        graph = build(known)
        ends = _ends(graph)
        carried = {socket: in_common(known.get(socket, {}), ends.get(out, {})) for socket, out in clause.carry.items()}
        if all(carried[socket] == known.get(socket, {}) for socket in carried):
            break
        known |= carried
    else:
        known = {socket: facts for socket, facts in known.items() if socket not in clause.carry}
        graph = build(known)
        ends = _ends(graph)
    turns = turns_of(clause, outside.inputs)
    given = {name: facts for name, facts in ends.items() if CONVERTED not in name}
    return graph, {name: _end(name, facts, clause, known, turns) for name, facts in given.items()}


def _end(name: str, facts: Facts, clause: LoopClause, known: Mapping[str, Facts], turns: int | None) -> Facts:
    """Return what is known of what a loop gives: where it may take no turn, what was carried in is given."""
    if name in clause.collect:
        return of_list(facts, turns)
    if turns or (turns is None and not clause.over):
        return facts
    begun = [known.get(socket, {}) for socket, output in clause.carry.items() if output == name]
    return in_common(facts, begun[0]) if begun else {}


def _may_block(graph: Graph) -> bool:
    """Tell whether an item may be left out, because a node in the body says that it may block what it gives."""
    return any(node.spec.blocks or (node.zone and _may_block(node.zone.graph)) for node in graph.nodes.values())


def _given(clause: MapClause | LoopClause, outside: Known) -> dict[str, Facts]:
    given: dict[str, Facts] = {}
    for socket, several in outside.many.items():
        single = outside.inputs[socket]
        given[socket] = of_item(single) if socket in clause.over else single
        given |= {f"{socket}__{index}": facts for index, facts in enumerate(several)}
    return {socket: facts for socket, facts in given.items() if facts}


def _ends(graph: Graph) -> dict[str, Facts]:
    """Return what is known of a body's outputs, notes left out: they are told inside."""
    return {
        name: {fact: value for fact, value in graph.nodes[wire.node].facts.get(wire.output, {}).items() if fact != NOTE}
        for name, wire in graph.outputs.items()
    }
