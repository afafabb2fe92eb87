"""What stands behind the face of a subgraph: which subgraph a type means, and where its outputs and parameters lead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from graphgen.errors import Problem
from graphgen.jsontypes import JSON
from graphgen.registry import Registry
from graphgen.types import SocketType, parse_type
from graphgen.workflow import LOOP, Node, Subgraph, Workflow

PREFIX = "subgraph."
"""What a node's type begins with that stands for a subgraph of the same file."""
INPUTS = "inputs"
"""The name by which a subgraph's nodes wire in what comes from outside."""
DEEPEST = 32
"""Subgraphs inside subgraphs."""


class HasSubgraphs(Protocol):
    """A workflow, in whatever form."""

    @property
    def subgraphs(self) -> Mapping[str, Subgraph]:
        """Its subgraphs, by name."""


def find_subgraph(type_: str, workflow: HasSubgraphs, registry: Registry) -> Subgraph | None:
    """Return the subgraph a node's type stands for: one of the file, or one that a plugin ships."""
    if type_.startswith(PREFIX):
        return workflow.subgraphs.get(type_.removeprefix(PREFIX))
    return registry.subgraphs.get(type_)


def pinned_whole(full: str, subgraph: Subgraph) -> Problem:
    """Say that a node that stands for a subgraph is not pinned itself, and which nodes inside are in its place."""
    message = "stands for a subgraph, and these are not pinned as a whole"
    inside = next(iter(subgraph.outputs.values())).source.partition(".")[0]
    cure = f"pin the nodes that give its outputs, such as '{full}/{inside}'"
    return Problem("pinned_subgraph", full, message, cure=cure)


def output_type(
    source: str, nodes: Mapping[str, Node], around: Subgraph | None, workflow: Workflow, registry: Registry
) -> SocketType | None:
    """Return the type of an output, subgraphs and zones looked through; None where there is no such output."""
    lists = 0
    for _ in range(DEEPEST):
        name, _, output = source.partition(".")
        if name == INPUTS and around is not None:
            face = around.inputs.get(output)
            return _in_lists(parse_type(face.type), lists) if face else None
        node = nodes.get(name)
        if node is None:
            return None
        lists += node.map is not None or (node.loop is not None and output in node.loop.collect)
        subgraph = find_subgraph(node.type, workflow, registry)
        if subgraph is None:
            spec = registry.nodes.get(node.type)
            found = spec.output(output) if spec else None
            return _in_lists(found.type, lists) if found else None
        if output not in subgraph.outputs:
            return None
        source, nodes, around = subgraph.outputs[output].source, subgraph.nodes, subgraph
    return None


def _in_lists(kind: SocketType, lists: int) -> SocketType:
    """Return the type of lists of a type, or of lists of lists."""
    for _ in range(lists):
        kind = SocketType("list", item=kind)
    return kind


def setting_behind(target: str, workflow: Workflow, registry: Registry) -> tuple[Node | None, str, Mapping[str, JSON]]:
    """Return the node and setting behind a parameter's target, subgraphs looked through, and that node's settings.

    The settings are those that hold as the workflow stands: a subgraph's own, where the node that uses it sets none.
    """
    nodes: Mapping[str, Node] = workflow.nodes
    given: Mapping[str, JSON] = {}
    for _ in range(DEEPEST):
        name, _, setting = target.partition(".")
        node = nodes.get(name)
        if node is None:
            break
        own = {**node.settings, **given}
        if setting.startswith(LOOP):
            return node, setting, own
        subgraph = find_subgraph(node.type, workflow, registry)
        if subgraph is None or setting not in subgraph.parameters:
            return (node, setting, own) if subgraph is None else (None, setting, {})
        target, nodes = subgraph.parameters[setting].sets[0], subgraph.nodes
        given = {target.partition(".")[2]: own[setting]} if setting in own else {}
    return None, "", {}
