"""JSON as workflows want it: nothing repeated, nothing infinite, nothing half; every finding with its place.

In: text. Out: the document, or one WorkflowError with all findings. What Python's parser lets pass in silence is looked
for here: a key that stands twice in one object, NaN and infinities, half characters.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from math import isfinite

from graphgen.errors import Problem, WorkflowError
from graphgen.jsontypes import JSON

_may_hold_halves = re.compile(r"\\u[dD][89a-fA-F]").search
_holds_half = re.compile("[\ud800-\udfff]").search


def read_json(text: str) -> JSON:
    """Read a JSON document.

    Raises:
        WorkflowError: it is not JSON, or holds what JSON allows and nobody means.
    """
    reader = _Reader()
    try:
        document: JSON = json.loads(
            text, object_pairs_hook=reader.build, parse_constant=reader.read_float, parse_float=reader.read_float
        )
    except json.JSONDecodeError as error:
        place, message = f"line {error.lineno}, column {error.colno}", f"this is not JSON: {error.msg}"
        cure = "look at the commas and quotes just before it"
        if not text.lstrip().startswith("{"):
            cure = "a workflow is a JSON object that begins with {"
        raise WorkflowError([Problem("not_json", place, message, cure=cure)]) from error
    except RecursionError as error:
        raise WorkflowError([Problem("not_json", "", "the JSON is nested too deeply to be a workflow")]) from error
    except ValueError as error:  # a whole number of thousands of digits
        raise WorkflowError([Problem("not_json", "", f"the JSON cannot be read: {error}")]) from error
    if reader.suspicious or _may_hold_halves(text):
        problems = list(findings(document, reader.repeated))
        if problems:
            raise WorkflowError(problems)
    return document


def findings(
    document: object, repeated: Mapping[int, tuple[dict[str, JSON], list[str]]] | None = None
) -> Iterator[Problem]:
    """Yield what is wrong with a document's values; `repeated` has, by id, objects in which keys stood twice."""
    waiting: list[tuple[str, object]] = [("", document)]
    left = dict(repeated or {})
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, Mapping):
            if id(value) in left:
                yield from _repeated_keys(place, *left.pop(id(value)))
            waiting += reversed([(_join(place, str(key)), item) for key, item in value.items()])
        elif isinstance(value, list):
            waiting += reversed([(_join(place, str(index)), item) for index, item in enumerate(value)])
        elif isinstance(value, float) and not isfinite(value):
            name = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
            cure = "write an ordinary number, or the text in quotes"
            yield Problem("not_finite", place, f"{name} is not a JSON number", name, cure=cure)
        elif isinstance(value, str) and (found := _holds_half(value)):
            message = f"holds half a character (\\u{ord(found[0]):04x})"
            yield Problem(
                "half_character", place, message, cure="write the character itself, and save the file as UTF-8"
            )
    for made, keys in left.values():  # these stood under a key that stood again after them
        yield from _repeated_keys("", made, keys)


class _Reader:
    """The parser's hooks: builds the document as usual, and notes what needs a second look."""

    def __init__(self) -> None:
        self.suspicious = False
        self.repeated: dict[int, tuple[dict[str, JSON], list[str]]] = {}

    def build(self, pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        made = dict(pairs)
        if len(made) != len(pairs):
            self.suspicious = True
            self.repeated[id(made)] = made, [key for key, _ in pairs]  # holding it keeps its id its own
        return made

    def read_float(self, text: str) -> float:
        value = float(text)
        self.suspicious |= not isfinite(value)
        return value


def _repeated_keys(place: str, made: Mapping[str, JSON], keys: list[str]) -> Iterator[Problem]:
    others = ", ".join(f"'{key}'" for key in made if keys.count(key) == 1) if len(keys) < 50 else ""
    beside = f" (beside {others})" if others else ""
    for key, times in Counter(keys).items():
        if times > 1:
            message = f"the key '{key}' stands {times} times in one object{beside}"
            yield Problem("duplicate_key", _join(place, key), message, cure="keep one")


def _join(place: str, part: str) -> str:
    return f"{place}.{part}" if place else part
