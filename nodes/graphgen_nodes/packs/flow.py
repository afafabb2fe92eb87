"""What runs and what does not: switches, gates, and lists for maps and loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, NamedTuple

from pydantic import Field

from graphgen import Facts, Known, Lazy, NoValue, hookimpl, node


class Chosen(NamedTuple):
    """One value of any type, or none."""

    value: Annotated[object, Field(description="The value, of whatever type came in.")]


class Collected(NamedTuple):
    """Values in a row."""

    items: Annotated[list[object], Field(description="The values, in the order of their wires.")]


class Numbers(NamedTuple):
    """Whole numbers in a row."""

    numbers: list[int]


class Texts(NamedTuple):
    """Texts in a row."""

    texts: list[str]


def _chosen(known: Known) -> dict[str, Facts]:
    condition = known.settings.get("condition")
    if not isinstance(condition, bool):
        return {}
    return {"value": known.inputs.get("if_true" if condition else "if_false", {})}


def _passed(known: Known) -> dict[str, Facts]:
    return {"value": known.inputs.get("value", {})} if known.settings.get("open") is True else {}


def _counted(known: Known) -> dict[str, Facts]:
    items = known.many.get("items", ())
    if not all(known.many.get("items", ({},))):
        return {}
    first, *rest = items or ({},)
    common = {name: fact for name, fact in first.items() if all(other.get(name) == fact for other in rest)}
    return {"items": {"count": len(items), **({"item": common} if common else {})}}


def _picked(known: Known) -> dict[str, Facts]:
    item = known.inputs.get("items", {}).get("item")
    return {"value": item} if isinstance(item, Mapping) else {}


def _listed(known: Known) -> dict[str, Facts]:
    count = known.settings.get("count")
    return {"numbers": {"count": count}} if isinstance(count, int) else {}


def _written(known: Known) -> dict[str, Facts]:
    lines = known.settings.get("lines")
    return {"texts": {"count": len(lines)}} if isinstance(lines, list) else {}


@node(category="flow", cheap=True, infer=_chosen, aliases=("If else",))
def switch(
    if_true: Annotated[Lazy[object] | None, Field(description="What it gives while the condition is true.")] = None,
    if_false: Annotated[Lazy[object] | None, Field(description="What it gives while the condition is false.")] = None,
    *,
    condition: Annotated[bool, Field(description="Which of the two is wanted.")] = True,
) -> Chosen | NoValue:
    """Choose one of two values; the other is not even computed."""
    chosen = if_true if condition else if_false
    if chosen is None:
        return NoValue(f"nothing is wired to {'if_true' if condition else 'if_false'}")
    return Chosen(chosen.get())


@node(category="flow", cheap=True, infer=_passed)
def gate(
    value: object,
    *,
    open: Annotated[bool, Field(description="Whether the value may pass.")] = True,  # noqa: A002 - as users call it
    reason: Annotated[str, Field(description="What to say of what is skipped.")] = "the gate is shut",
) -> Chosen | NoValue:
    """Let a value pass, or block it: what needs it is skipped, and in a map the item is left out."""
    return Chosen(value) if open else NoValue(reason)


@node(category="flow", title="Collect list", cheap=True, infer=_counted)
def collect(*items: object) -> Collected:
    """Make a list of values, in the order of their wires."""
    return Collected(list(items))


@node(category="flow", title="Pick from list", cheap=True, infer=_picked)
def pick(
    items: list[object], *, index: Annotated[int, Field(description="From 0; -1 is the last.")] = 0
) -> Chosen | NoValue:
    """Take one value out of a list."""
    if not -len(items) <= index < len(items):
        return NoValue(f"a list of {len(items)} has no item {index}")
    return Chosen(items[index])


@node(category="flow", title="List of numbers", cheap=True, infer=_listed)
def numbers(
    *,
    start: Annotated[int, Field(description="The first number.")] = 0,
    count: Annotated[int, Field(ge=0, le=1_000_000, description="How many.")] = 4,
    step: Annotated[int, Field(description="From each to the next.")] = 1,
) -> Numbers:
    """List whole numbers: seeds to try, say."""
    return Numbers([start + step * index for index in range(count)])


@node(category="flow", title="List of texts", cheap=True, infer=_written)
def texts(*, lines: Annotated[list[str], Field(description="The texts.")]) -> Texts:
    """List texts: prompts to try, say."""
    return Texts(lines)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute what steers a run."""
    return [switch, gate, collect, pick, numbers, texts]
