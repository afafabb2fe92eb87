"""A workflow's parameters: setting them by name, and reading them from texts as a command line has them.

A parameter's type and limits are those of the settings it sets.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NoReturn

from graphgen.errors import Problem, WorkflowError, did_you_mean, one_of
from graphgen.faces import setting_behind
from graphgen.jsontypes import JSON
from graphgen.registry import Registry
from graphgen.resolve import setting_now
from graphgen.validation import VALUES, shown
from graphgen.workflow import LOOP, LoopClause, Node, Workflow

_EXAMPLES: Mapping[str, str] = {"int": "7", "float": "7.5", "bool": "true", "list": "[1, 2]"}


@dataclass(frozen=True, slots=True)
class ParameterInfo:
    """A parameter as a person sees it: its value as the workflow stands, and the JSON Schema of what it may be."""

    name: str
    description: str
    value: JSON
    schema: Mapping[str, JSON]
    type: str


def apply_parameters(workflow: Workflow, values: Mapping[str, JSON]) -> Workflow:
    """Return the workflow with its parameters set.

    Raises:
        WorkflowError: a name is no parameter of the workflow.
    """
    if problems := unknown_parameters(workflow, values):
        raise WorkflowError(problems)
    changes: dict[str, dict[str, JSON]] = {}
    for name, value in values.items():
        for target in workflow.parameters[name].sets:
            node, _, setting = target.partition(".")
            if node in workflow.nodes:  # a parameter that sets nothing is reported when the graph is checked
                changes.setdefault(node, {})[setting] = value
    return workflow.with_settings(changes)


def describe_parameters(workflow: Workflow, registry: Registry) -> list[ParameterInfo]:
    """Describe the workflow's parameters, those left out that set nothing."""
    found: list[ParameterInfo] = []
    for name, parameter in workflow.parameters.items():
        node, setting, given = setting_behind(parameter.sets[0], workflow, registry)
        if node and setting.startswith(LOOP):
            found += _about_loop(name, parameter.description, node, setting, given)
            continue
        spec = registry.nodes.get(node.type) if node else None
        now = setting_now(node, spec, setting) if node and spec else setting
        info = spec.setting(now) if spec else None
        if node is None or spec is None or info is None:
            continue
        properties = spec.settings_schema()["properties"]
        schema = properties[now] if isinstance(properties, Mapping) else {}
        assert isinstance(schema, Mapping)  # noqa: S101 - JSON Schema describes each property by an object
        value = given.get(setting, schema.get("default"))
        found.append(ParameterInfo(name, parameter.description, value, schema, info.type_text))
    return found


def _about_loop(
    name: str, description: str, node: Node, setting: str, given: Mapping[str, JSON]
) -> Iterator[ParameterInfo]:
    """Describe a parameter that sets how often a loop turns, if the node is one."""
    if node.loop is None:
        return
    key = setting.removeprefix(LOOP)
    schema = LoopClause.model_json_schema()["properties"][key]
    value = given.get(setting, getattr(node.loop, key))
    yield ParameterInfo(name, description, value, schema["anyOf"][0] if "anyOf" in schema else schema, "int")


def read_parameters(texts: Mapping[str, str], workflow: Workflow, registry: Registry) -> dict[str, JSON]:
    """Turn texts, as typed on a command line, into values: a text stays as it is where a text is wanted, else JSON.

    Raises:
        WorkflowError: a value is not JSON where one is needed, or a name is no parameter of the workflow.
    """
    kinds = {info.name: info.type for info in describe_parameters(workflow, registry)}
    values: dict[str, JSON] = {}
    problems = unknown_parameters(workflow, texts)
    for name, text in texts.items():
        read = read_value(name, kinds.get(name, "str"), text)
        if isinstance(read, Problem):
            problems.append(read)
        else:
            values[name] = read
    if problems:
        raise WorkflowError(problems)
    return values


def read_value(name: str, kind: str, text: str, option: str = "--set") -> JSON | Problem:
    """Turn a text into a value of a parameter of a kind, such as `int`, or say why it is none."""
    if kind == "str":
        return text
    try:
        value: JSON = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        kind = kind.partition("[")[0]
        message, cure = f"must be {VALUES[kind]} (got {shown(text)})", f"write {option} {name}={_EXAMPLES[kind]}"
        return Problem("bad_value", name, message, text, cure=cure)
    return value


def unknown_parameters(workflow: Workflow, names: Iterable[str]) -> list[Problem]:
    """Say of each name that is no parameter of the workflow which ones there are."""
    known, message = tuple(workflow.parameters), "the workflow has no such parameter"
    return [
        Problem("unknown_parameter", name, message, None, one_of(known), did_you_mean(name, known))
        for name in names
        if name not in workflow.parameters
    ]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
