"""What can be planned of a workflow that is not in order: for an editor, while one builds.

In: a document, what is asked, and what is wrong. Out: a plan of the nodes that are neither wrong nor need one that is,
all of them, whatever the workflow's outputs are; or none, where something else than nodes is wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from graphgen.errors import Problem, WorkflowError
from graphgen.plan import Plan
from graphgen.registry import Registry
from graphgen.server.checking import Checker
from graphgen.server.requests import Planning

_ROUNDS = 4
"""How often what is left is looked at again: what is wrong with a node's form hides what is wrong with its wires."""


def plan_sound_part(
    checker: Checker, document: Mapping[str, Any], asked: Planning, problems: Sequence[Problem]
) -> Plan | None:
    """Plan what is in order of a workflow; None where nothing is, or what is wrong lies elsewhere than in nodes."""
    nodes = document.get("nodes")
    if not isinstance(nodes, Mapping):
        return None
    wrong, unreached = set[str](), set[str]()
    for _ in range(_ROUNDS):
        if not _sort(problems, nodes, wrong, unreached):
            return None
        left = _left(nodes, wrong)
        part = _part(document, left, unreached, checker.engine.registry)
        values = {name: value for name, value in asked.parameters.items() if name in part["parameters"]}
        targets = None if asked.targets is None else [name for name in asked.targets if _root(name) in left]
        force = asked.force if asked.force == "all" else [name for name in asked.force if _root(name) in left]
        try:
            return checker.engine.plan(checker.check(part, values), targets or None, force)
        except WorkflowError as error:
            problems = error.problems
    return None


def _sort(problems: Iterable[Problem], nodes: Mapping[str, Any], wrong: set[str], unreached: set[str]) -> bool:
    """Note the nodes that are wrong, and the outputs that come from none; False where anything else is wrong."""
    for problem in problems:
        head, _, rest = problem.place.partition(".")
        if head == "outputs":
            unreached.add(rest)
        elif head == "nodes" and rest:
            wrong.add(_root(rest))
        elif _root(head) in nodes:
            wrong.add(_root(head))
        else:
            return False
    return True


def _left(nodes: Mapping[str, Any], wrong: Collection[str]) -> list[str]:
    """Return the nodes that are neither wrong nor need a wrong one."""
    below: dict[str, list[str]] = {}
    for name, node in nodes.items():
        for source in _sources(node):
            below.setdefault(source, []).append(name)
    gone, waiting = set(wrong), list(wrong)
    while waiting:
        found = [name for name in below.get(waiting.pop(), ()) if name not in gone]
        gone.update(found)
        waiting += found
    return [name for name in nodes if name not in gone]


def _sources(node: object) -> set[str]:
    inputs = node.get("inputs") if isinstance(node, Mapping) else None
    wires = inputs.values() if isinstance(inputs, Mapping) else ()
    texts = [text for wire in wires for text in (wire if isinstance(wire, list) else [wire])]
    return {text.partition(".")[0] for text in texts if isinstance(text, str)}


def _part(
    document: Mapping[str, Any], left: Collection[str], unreached: Collection[str], registry: Registry
) -> dict[str, Any]:
    """Write the workflow of some nodes, all of which are wanted."""
    nodes = {name: document["nodes"][name] for name in left}
    outputs = {}
    for name, node in nodes.items():
        spec = registry.nodes.get(str(node.get("type")))
        if spec is not None and spec.outputs and not spec.effect and name not in unreached:
            outputs[name] = {"from": f"{name}.{spec.outputs[0].name}"}
    given = document.get("parameters")
    parameters = {
        name: about
        for name, about in (given.items() if isinstance(given, Mapping) else ())
        if isinstance(about, Mapping) and all(_root(str(target)) in nodes for target in about.get("sets", ()))
    }
    return {**document, "nodes": nodes, "outputs": outputs, "parameters": parameters}


def _root(place: str) -> str:
    """Return the node of the workflow's own that a place lies in."""
    return place.partition(".")[0].partition("/")[0]
