"""The subgraphs of a file, looked at by themselves: what is wrong with one is told where it stands, used or not.

In: a `Workflow` and the `Registry`. Out: Problems. What is wrong inside a subgraph that is used is told where it is
used, since only there are its settings and wires complete; the face and what nobody uses is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphgen.errors import Problem, did_you_mean, one_of
from graphgen.faces import INPUTS, PREFIX, find_subgraph
from graphgen.registry import Registry
from graphgen.types import SCALARS, SocketType, parse_type
from graphgen.workflow import Output, Subgraph, Workflow


def check_declarations(workflow: Workflow, registry: Registry) -> Iterator[Problem]:
    """Report types in the faces of subgraphs that do not exist, and outputs that come from nowhere."""
    for name, subgraph in workflow.subgraphs.items():
        for socket, face in subgraph.inputs.items():
            yield from _unknown_type(f"subgraphs.{name}.inputs.{socket}.type", parse_type(face.type), registry)
        for key, output in subgraph.outputs.items():
            if problem := dangling(f"subgraphs.{name}.outputs.{key}", output, subgraph, workflow, registry):
                yield problem


def dangling(place: str, output: Output, subgraph: Subgraph, workflow: Workflow, registry: Registry) -> Problem | None:
    """Say why an output of a subgraph gives nothing; None where it does, or where that is told of its node."""
    node_name, _, socket = output.source.partition(".")
    what, kind = "node", node_name
    if node_name == INPUTS:
        known, wanted, what = tuple(subgraph.inputs), socket, "input"
    elif (node := subgraph.nodes.get(node_name)) is None:
        known, wanted = tuple(subgraph.nodes), node_name
    else:
        inner, spec = find_subgraph(node.type, workflow, registry), registry.nodes.get(node.type)
        if inner is None and (spec is None or (node.version or spec.version) < spec.version):
            return None  # told of the node, or renamed since
        known = tuple(inner.outputs) if inner else tuple(item.name for item in spec.outputs) if spec else ()
        wanted, what, kind = socket, "output", node.type
    if wanted in known:
        return None
    owner = "the subgraph" if what != "output" else kind
    message = f"comes from '{output.source}', but {owner} has no {what} '{wanted}'"
    return Problem("output_from_nowhere", place, message, output.source, one_of(known), did_you_mean(wanted, known))


def unused_subgraphs(workflow: Workflow) -> list[str]:
    """Return the names of the subgraphs that no node of the file leads to."""
    used: set[str] = set()
    waiting = list(workflow.nodes.values())
    while waiting:
        name = waiting.pop().type.removeprefix(PREFIX)
        if name not in used and name in workflow.subgraphs:
            used.add(name)
            waiting += workflow.subgraphs[name].nodes.values()
    return [name for name in workflow.subgraphs if name not in used]


def is_known(kind: SocketType, registry: Registry) -> bool:
    """Tell whether a type that a file names exists."""
    return is_known(kind.item, registry) if kind.item else kind.name == "any" or kind.name in _type_names(registry)


def _type_names(registry: Registry) -> tuple[str, ...]:
    return (*SCALARS.values(), *sorted({*registry.types.classes, *registry.types.ancestors}))


def _unknown_type(place: str, kind: SocketType, registry: Registry) -> Iterator[Problem]:
    while kind.item is not None:
        kind = kind.item
    if not is_known(kind, registry):
        known = _type_names(registry)
        message = f"there is no type '{kind.name}'"
        yield Problem("unknown_type", place, message, kind.name, one_of(known), did_you_mean(kind.name, known))
