"""Constants as nodes: a number, a text or a choice that several settings share by wire."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Conversion, Facts, Known, TextArea, hookimpl, node
from graphgen_nodes.facts import from_settings


@node(category="values", cheap=True, infer=from_settings("float"), aliases=("Primitive", "Float"))
def number(*, value: Annotated[float, Field(description="The number.")] = 0.0) -> float:
    """Give a number."""
    return value


@node(category="values", cheap=True, infer=from_settings("int"), aliases=("Primitive", "Integer"))
def whole_number(*, value: Annotated[int, Field(description="The whole number.")] = 0) -> int:
    """Give a whole number."""
    return value


@node(category="values", cheap=True, infer=from_settings("str"), aliases=("Primitive", "String"))
def text(*, value: Annotated[str, TextArea(), Field(description="The text.")] = "") -> str:
    """Give a text."""
    return value


def _chosen(known: Known) -> dict[str, Facts]:
    options, index = known.settings.get("options"), known.settings.get("index")
    if not isinstance(options, list) or not isinstance(index, int):
        return {}
    return {"str": {"value": options[index % len(options)]}}


@node(category="values", title="Choice of texts", cheap=True, infer=_chosen)
def choice(
    *,
    options: Annotated[list[str], Field(min_length=1, description="The texts to choose from.")],
    index: Annotated[int, Field(ge=0, description="Which one, counted from 0; wraps around.")] = 0,
) -> str:
    """Give one of several texts."""
    return options[index % len(options)]


def _written(known: Known) -> dict[str, Facts]:
    value = known.inputs["number"].get("value")
    return {} if value is None else {"str": {"value": str(value)}}


@node(category="values", title="Number as text", cheap=True, infer=_written)
def as_text(number: float) -> str:
    """Write a number as a text: `7`, `0.5`."""
    return str(number)


@hookimpl
def register_conversions() -> list[Conversion]:
    """Contribute numbers where texts are taken."""
    return [Conversion(as_text, 1)]


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the constants."""
    return [number, whole_number, text, choice, as_text]
