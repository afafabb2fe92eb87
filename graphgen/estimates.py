"""What a run will cost, before it begins: what runs, about how long, and how much memory at its peak.

In: a plan, the samples that earlier runs left in the ledger, and the weights that are loaded. Out: an `Estimate`, which
says of which nodes nothing is known yet. After a run, `learn` leaves the samples of its nodes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from graphgen.costs import Forecast, forecast, sizes_of
from graphgen.graph import GraphNode
from graphgen.ledger import Ledger, Sample
from graphgen.outcome import Outcome
from graphgen.plan import Plan

QUICK = 0.002
"""Seconds: what takes less is learned once, and again only when it takes longer."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a plan will take, as far as it is known.

    `seconds` counts the nodes in `nodes`, loading included; `unknown` are those that will run and of whose kind nothing
    is known. `peak_bytes` is weights and the largest working set together, None where no node's is known.
    """

    seconds: float
    nodes: Mapping[str, float]
    unknown: tuple[str, ...]
    peak_bytes: int | None


class Costs:
    """What is known of the costs of kinds of nodes, in one cache folder."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._quick: set[str] = set()

    def estimate(self, plan: Plan, loaded: Collection[str] = (), threads: int = 1) -> Estimate:
        """Estimate a plan; `loaded` are the identities of weights that need no loading."""
        costly = (name for name in plan.order if not plan.graph.nodes[name].spec.cheap and name not in plan.replayed)
        kinds = {name: _kind(plan, name) for name in costly}
        samples = self._ledger.samples(set(kinds.values()))
        quick = {
            kind: forecast(known, {})
            for kind, known in samples.items()
            if all(sample.seconds < QUICK and not sample.weights for sample in known)
        }
        known: dict[str, Forecast] = {}
        for name, kind in kinds.items():
            node = plan.graph.nodes[name]
            found = quick[kind] if kind in quick else forecast(samples.get(kind, ()), sizes_of(node, plan.graph))
            if found is not None:
                known[name] = found
        weights = {identity: cost for found in known.values() for identity, cost in found.weights.items()}
        loading = sum(seconds for identity, (_, seconds) in weights.items() if identity not in loaded)
        nodes = {name: found.seconds for name, found in known.items()}
        working = [found.working for found in known.values() if found.working is not None]
        peak = max(working) + sum(size for size, _ in weights.values()) if working else None
        return Estimate(_together(plan, nodes, loading, threads), nodes, tuple(kinds.keys() - known.keys()), peak)

    def learn(self, plan: Plan, outcome: Outcome) -> None:
        """Leave samples of the nodes that a run carried out."""
        learned: list[tuple[str, Sample]] = []
        for name, seconds in outcome.seconds.items():
            node = plan.graph.nodes.get(name)
            if node is None or node.spec.cheap or (seconds < QUICK and _kind(plan, name) in self._quick):
                continue
            if seconds < QUICK:
                self._quick.add(_kind(plan, name))
            learned.append((_kind(plan, name), _sample(node, plan, seconds, outcome)))
        self._ledger.learn(learned)


def ranks(plan: Plan, nodes: Mapping[str, float]) -> dict[str, float]:
    """Return for each node that runs how many seconds lie on the longest way from its start to the end of the run.

    Where all are quick, none is told: looking would take longer than any order saves.
    """
    if max(nodes.values(), default=0.0) < QUICK:
        return {}
    found: dict[str, float] = {}
    below: dict[str, float] = {}
    for name in reversed(plan.order):
        rank = found[name] = below.get(name, 0.0) + nodes.get(name, 0.0)
        for wires in plan.graph.nodes[name].wires.values():
            for wire in wires:
                below[wire.node] = max(below.get(wire.node, 0.0), rank)
    return found


def _together(plan: Plan, nodes: Mapping[str, float], loading: float, threads: int) -> float:
    """Return how long nodes take that run side by side: one at a time on the device, several beside it."""
    device = sum(took for name, took in nodes.items() if plan.graph.nodes[name].spec.device == "gpu")
    beside = sum(nodes.values()) - device
    longest = max(ranks(plan, nodes).values(), default=0.0)
    return max(longest + loading, device + loading, beside / threads)


def _kind(plan: Plan, name: str) -> str:
    """Name what is alike in cost: a type, its version, and the device and precision."""
    recipe = plan.recipes[name]
    return f"{recipe.type} {recipe.version} {recipe.environment}".rstrip()


def _sample(node: GraphNode, plan: Plan, seconds: float, outcome: Outcome) -> Sample:
    cost = outcome.costs.get(node.name)
    if cost is None:
        return Sample(seconds, sizes_of(node, plan.graph))
    return Sample(max(0.0, seconds - cost.loading), sizes_of(node, plan.graph), cost.working, cost.weights)
