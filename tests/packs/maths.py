"""A fake pack of pure nodes over numbers and texts: what workflows in the engine's tests are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from graphgen import Facts, Known, Migration, Refusal, Slider, Wireable, hookimpl, node


@dataclass(frozen=True)
class Point:
    """A place on a plane."""

    x: int
    y: int = 0


@dataclass(frozen=True)
class Pixel(Point):
    """A point with a colour: a subclass, which fits where a point is wanted."""

    colour: str = "red"


class Parts(NamedTuple):
    """Two outputs."""

    half: Annotated[int, Field(description="The number, halved.")]
    rest: int


def _constant(known: Known) -> Mapping[str, Facts]:
    return {"int": {"value": known.settings["value"]}} if "value" in known.settings else {}


def _not_both_odd(known: Known) -> Mapping[str, Facts]:
    given = [known.inputs.get(name, {}).get("value") for name in ("a", "b")]
    numbers = [value for value in given if isinstance(value, int)]
    if len(numbers) == 2 and all(value % 2 for value in numbers):
        raise Refusal("both numbers are odd", at="b", allowed="an even number", cure="add 1")
    return {}


@node(category="numbers", cheap=True, infer=_constant)
def number(*, value: Annotated[int, Field(ge=-1000, le=10**9)] = 0) -> int:
    """Give a number."""
    return value


def _sum(known: Known) -> Mapping[str, Facts]:
    parts = [facts.get("value") for facts in known.inputs.values()] + [known.settings.get("extra")]
    numbers = [part for part in parts if isinstance(part, int)]
    return {"int": {"value": sum(numbers)}} if len(numbers) == len(parts) else {}


@node(category="numbers", infer=_sum)
def add(a: int, b: int | None = None, *, extra: int = 0) -> int:
    """Add what is there."""
    return a + (b or 0) + extra


@node(category="numbers", cheap=True)
def quick(a: int, b: int | None = None, *, extra: int = 0) -> int:
    """Add what is there, inline."""
    return a + (b or 0) + extra


@node(category="numbers", infer=_not_both_odd)
def even(a: int, b: int) -> int:
    """Add two numbers that are not both odd."""
    return a + b


@node(category="numbers")
def total(*values: int) -> int:
    """Add any number of numbers."""
    return sum(values)


@node(category="numbers")
def parity(value: int) -> int:
    """Give 0 or 1: often the same for another number."""
    return value % 2


@node(category="numbers")
def split(value: int) -> Parts:
    """Halve a number."""
    return Parts(value // 2, value % 2)


@node(category="numbers")
def scale(
    value: float,
    *,
    factor: Annotated[float, Field(ge=0, le=10), Slider(step=0.5)] = 1.0,
    steps: Annotated[int, Field(ge=1, le=1000, description="How often.")] = 20,
    exact: Annotated[bool, Wireable(False)] = False,
) -> float:
    """Multiply a number."""
    return value * factor


@node(category="numbers")
def shift(value: int, *, by: int = 1) -> list[int]:
    """Give a number and the next."""
    return [value, value + by]


@node(category="texts")
def word(*, text: str, style: Literal["plain", "loud"] = "plain") -> str:
    """Give a text."""
    return text.upper() if style == "loud" else text


@node(category="texts")
def join(*words: str, between: str = " ") -> str:
    """Join texts."""
    return between.join(words)


@node(category="places")
def point(x: int, *, y: int = 0) -> Point:
    """Make a point."""
    return Point(x, y)


@node(category="places")
def pixel(*, colour: str = "red") -> Pixel:
    """Make a pixel."""
    return Pixel(1, 2, colour)


@node(category="places")
def mirror(point: Point, other: Point | None = None) -> Point:
    """Swap a point's coordinates."""
    return Point(point.y, point.x)


def _rewrite(settings: dict[str, object]) -> dict[str, object]:
    return {**settings, "amount": int(str(settings.get("amount", 0))) * 10}


@node(
    category="numbers",
    version=3,
    migrations={
        1: Migration(settings={"much": "amount"}, inputs={"number": "value"}, outputs={"result": "grown"}),
        2: Migration(rewrite=_rewrite, outputs={"grown": "int"}),  # type: ignore[arg-type]
    },
)
def grow(value: int, *, amount: int = 0) -> int:
    """Add an amount, which was called `much` in version 1 and counted in tens before version 3."""
    return value + amount


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    return [
        add, even, grow, join, mirror, number, parity, pixel, point, quick, scale, shift, split, total, word,
    ]  # fmt: skip
