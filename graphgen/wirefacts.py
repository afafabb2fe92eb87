"""What is known on each wire of a checked workflow, as data.

In: a `Graph`. Out: a line for each output, the notes that nodes leave for whoever checks them, and both as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphgen.errors import Problem
from graphgen.graph import Graph
from graphgen.inference import NOTE
from graphgen.jsontypes import JSON
from graphgen.spec import Facts
from graphgen.types import SocketType, TypeTable
from graphgen.zones import label


def notes_of(graph: Graph) -> list[tuple[str, str]]:
    """Return what nodes say about themselves to whoever checks them: each node's name and a sentence."""
    found = ((wire.partition(".")[0], facts.get(NOTE)) for wire, _, facts in outputs_of(graph))
    return list(dict.fromkeys((node, note) for node, note in found if isinstance(note, str)))


def facts_json(graph: Graph, types: TypeTable) -> dict[str, JSON]:
    """Return what is known of each output, by `node.output`: its type, the names of its axes in order, its facts."""
    return {
        wire: {"type": str(kind), "axes": axes_of(kind, types), "facts": facts}
        for wire, kind, facts in outputs_of(graph)
    }


def checked_json(graph: Graph | None, problems: Sequence[Problem]) -> dict[str, JSON]:
    """Return what a check found: what is wrong, and notes; `graph` is None where none could be made."""
    found: dict[str, JSON] = {"ok": not problems, "nodes": len(graph.nodes) if graph else None}
    found["problems"] = [problem.to_json() for problem in problems]
    if graph and (notes := notes_of(graph)):
        found["notes"] = [{"place": place, "message": message} for place, message in notes]
    return found


def outputs_of(graph: Graph, prefix: str = "") -> Iterator[tuple[str, SocketType, Facts]]:
    """Yield the outputs of all nodes, those inside zones among them: `node.output`, its type, its facts."""
    for name, node in graph.nodes.items():
        for output in node.spec.outputs:
            yield f"{label(prefix, name)}.{output.name}", output.type, node.facts.get(output.name, {})
        if node.zone is not None:
            yield from outputs_of(node.zone.graph, f"{label(prefix, name)}/*")


def axes_of(kind: SocketType, types: TypeTable) -> tuple[str, ...]:
    """Return the facts that are the axes of a type's tensor, in order: what its class names as `axes`."""
    axes: tuple[str, ...] = getattr(types.classes.get(kind.name), "axes", ())
    return axes
