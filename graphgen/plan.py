"""What a run will do: the order, each node's key, and which nodes are cached, must run or may run.

In: a Graph, the wanted nodes, and a look at the cache. Out: a frozen `Plan`. Runs nothing. The walk goes from the
wanted nodes upwards and stops at what is cached, so what lies above a cached node is not even looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal, NamedTuple, Protocol, TypeAlias, cast

from graphgen.cache import Result, StoredValue
from graphgen.errors import Problem, WorkflowError, did_you_mean, one_of
from graphgen.faces import INPUTS
from graphgen.forcing import Force, find_forced, find_unsettled, with_equals
from graphgen.graph import Graph, GraphNode
from graphgen.hookspecs import DeviceInfo
from graphgen.inference import PathOf, known_of, told_by
from graphgen.recipe import Recipe, Trace, ends_key, follow_asks, inputs_by_recipe, recipe_of
from graphgen.wires import Wire
from graphgen.zones import label

State: TypeAlias = Literal["cached", "run", "may run", "equal", "pinned", "not needed"]


class Lookup(Protocol):
    """The cache, as far as planning goes."""

    def fetch(self, key: str) -> Result | None:
        """Return a verified result, or None."""

    def among(self, keys: Sequence[str]) -> set[str]:
        """Return those of many keys that `fetch` may find something under."""


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
    asked: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """For nodes with lazy inputs that run: those they are known to ask for."""
    given: Mapping[Wire, str] = field(default_factory=dict)
    """The digests of what is there already: what is pinned, and what comes into the body of a zone from outside."""
    forced: frozenset[str] = frozenset()
    """Nodes that run again whatever is kept of them."""
    unsettled: frozenset[str] = frozenset()
    """What is below forced nodes: it is looked up when its inputs' values are there, not before."""

    def state(self, name: str) -> State:
        """Tell what will happen to a node."""
        if self.graph.nodes[name].pinned:
            return "pinned"
        if name in self.cached or name in self.replayed:
            return "cached"
        if name in self.equal:
            return "equal"
        if name not in self._running:
            return "not needed"
        if name in self.forced or not self.graph.nodes[name].spec.pure:
            return "run"
        return "may run" if self.keys[name] is None or name in self.unsettled else "run"

    ends: Mapping[str, str] = field(default_factory=dict)
    """For zones that write files, which are gone into at each run: where the keys lie that their turns ended with."""
    replayed: frozenset[str] = frozenset()
    """Those of them in which nothing will run, since all of that is kept."""

    @property
    def to_run(self) -> int:
        """Count the nodes that run, or may run."""
        return len(self.order) - len(self.replayed)

    @property
    def found(self) -> int:
        """Count the nodes whose results were found."""
        return len(self.cached) + len(self.replayed)

    @cached_property
    def places(self) -> Mapping[str, int]:
        """Number the nodes that the targets need, in order."""
        return {name: place for place, name in enumerate(self.recipes)}

    @cached_property
    def _running(self) -> frozenset[str]:
        return frozenset(self.order)


