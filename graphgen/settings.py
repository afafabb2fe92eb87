"""Settings of one node, checked: what was typed in, with defaults filled in, and the canonical JSON of what is keyed.

Settings that are wired have no value yet; the rest is checked without them, and the whole when the node runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import BaseModel, ValidationError, create_model

from graphgen.errors import Problem
from graphgen.jsontypes import JSON, canonical
from graphgen.spec import NodeSpec
from graphgen.validation import problems_of


class CheckedSettings(NamedTuple):
    """Settings as the node will see them, or `sound=False` when a Problem was reported.

    `canonical` is the JSON of those that are part of its key.
    """

    values: Mapping[str, JSON]
    canonical: str
    sound: bool = True


def read_settings(
    spec: NodeSpec, given: Mapping[str, JSON], wired: frozenset[str], name: str, problems: list[Problem]
) -> CheckedSettings:
    """Check what was typed in against the node's settings, those that are wired left out."""
    model = _without(spec.model, wired) if wired else spec.model
    unwired = {key: value for key, value in given.items() if key not in wired} if wired else given
    try:
        return _validated(model, unwired, spec.keyless) if unwired else _defaults(model, spec.keyless)
    except ValidationError as error:
        known = tuple(item.name for item in spec.settings)
        found = problems_of(error, name, known=lambda _: known)
        problems.extend(_about_setting(problem, spec) for problem in found)
        return CheckedSettings({}, "", sound=False)


def _validated(model: type[BaseModel], given: Mapping[str, JSON], keyless: frozenset[str]) -> CheckedSettings:
    values = vars(model.model_validate(given))  # settings are JSON as they are: @node sees to that
    keyed = {name: value for name, value in values.items() if name not in keyless} if keyless else values
    return CheckedSettings(values, canonical(keyed))


@lru_cache(maxsize=1024)
def _defaults(model: type[BaseModel], keyless: frozenset[str]) -> CheckedSettings:
    """Return the settings of all nodes that were given none."""
    return _validated(model, {}, keyless)


def _about_setting(problem: Problem, spec: NodeSpec) -> Problem:
    """Say of an unknown key what it is to this node."""
    key = problem.place.rpartition(".")[2]
    if problem.code != "unknown_key":
        return problem
    if spec.input(key):
        message, cure = f"{spec.id} takes '{key}' from a wire", 'write "node.output" under "inputs"'
        return Problem("input_as_setting", problem.place, message, cure=cure, parts={"type": spec.id, "name": key})
    parts = {"type": spec.id, "name": key}
    return replace(problem, code="unknown_setting", message=f"{spec.id} has no setting '{key}'", parts=parts)


def complete_settings(spec: NodeSpec, given: Mapping[str, object]) -> dict[str, object]:
    """Check all settings of a node that is about to run, the wired ones included, and return them as it wants them.

    Raises:
        ValidationError: a wired value is not allowed.
    """
    model = spec.model.model_validate(dict(given))
    return {item.name: getattr(model, item.name) for item in spec.settings}


@lru_cache(maxsize=1024)
def _without(model: type[BaseModel], wired: frozenset[str]) -> type[BaseModel]:
    """Return a model without the settings that are wired."""
    kept: dict[str, Any] = {
        name: (info.annotation, info) for name, info in model.model_fields.items() if name not in wired
    }
    made: type[BaseModel] = create_model(model.__name__, __config__=model.model_config, **kept)
    return made
