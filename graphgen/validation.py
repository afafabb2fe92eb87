"""Pydantic's findings in graphgen's words: place, value, what is allowed, and the cure.

One vocabulary: types of sockets and settings are written `int`, `float`, `str`, `bool`, wherever they are named; a
sentence about a value says "a whole number", "a number", "a text", "true or false".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from json import dumps
from math import isfinite
from typing import TypeAlias, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from graphgen.errors import Problem, did_you_mean, one_of
from graphgen.jsontypes import JSON

Location: TypeAlias = tuple[int | str, ...]

VALUES: Mapping[str, str] = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "list": "a list",
}
"""What a value of a type is called in a sentence."""

_WORDS: Mapping[str, str] = {
    "greater_than_equal": "must be at least {ge}",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be at most {le}",
    "less_than": "must be less than {lt}",
    "multiple_of": "must be a multiple of {multiple_of}",
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing", "int_parsing_size"), f"must be {VALUES['int']}"),
    **dict.fromkeys(("float_type", "float_parsing"), f"must be {VALUES['float']}"),
    "finite_number": "must be a finite number",
    "string_type": f"must be {VALUES['str']}",
    "string_unicode": "must be a text without half characters",
    **dict.fromkeys(("bool_type", "bool_parsing"), f"must be {VALUES['bool']}"),
    "list_type": f"must be {VALUES['list']}",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "literal_error": "must be {expected}",
    "too_short": "must have {min_length} or more items",
    "too_long": "must have at most {max_length} items",
    "string_too_short": "must have {min_length} or more characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "none_required": "must be null",
    "invalid-json-value": "must be a value that JSON can hold",
    "recursion_loop": "holds itself, which JSON cannot",
}

_BUILT_IN = frozenset(get_args(ErrorType))


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
    parts = {name: _plain(value) for name, value in detail.get("ctx", {}).items()}
    parts["got"] = shown(detail["input"])
    return Problem(f"bad_value_{detail['type']}", where, phrase(detail), _plain(detail["input"]), parts=parts)


def phrase(detail: ErrorDetails) -> str:
    """Say what is wrong with one value: `must be at least 1 (got 0)`."""
    kind, context = detail["type"], detail.get("ctx", {})
    if words := _WORDS.get(kind):
        message = words.format(**context)
    elif kind in ("value_error", "assertion_error"):  # raised by a validator of a node's own
        message = str(context["error"]) or "is not allowed"
    else:  # what a validator says in its own words stays; pydantic's would speak of what nobody here knows
        message = "is not allowed" if kind in _BUILT_IN else detail["msg"]
    return f"{message} (got {shown(detail['input'])})"


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
