"""Conversions as plugins register them, read into rules that the engine can look up.

In: a `Conversion`, which wraps a node function. Out: a `ConversionRule`, which is data; what cannot stand in on a wire
is refused when its plugin is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphgen.errors import DefinitionError
from graphgen.hookspecs import Conversion
from graphgen.node import spec_of
from graphgen.spec import NodeSpec
from graphgen.types import ConversionRule, TypeTable, fits


def rule_of(conversion: Conversion, pack: str) -> ConversionRule:
    """Return the rule of a conversion that a pack registers.

    Raises:
        DefinitionError: the function cannot stand in on a wire, or its cost is no cost.
    """
    spec = spec_of(conversion.function)
    place = f"{conversion.function.__module__}.{spec.id}"
    if type(conversion.cost) is not int or conversion.cost < 0:
        raise DefinitionError(f"{place}: a conversion costs a whole number from 0 (got {conversion.cost!r})")
    if why := next(_mistakes(spec), None):
        raise DefinitionError(f"{place}: cannot convert what a wire carries: {why}")
    taken, given = spec.inputs[0], spec.outputs[0]
    name = f"{pack}.{spec.id}"
    return ConversionRule(taken.type, given.type, name, taken.name, given.name, conversion.cost, conversion.lossy)


def _mistakes(spec: NodeSpec) -> Iterator[str]:
    """Say what keeps a node from standing in on a wire."""
    if len(spec.inputs) != 1 or not spec.inputs[0].required or spec.inputs[0].lazy:
        yield "it must have one input, which is required and not lazy"
    if len(spec.outputs) != 1:
        yield "it must have one output"
    if missing := [item.name for item in spec.settings if item.required]:
        yield f"nobody sets '{missing[0]}'; give it a default"
    if not spec.pure or spec.effect or spec.fingerprint:
        yield "its output must depend on its input alone; it is not pure, writes files or looks outside"
    ends = (spec.inputs[0].type, spec.outputs[0].type)
    if any(kind.name == "any" for kind in ends):
        yield "it must name what it takes and gives; 'object' is everything"
    if fits(*ends, TypeTable()):
        yield f"what is {ends[0]} fits {ends[1]} as it is"
