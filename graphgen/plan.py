"""What a run will do: the order, each node's key, and which nodes are cached, must run or may run.

In: a Graph, the wanted nodes, and a look at the cache. Out: a frozen `Plan`. Runs nothing. The walk goes from the
wanted nodes upwards and stops at what is cached, so what lies above a cached node is not even looked at.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol, TypeAlias

from graphgen.cache import Result
from graphgen.errors import Problem, WorkflowError, did_you_mean, one_of
from graphgen.graph import Graph, GraphNode
from graphgen.hookspecs import DeviceInfo
from graphgen.inference import PathOf, known_of, told_by
from graphgen.recipe import Recipe, inputs_by_recipe, recipe_of

State: TypeAlias = Literal["cached", "run", "may run", "equal", "not needed"]


class Lookup(Protocol):
    """The cache, as far as planning goes."""

    def fetch(self, key: str) -> Result | None:
        """Return a verified result, or None."""


@dataclass(frozen=True)
class Plan:
    """What a run will do.

    `recipes` and `keys` cover every node the targets need; a key is None where only the values will tell (below an
    impure node). `cached` holds the results found, `order` the nodes that run, in order, and `equal` maps a node to
    an earlier one with the same key.
    """

    graph: Graph
    targets: tuple[str, ...]
    device: DeviceInfo
    recipes: Mapping[str, Recipe]
    keys: Mapping[str, str | None]
    cached: Mapping[str, Result]
    order: tuple[str, ...]
    equal: Mapping[str, str]

    def state(self, name: str) -> State:
        """Tell what will happen to a node."""
        if name in self.cached:
            return "cached"
        if name in self.equal:
            return "equal"
        if name not in self._running:
            return "not needed"
        return "run" if self.keys[name] is not None or not self.graph.nodes[name].spec.pure else "may run"

    @cached_property
    def _running(self) -> frozenset[str]:
        return frozenset(self.order)


def make_plan(
    graph: Graph,
    cache: Lookup | None,
    device: DeviceInfo,
    path_of: PathOf,
    targets: Sequence[str] | None = None,
    force: Collection[str] = (),
) -> Plan:
    """Decide what has to run so that the targets' values are there.

    Args:
        graph: The checked graph.
        cache: Where results may be found; None looks nowhere.
        device: Where nodes with `device="gpu"` run.
        path_of: Resolves a file's name inside a root, for nodes that read files.
        targets: Node names; the graph's own targets by default.
        force: Nodes that run even if they are cached.

    Raises:
        WorkflowError: a target does not exist, or a file that a node reads is not there.
    """
    wanted = _check_targets(graph, graph.targets if targets is None else targets)
    needed = _needed(graph, wanted)
    problems: list[Problem] = []
    recipes: dict[str, Recipe] = {}
    keys: dict[str, str | None] = {}
    for name in needed:
        node = graph.nodes[name]
        fingerprint = _fingerprint(node, graph, path_of, problems)
        recipe = recipes[name] = recipe_of(node, device, fingerprint or "")
        inputs = inputs_by_recipe(node, keys) if node.spec.pure and fingerprint is not None else None
        keys[name] = None if inputs is None else recipe.key(inputs)
    if problems:
        raise WorkflowError(problems)
    cached, running = _demand(graph, wanted, needed, keys, cache, frozenset(force))
    order, equal = _merge_equal(running, keys)
    return Plan(graph, wanted, device, recipes, keys, cached, order, equal)


def _check_targets(graph: Graph, targets: Sequence[str]) -> tuple[str, ...]:
    known = tuple(graph.nodes)
    problems: list[Problem] = []
    for name in targets:
        if name in graph.left_out:
            message = f"cannot run, because {graph.left_out[name]}"
            problems.append(Problem("muted", name, message, name, cure="remove that node's mode"))
        elif name not in graph.nodes:
            message, cure = f"no node is named '{name}'", did_you_mean(name, known)
            problems.append(Problem("unknown_target", name, message, name, one_of(known), cure))
    if problems:
        raise WorkflowError(problems)
    return tuple(dict.fromkeys(targets))


def _needed(graph: Graph, targets: Sequence[str]) -> list[str]:
    """Return the targets and all they depend on, in topological order."""
    found = set(targets)
    waiting = list(targets)
    while waiting:
        for wires in graph.nodes[waiting.pop()].wires.values():
            for wire in wires:
                if wire.node not in found:
                    found.add(wire.node)
                    waiting.append(wire.node)
    return [name for name in graph.nodes if name in found]


def _fingerprint(node: GraphNode, graph: Graph, path_of: PathOf, problems: list[Problem]) -> str | None:
    """Identify what a node reads from outside; None when its settings are not known yet."""
    if node.spec.fingerprint is None:
        return ""
    known = known_of(node, graph.nodes, path_of)
    if len(known.settings) < len(node.spec.settings):
        return None
    try:
        return node.spec.fingerprint(known)
    except Exception as error:  # a plugin may fail in any way
        problems.append(told_by(node, "what it reads", error))
    return None


def _demand(
    graph: Graph,
    targets: Sequence[str],
    needed: Sequence[str],
    keys: Mapping[str, str | None],
    cache: Lookup | None,
    force: frozenset[str],
) -> tuple[dict[str, Result], list[str]]:
    """Walk upwards from the targets, stopping at what is cached."""
    demanded = set(targets)
    cached: dict[str, Result] = {}
    running: list[str] = []
    for name in reversed(needed):
        if name not in demanded:
            continue
        key = keys[name]
        result = cache.fetch(key) if cache and key and name not in force else None
        if result is not None:
            cached[name] = result
            continue
        running.append(name)
        for wires in graph.nodes[name].wires.values():
            demanded.update(wire.node for wire in wires)
    running.reverse()
    return {name: cached[name] for name in reversed(cached)}, running


def _merge_equal(running: Sequence[str], keys: Mapping[str, str | None]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Let nodes with equal keys run once."""
    first: dict[str, str] = {}
    equal: dict[str, str] = {}
    order: list[str] = []
    for name in running:
        key = keys[name]
        if key is not None and (other := first.setdefault(key, name)) != name:
            equal[name] = other
        else:
            order.append(name)
    return tuple(order), equal
