"""What a kind of node costs, learned from what its calls took: seconds and bytes, by the sizes it works on.

In: a few samples of earlier calls, and the sizes of the next. Out: a forecast. The sizes are those known before a run:
numbers among a node's settings and facts (steps, width, ...) and two products of them. Of all these the one is taken
by which the samples are most alike when divided by it, if any explains them better than none, and the median of these
ratios (Theil-Sen regression through the origin), so that a call that was slow for its own reasons does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from statistics import median

from graphgen.graph import Graph, GraphNode
from graphgen.ledger import Sample

Sizes = Mapping[str, float]

PIXELS = "pixels"
"""Width times height times batch, as far as these are known."""
WORK = "pixels x steps"
"""The same times the steps."""
_NO_SIZES = frozenset(("value", "seed", "first", "start"))
_LARGEST = 10_000_000.0
"""What is larger is no size."""
_BETTER = 0.7
"""The part of the samples' own spread that a size must bring it down to, to be believed."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a call will take, about, as in Sample."""

    seconds: float
    working: int | None
    weights: Mapping[str, tuple[int, float]]


def sizes_of(node: GraphNode, graph: Graph) -> dict[str, float]:
    """Return the sizes that are known of a node before it runs; of several facts with one name, the largest."""
    found: dict[str, float] = {}
    facts = [graph.nodes[wire.node].facts.get(wire.output, {}) for wires in node.wires.values() for wire in wires]
    for source in (node.settings, *node.facts.values(), *facts):
        for name, value in source.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or name in _NO_SIZES:
                continue
            if 0 < value <= _LARGEST:
                found[name] = max(found.get(name, 0.0), float(value))
    pixels = [found[name] for name in ("width", "height", "batch") if name in found]
    if pixels:
        found[PIXELS] = prod(pixels)
        found[WORK] = found[PIXELS] * found.get("steps", 1.0)
    return found


def forecast(samples: Sequence[Sample], sizes: Sizes) -> Forecast | None:
    """Forecast a call from earlier ones, the latest last; None where there are none."""
    if not samples:
        return None
    seconds = _predict([(sample.seconds, sample.sizes) for sample in samples], sizes, WORK)
    measured = [(float(sample.working), sample.sizes) for sample in samples if sample.working is not None]
    working = int(_predict(measured, sizes, PIXELS)) if measured else None
    return Forecast(seconds, working, samples[-1].weights)


def _predict(known: Sequence[tuple[float, Sizes]], sizes: Sizes, usual: str) -> float:
    """Predict an amount from those of other sizes; it goes with the `usual` size where nothing else is known."""
    amounts = [amount for amount, _ in known]
    best, least = median(amounts), _spread(amounts) * _BETTER
    for name in sizes:
        given = [have.get(name, 0.0) for _, have in known]
        if min(given) <= 0:
            continue
        if len(set(given)) == 1:
            if name == usual and least == _spread(amounts) * _BETTER:
                best = median(amounts) * sizes[name] / given[0]
            continue
        ratios = [amount / size for amount, size in zip(amounts, given, strict=True)]
        if (spread := _spread(ratios)) < least:
            best, least = median(ratios) * sizes[name], spread
    return best


def _spread(amounts: Sequence[float]) -> float:
    """Return the median distance from the median, as a part of it."""
    middle = median(amounts)
    return median([abs(amount - middle) for amount in amounts]) / middle if middle > 0 else 0.0
