"""What is known of values before anything runs, carried along the wires by each node's own `infer`."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from pydantic import ValidationError

from graphgen.errors import PathError, Problem, Refusal, error_line
from graphgen.jsontypes import JSON
from graphgen.settings import complete_settings
from graphgen.spec import Facts, Known
from graphgen.validation import problems_of
from graphgen.widgets import RootName

if TYPE_CHECKING:
    from graphgen.graph import GraphNode

NOTE = "note"
"""The fact that is a sentence for whoever checks the workflow."""

PathOf: TypeAlias = Callable[[RootName, str], Path]


def known_of(node: GraphNode, nodes: Mapping[str, GraphNode], path_of: PathOf) -> Known:
    """Collect what is known of a node's inputs and settings."""
    single: dict[str, Facts] = {}
    many: dict[str, tuple[Facts, ...]] = {}
    settings: dict[str, JSON] = dict(node.settings)
    for socket, wires in node.wires.items():
        facts = tuple(_carried(nodes[wire.node].facts.get(wire.output, {})) for wire in wires)
        if socket in node.wired_settings:
            if "value" in facts[0]:
                settings[socket] = facts[0]["value"]
        else:
            single[socket] = facts[0] if facts else {}
            many[socket] = facts
    return Known(single, many, settings, _path_in(settings, path_of))


def _carried(facts: Facts) -> Facts:
    """Return what a wire carries on: all but the note, which is said once, where it arises."""
    return {name: fact for name, fact in facts.items() if name != NOTE} if NOTE in facts else facts


def _path_in(settings: Mapping[str, JSON], path_of: PathOf) -> PathOf:
    """Have errors about paths say which setting they stand in."""

    def path(root: RootName, name: str) -> Path:
        try:
            return path_of(root, name)
        except PathError as error:
            error.at = next((setting for setting, value in settings.items() if value == name), "")
            raise

    return path


def infer_node(
    node: GraphNode, nodes: Mapping[str, GraphNode], path_of: PathOf, problems: list[Problem]
) -> Mapping[str, Facts]:
    """Ask a node what it knows of its outputs; what it refuses becomes a Problem."""
    spec = node.spec
    if spec.infer is None and not node.wired_settings:
        return {}
    known = known_of(node, nodes, path_of)
    if node.wired_settings and len(known.settings) == len(spec.settings):
        try:
            complete_settings(spec, known.settings)
        except ValidationError as error:
            problems.extend(_about_wire(problem, node) for problem in problems_of(error, node.name))
            return {}
    if spec.infer is None:
        return {}
    try:
        return spec.infer(known)
    except Exception as error:  # a plugin may fail in any way
        problems.append(told_by(node, "what it gives", error))
    return {}


def _about_wire(problem: Problem, node: GraphNode) -> Problem:
    setting = problem.place.removeprefix(f"{node.name}.").partition(".")[0]
    wire = next(iter(node.wires.get(setting, ())), None)
    return replace(problem, cure=f"the value comes from '{wire}'") if wire else problem


def told_by(node: GraphNode, what: str, error: Exception) -> Problem:
    """Turn what a node's `infer` or `fingerprint` raised into a Problem; `what` says what it was asked for."""
    if isinstance(error, Refusal | PathError):
        code, place = "refused" if isinstance(error, Refusal) else "bad_path", node.name
        place += f".{error.at}" if error.at else ""
        return Problem(code, place, error.message, node.settings.get(error.at), error.allowed, error.cure)
    if isinstance(error, OSError):
        return Problem("bad_path", node.name, str(error), cure="check that it is a file and may be read")
    where = traceback.extract_tb(error.__traceback__)[-1]
    message = f"{node.spec.id} could not say {what}: {error_line(error)} ({where.filename}, line {where.lineno})"
    return Problem("node_mistake", node.name, message, cure="report this to the plugin's author")
