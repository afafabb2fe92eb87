"""Forced nodes: those that run again whatever is kept of them, and what is below them, where only values will tell.

In: the names that somebody forces, and the nodes that a plan needs. Out: the nodes meant, or a Problem for each name
that means none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, TypeAlias

from graphgen.errors import Problem, did_you_mean, one_of
from graphgen.graph import Graph

Force: TypeAlias = Collection[str] | Literal["all"]
"""Names of nodes, or of nodes that stand for subgraphs; `all` is every node that the targets need."""


def find_forced(graph: Graph, force: Force, needed: Collection[str], problems: list[Problem]) -> frozenset[str]:
    """Return the nodes that are forced; report names that mean none, or none that is needed."""
    if force == "all":
        return frozenset(name for name in needed if not graph.nodes[name].pinned)
    found: set[str] = set()
    for name in [force] if isinstance(force, str) else dict.fromkeys(force):
        meant = [name] if name in graph.nodes else [inner for inner in graph.nodes if inner.startswith(f"{name}/")]
        wanted = set(needed).intersection(meant)
        if pinned := [inner for inner in meant if graph.nodes[inner].pinned]:
            message, cure = f"cannot be forced, because '{pinned[0]}' is pinned", f"`graphgen unpin FILE {pinned[0]}`"
            problems.append(Problem("pinned", name, message, name, cure=cure))
        elif wanted:
            found |= wanted
        elif meant:
            message = "is forced, but nothing that is to be run needs it"
            problems.append(Problem("not_needed", name, message, name, cure="run it too, or do not force it"))
        else:
            problems.append(_no_node(graph, name))
    return frozenset(found)


def with_equals(forced: Collection[str], keys: Mapping[str, str | None]) -> frozenset[str]:
    """Return forced nodes and those with the same keys, which would compute the same."""
    again = {key for name in forced if (key := keys.get(name))}
    return frozenset(forced).union(name for name, key in keys.items() if key in again)


def find_unsettled(graph: Graph, forced: Collection[str], needed: Sequence[str]) -> frozenset[str]:
    """Return what is below forced nodes; `needed` is in topological order."""
    found: set[str] = set()
    for name in needed:
        wires = graph.nodes[name].wires.values()
        if name not in forced and any(wire.node in forced or wire.node in found for some in wires for wire in some):
            found.add(name)
    return frozenset(found)


def _no_node(graph: Graph, name: str) -> Problem:
    """Say why a name that is forced is no node's."""
    inside = [left for left in graph.left_out if left == name or left.startswith(f"{name}/")]
    if inside:
        message = f"cannot be forced, because {graph.left_out[inside[0]]}"
        return Problem("muted", name, message, name, cure="remove that node's mode")
    parts = name.split("/")
    for length in range(1, len(parts)):
        zone = "/".join(parts[:length])
        if zone in graph.nodes and graph.nodes[zone].zone:
            message = f"'{zone}' is a map or a loop, whose turns and what is in them are forced together"
            return Problem("inside_zone", name, message, name, cure=f"force '{zone}'")
    known = tuple(graph.nodes)
    cure = did_you_mean(name, known)
    return Problem("unknown_forced", name, f"is forced, but no node is named '{name}'", name, one_of(known), cure)
