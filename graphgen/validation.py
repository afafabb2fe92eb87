"""Pydantic's findings in graphgen's words: place, value, what is allowed, and the cure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from json import dumps
from math import isfinite
from typing import TypeAlias

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from graphgen.errors import Problem, did_you_mean, one_of
from graphgen.jsontypes import JSON

Location: TypeAlias = tuple[int | str, ...]

_WORDS: Mapping[str, str] = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be a text",
    "bool_type": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "literal_error": "must be {expected}",
    "too_short": "must have {min_length} or more items",
    "too_long": "must have at most {max_length} items",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
}


def problems_of(
    error: ValidationError, place: str = "", *, known: Callable[[Location], Sequence[str]] = lambda _: ()
) -> list[Problem]:
    """Translate every finding into a Problem.

    Args:
        error: What pydantic found.
        place: What stands before each place, such as a node's name.
        known: The keys allowed beside an unknown one, for `did you mean`.
    """
    found = [_problem(detail, place, known) for detail in error.errors(include_url=False)]
    return list(dict.fromkeys(found))


def _problem(detail: ErrorDetails, place: str, known: Callable[[Location], Sequence[str]]) -> Problem:
    location = tuple(part for part in detail["loc"] if part != "[key]")
    where = ".".join([place, *map(str, location)] if place else map(str, location))
    if detail["type"] == "extra_forbidden":
        names = known(detail["loc"])
        cure = did_you_mean(str(location[-1]), names)
        return Problem("unknown_key", where, f"nothing is called '{location[-1]}' here", None, one_of(names), cure)
    if detail["type"] == "missing":
        return Problem("missing", where, "is missing", cure="write a value for it")
    words = _WORDS.get(detail["type"])
    message = words.format(**detail.get("ctx", {})) if words else detail["msg"][0].lower() + detail["msg"][1:]
    return Problem(
        f"bad_value_{detail['type']}", where, f"{message} (got {shown(detail['input'])})", _plain(detail["input"])
    )


def shown(value: object, most: int = 60) -> str:
    """Return a value as a person typed it, shortened."""
    try:
        text = dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def _plain(value: object) -> JSON:
    if isinstance(value, float) and not isfinite(value):
        return shown(value)  # problems are written as JSON, which has no NaN
    return value if isinstance(value, bool | int | float | str) else shown(value)