def make_plan(
    graph: Graph,
    cache: Lookup | None,
    device: DeviceInfo,
    path_of: PathOf,
    targets: Sequence[str] | None = None,
    force: Force = (),
    given: Mapping[str, StoredValue] | None = None,
) -> Plan:
    """Decide what has to run so that the targets' values are there.

    Args:
        graph: The checked graph.
        cache: Where results may be found; None looks nowhere.
        device: Where nodes with `device="gpu"` run.
        path_of: Resolves a file's name inside a root, for nodes that read files.
        targets: Node names; the graph's own targets by default.
        force: Nodes that run again whatever is kept of them.
        given: What comes in from outside, where the graph is the body of a zone.

    Raises:
        WorkflowError: a target or a forced node does not exist, or a file that a node reads is not there.
    """
    problems: list[Problem] = []
    wanted = _check_targets(graph, graph.targets if targets is None else targets, problems)
    needed, surely = _needed(graph, wanted)
    recipes: dict[str, Recipe] = {}
    keys: dict[str, str | None] = {}
    digests = dict(graph.pins)
    if given:
        digests |= {Wire(INPUTS, name): value.digest for name, value in given.items()}
    if given is not None:
        needed = [name for name in needed if name != INPUTS]
    forced = find_forced(graph, force, graph.nodes if problems else needed, problems) if force else frozenset[str]()
    if problems:
        raise WorkflowError(problems)
    for name in needed:
        node = graph.nodes[name]
        # What is only reached through a lazy input may be wrong as long as nobody asks for it.
        pinned = node.pinned
        fingerprint = None if pinned else _fingerprint(node, graph, path_of, problems if name in surely else [])
        recipe = recipes[name] = recipe_of(node, device, fingerprint or "")
        inputs = inputs_by_recipe(node, keys, digests) if node.spec.pure and fingerprint is not None else None
        keys[name] = recipe.key("") if pinned else None if inputs is None else recipe.key(inputs)
    if problems:
        raise WorkflowError(problems)
    plan = Plan(graph, wanted, device, recipes, keys, {}, (), {}, {}, digests)
    if forced:
        forced = with_equals(forced, keys)
        plan = replace(plan, forced=forced, unsettled=find_unsettled(graph, forced, needed))
    found = demand(plan, wanted, needed, cache)
    order, equal = _merge_equal(found.order, keys)
    cached = dict(found.cached)
    if given is not None:
        cached[INPUTS] = Result(given, 0.0, "memory")
    plan = replace(plan, cached=cached, order=order, equal=equal, asked=found.asked)
    ends = _find_ends(plan)
    return replace(plan, ends=ends, replayed=_find_replayed(plan, ends, cache)) if ends else plan


def _find_ends(plan: Plan) -> dict[str, str]:
    """Return where the keys lie that the turns of zones ended with which write files, and do not look outside."""
    found: dict[str, str] = {}
    for name in plan.graph.targets:  # whatever writes files is one
        node = plan.graph.nodes[name]
        if node.zone is None or not node.zone.effects or name not in plan.order:
            continue
        if not node.zone.graph.reads_outside:
            inputs = inputs_by_recipe(node, plan.keys, plan.given)
            if inputs is not None:
                found[name] = ends_key(plan.recipes[name], inputs)
    return found


def _find_replayed(plan: Plan, ends: Mapping[str, str], cache: Lookup | None) -> frozenset[str]:
    """Return the zones of which all that is in them is kept, and all that goes in."""
    found: set[str] = set()
    running = frozenset(plan.order)
    for name in plan.order:
        if cache is None or name not in ends or name in plan.forced or name in plan.unsettled:
            continue
        if any(wire.node in running - found for wires in plan.graph.nodes[name].wires.values() for wire in wires):
            continue
        noted = cache.fetch(ends[name])
        keys = cast("list[str]", noted.values["value"].load()) if noted else None
        if keys is not None and cache.among(keys) >= set(keys):
            found.add(name)
    return frozenset(found)


def find_missing_inside(graph: Graph, device: DeviceInfo, path_of: PathOf) -> list[Problem]:
    """Report the files that are not there and that nodes in zones read whose names do not depend on item or turn."""
    problems: list[Problem] = []
    surely = _needed(graph, graph.targets)[1]
    for name, node in graph.nodes.items():
        if node.zone is None or name not in surely:
            continue
        inside = node.zone.graph
        found = find_missing_inside(inside, device, path_of)
        try:
            make_plan(inside, None, device, path_of)
        except WorkflowError as error:
            found += error.problems
        problems += [replace(problem, place=label(name, problem.place)) for problem in found]
    return problems


def _check_targets(graph: Graph, targets: Sequence[str], problems: list[Problem]) -> tuple[str, ...]:
    known = tuple(graph.nodes)
    for name in targets:
        if name in graph.left_out:
            message = f"cannot run, because {graph.left_out[name]}"
            problems.append(Problem("muted", name, message, name, cure="remove that node's mode"))
        elif name not in graph.nodes:
            message, cure = f"no node is named '{name}'", did_you_mean(name, known)
            problems.append(Problem("unknown_target", name, message, name, one_of(known), cure))
    return tuple(name for name in dict.fromkeys(targets) if name in graph.nodes)


def _needed(graph: Graph, targets: Sequence[str]) -> tuple[list[str], Collection[str]]:
    """Return the targets and all they may need, in topological order, and those that are needed in any case."""
    surely, lazily = _reach(graph, targets, lazy=False)
    found = _reach(graph, targets, lazy=True)[0] if lazily else surely
    return [name for name in graph.nodes if name in found], surely


