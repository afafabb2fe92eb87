"""A workflow's own parameters, as `graphgen run FILE --help` and the head of a run show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphgen.cli.screen import Screen, cut, style
from graphgen.cli.words import limits, value_text
from graphgen.parameters import ParameterInfo

_LONGEST = 48


def show_parameters(screen: Screen, parameters: Sequence[ParameterInfo]) -> None:
    """Show what each parameter takes, its default and its meaning."""
    if not parameters:
        screen.line("This workflow has no parameters.")
        return
    screen.line(style("Parameters", "bold") + ", each set by --set name=value:")
    heading = ("name", "takes", "default", "")
    rows = [(info.name, takes(info), _value(info), info.description) for info in parameters]
    screen.rows([heading], ["dim"] * 4) if not rows else screen.rows([heading, *rows], ["cyan"])


def show_values(screen: Screen, parameters: Sequence[ParameterInfo], swept: Mapping[str, str]) -> None:
    """Show the value of each parameter, or the text that says which values it goes through."""
    screen.rows([(info.name, swept.get(info.name) or _value(info)) for info in parameters], ["dim"])


def takes(info: ParameterInfo) -> str:
    """Say what a parameter takes: `int, 1 … 100`, `euler or heun`, `str`."""
    allowed = limits(info.schema)
    if "enum" in info.schema or "const" in info.schema or allowed.startswith("a file"):
        return allowed
    return f"{info.type}, {allowed}" if allowed else info.type


def _value(info: ParameterInfo) -> str:
    return cut(value_text(info.value), _LONGEST)
