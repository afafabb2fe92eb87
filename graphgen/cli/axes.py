"""The values that a sweep goes through, as typed: `--sweep seed=1..4 --sweep sampler=euler,heun`.

In: texts, each a parameter's name and values. Out: a list of values for each parameter. The values are numbers, words
or file names between commas, whole numbers from one to another, a JSON list, or the lines of a file. A parameter that
is free text takes its value whole, since prompts have commas in them; the option is repeated for more of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from graphgen.cli.call import CallError
from graphgen.errors import Problem
from graphgen.jsontypes import JSON
from graphgen.parameters import ParameterInfo, describe_parameters, read_value, unknown_parameters
from graphgen.registry import Registry
from graphgen.sweep import MOST
from graphgen.workflow import Workflow

OPTION = "--sweep"
_RANGE = re.compile(r"\s*(-?\d{1,18})\.\.(-?\d{1,18})(?:\.\.(\d{1,18}))?\s*")


@dataclass
class Axes:
    """The values of each parameter, what is wrong with them, and the texts that a person typed as they are."""

    values: dict[str, list[JSON]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    typed: list[str] = field(default_factory=list)

    @property
    def sound(self) -> dict[str, list[JSON]]:
        """The values of the parameters that nothing is wrong with."""
        wrong = {problem.place for problem in self.problems}
        return {name: values for name, values in self.values.items() if name not in wrong}


def split_axes(texts: Sequence[str]) -> list[tuple[str, str]]:
    """Split `name=values` texts.

    Raises:
        CallError: one has no `=`, or nothing behind it.
    """
    found: list[tuple[str, str]] = []
    for text in texts:
        name, _, values = text.partition("=")
        if not values or not name:
            raise CallError(f"{OPTION} {text}: write it as name=values, for example {OPTION} seed=1,2,3")
        found.append((name.strip(), values))
    return found


def read_axes(pairs: Sequence[tuple[str, str]], workflow: Workflow, registry: Registry) -> Axes:
    """Read the values of each parameter; what is told twice of one is put together."""
    known = {info.name: info for info in describe_parameters(workflow, registry)}
    axes = Axes(problems=unknown_parameters(workflow, dict.fromkeys(name for name, _ in pairs)))
    for name, text in pairs:
        values = axes.values.setdefault(name, [])
        for value in _values_in(name, text, known.get(name), axes.typed):
            if isinstance(value, Problem):
                axes.problems.append(value)
            else:
                values.append(value)
    axes.problems = list({str(problem): problem for problem in axes.problems}.values())
    return axes


def _values_in(name: str, text: str, info: ParameterInfo | None, typed: list[str]) -> Iterator[JSON | Problem]:
    kind = info.type if info else "str"
    if text.startswith("@"):
        yield from _lines_of(name, text[1:], kind)
    elif (listed := _json_list(text)) is not None:
        typed += [value for value in listed if isinstance(value, str)]
        yield from listed
    elif info is None or (kind == "str" and not _is_short(info.schema)):
        typed.append(text)
        yield text
    else:
        for part in text.split(","):
            if kind in ("int", "float") and (found := _RANGE.fullmatch(part)):
                yield from _range(name, found)
            else:
                typed.append(part)
                yield read_value(name, kind, part.strip(), OPTION)


def _is_short(schema: Mapping[str, JSON]) -> bool:
    """Tell whether a text is one of a few words, a colour or the name of a file: then commas part several."""
    kinds = schema.get("anyOf", ())
    choices = [schema, *(kind for kind in kinds if isinstance(kind, Mapping))] if isinstance(kinds, list) else [schema]
    widget = schema.get("widget")
    shown = widget.get("kind") if isinstance(widget, Mapping) else None
    return any("enum" in kind for kind in choices) or shown in ("file", "mask", "color")


def _json_list(text: str) -> list[JSON] | None:
    if not text.startswith("["):
        return None
    try:
        found: JSON = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _range(name: str, found: re.Match[str]) -> Iterator[JSON | Problem]:
    first, last, step = int(found[1]), int(found[2]), int(found[3] or 1)
    if step == 0 or first > last:
        cure = f"write {OPTION} {name}=1..4, or 0..100..25 for every 25th"
        yield Problem("bad_value", name, f"the range {found[0].strip()} has no values", found[0], cure=cure)
    elif (last - first) // step >= MOST:
        message, allowed = f"the range {found[0].strip()} has too many values", f"up to {MOST:,}"
        yield Problem("bad_value", name, message, found[0], allowed, "write a shorter one")
    else:
        yield from range(first, last + 1, step)


def _lines_of(name: str, file: str, kind: str) -> Iterator[JSON | Problem]:
    """Yield a value for each line of a file that is not empty."""
    try:
        lines = Path(file).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, ValueError) as error:
        cure = f"write {OPTION} {name}=@FILE with a text file of a value a line"
        yield Problem("unreadable", name, f"cannot read '{file}': {error}", file, cure=cure)
        return
    for line in lines:
        if line.strip():
            yield read_value(name, kind, line.strip(), OPTION)