def _reach(graph: Graph, targets: Sequence[str], *, lazy: bool) -> tuple[set[str], bool]:
    """Return what the targets depend on, by lazy inputs too if wanted, and whether there are any of those."""
    found = set(targets)
    waiting = list(targets)
    any_lazy = False
    while waiting:
        node = graph.nodes[waiting.pop()]
        for socket, wires in node.wires.items():
            if node.lazy and socket in node.lazy:
                any_lazy = True
                if not lazy:
                    continue
            for wire in wires:
                if wire.node not in found:
                    found.add(wire.node)
                    waiting.append(wire.node)
    return found, any_lazy


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


class Demand(NamedTuple):
    """What has to happen so that some nodes' values are there; `asked` as in Plan."""

    cached: Mapping[str, Result]
    order: Sequence[str]
    asked: Mapping[str, frozenset[str]]


def demand(
    plan: Plan,
    wanted: Collection[str],
    needed: Sequence[str],
    cache: Lookup | None,
    known: Container[str] = (),
) -> Demand:
    """Walk upwards from the wanted nodes, stopping at what is cached, and at `known` nodes, which others see to.

    `needed` are nodes in topological order; those that nobody demands are passed over. Neither forced nodes nor what is
    below them are looked up.
    """
    search = _Search(cache, plan.keys, needed)
    demanded = set(wanted)
    cached: dict[str, Result] = {}
    running: list[str] = []
    asked: dict[str, frozenset[str]] = {}
    for name in reversed(needed):
        if name not in demanded or name in known:
            continue
        node, key = plan.graph.nodes[name], plan.keys[name]
        sure = not plan.forced or not (name in plan.forced or name in plan.unsettled)
        if node.pinned:
            cached[name] = Result(node.pinned, 0.0, "disk")
            continue
        if node.lazy:
            trace = trace_of(node, plan, cache.fetch if cache and sure else _nowhere)
            result, asked[name] = trace.result, trace.asked
        else:
            result = search.fetch(key) if key and sure else None
        if result is not None:
            cached[name] = result
            continue
        running.append(name)
        for socket, wires in node.wires.items():
            if not node.lazy or socket not in node.lazy or socket in asked[name]:
                demanded.update(wire.node for wire in wires)
    running.reverse()
    return Demand({name: cached[name] for name in reversed(cached)}, running, asked)


class _Search:
    """Looks keys up one by one until one is missed, then asks for all the others at once which are worth a look.

    So a workflow that is cached costs a look at its ends, and one of many nodes that are not costs one question.
    """

    def __init__(self, cache: Lookup | None, keys: Mapping[str, str | None], needed: Sequence[str]) -> None:
        self._cache = cache
        self._keys = keys
        self._needed = needed
        self._there: set[str] | None = None

    def fetch(self, key: str) -> Result | None:
        """Return what is kept under the key of a needed node, or None."""
        if self._cache is None or (self._there is not None and key not in self._there):
            return None
        result = self._cache.fetch(key)
        if result is None and self._there is None:
            self._there = self._cache.among([other for name in self._needed if (other := self._keys[name])])
        return result


def demand_more(plan: Plan, wanted: Sequence[str], cache: Lookup | None, known: Container[str]) -> Demand:
    """Do as `demand` for nodes that turn out to be needed while the plan is carried out; costs what is new."""
    return demand(plan, wanted, _upstream(plan.graph, wanted, known), cache, known)


def _upstream(graph: Graph, wanted: Sequence[str], known: Container[str]) -> list[str]:
    """Return nodes and all they may need, without known ones, in topological order."""
    order: dict[str, None] = {}
    waiting = [(name, False) for name in wanted]
    while waiting:
        name, entered = waiting.pop()
        if entered:
            order[name] = None
        elif name not in order and name not in known:
            waiting.append((name, True))
            waiting += [(wire.node, False) for wires in graph.nodes[name].wires.values() for wire in wires]
    return list(order)


def trace_of(node: GraphNode, plan: Plan, fetch: Callable[[str], Result | None]) -> Trace:
    """Tell by recipe keys how far a node with lazy inputs is known."""

    def inputs(asked: frozenset[str]) -> str | None:
        return inputs_by_recipe(node, plan.keys, plan.given, node.lazy - asked) if node.spec.pure else None

    return follow_asks(plan.recipes[node.name], inputs, fetch)


def _nowhere(_: str) -> None:
    return None


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
