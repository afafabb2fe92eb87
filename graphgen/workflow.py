"""The workflow file: JSON as people, editors and version control see it.

In: text, a file or a mapping. Out: a `Workflow`, checked for its own form only; whether its nodes exist and its wires
fit is `graph.py`'s business. `parse` reports everything that is wrong with the form at once.

    { "graphgen": 1, "name": "...", "description": "...", "requires": {"graphgen_nodes": ">=0.1"},
      "parameters": {"prompt": {"sets": ["positive.text"], "description": "What to draw"}},
      "outputs": {"picture": {"from": "decode.image"}},
      "nodes": {"positive": {"type": "text.encode", "version": 1, "inputs": {"encoder": "model.text_encoder"},
                             "settings": {"text": "a red apple"}}},
      "view": {} }
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, NoReturn, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from graphgen.errors import Problem, WorkflowError
from graphgen.jsontypes import JSON
from graphgen.validation import problems_of

FORMAT = 1
"""The version of the file format this graphgen writes."""

MIGRATIONS: Mapping[int, Callable[[dict[str, JSON]], dict[str, JSON]]] = {}
"""For each older format version, how a file of that version becomes one of the next."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\.[A-Za-z_][A-Za-z0-9_]*")


def _check_name(text: object) -> object:
    if isinstance(text, str) and _NAME.fullmatch(text):
        return text
    raise PydanticCustomError("bad_name", "a name is letters, digits, _ and -, beginning with a letter")


def _check_reference(text: object) -> object:
    if isinstance(text, str) and _REFERENCE.fullmatch(text):
        return text
    raise PydanticCustomError("bad_reference", "must name a node and one of its sockets, as in 'node.socket'")


def _check_wires(wires: object) -> object:
    if isinstance(wires, list):
        return [_check_reference(wire) for wire in wires]
    return _check_reference(wires)


Name: TypeAlias = Annotated[str, PlainValidator(_check_name)]
Reference: TypeAlias = Annotated[str, PlainValidator(_check_reference)]
Wires: TypeAlias = Annotated[str | list[str], PlainValidator(_check_wires)]
Mode: TypeAlias = Literal["mute", "bypass", "pin"]

_CONFIG = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, populate_by_name=True)


class Node(BaseModel):
    """One node of a workflow: its type, the wires that come in (`node.output`) and its settings."""

    model_config = _CONFIG
    type: str
    version: int | None = Field(default=None, ge=1)
    inputs: dict[str, Wires] = Field(default_factory=dict)
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    mode: Mode | None = None


class Parameter(BaseModel):
    """A part of a workflow's public face: the settings it sets, as `node.setting`."""

    model_config = _CONFIG
    sets: list[Reference] = Field(min_length=1)
    description: str = ""


class Output(BaseModel):
    """A value a workflow gives: which node's output it is, as `node.output`."""

    model_config = _CONFIG
    source: Reference = Field(alias="from")
    description: str = ""


class Workflow(BaseModel):
    """A whole workflow file."""

    model_config = _CONFIG
    graphgen: Literal[1] = 1
    name: str = ""
    description: str = ""
    requires: dict[str, str] = Field(default_factory=dict)
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    outputs: dict[Name, Output] = Field(default_factory=dict)
    nodes: dict[Name, Node]
    view: dict[str, JsonValue] = Field(default_factory=dict)

    def to_json(self) -> dict[str, JSON]:
        """Return the workflow as the JSON object that `parse` reads, empty parts left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"graphgen": FORMAT}

    def with_settings(self, values: Mapping[str, Mapping[str, JSON]]) -> Workflow:
        """Return a copy in which some nodes (by name) have some settings replaced."""
        nodes = dict(self.nodes)
        for name, settings in values.items():
            nodes[name] = nodes[name].model_copy(update={"settings": {**nodes[name].settings, **settings}})
        return self.model_copy(update={"nodes": nodes})


def read_workflow(path: Path) -> Workflow:
    """Read a workflow file.

    Raises:
        WorkflowError: the file cannot be read, or is not a workflow.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        cure = "name an existing workflow file"
        raise WorkflowError([Problem("unreadable", str(path), error.strerror or str(error), cure=cure)]) from error
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 text (byte {error.start})"
        raise WorkflowError([Problem("not_json", str(path), message, cure="save it as UTF-8")]) from error
    return parse(text)


def parse(text: str) -> Workflow:
    """Read a workflow from JSON text.

    Raises:
        WorkflowError: with everything that is wrong with its form.
    """
    repeated: list[Problem] = []
    try:
        document = json.loads(text, object_pairs_hook=_pairs(repeated), parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        place, message = f"line {error.lineno}, column {error.colno}", f"this is not JSON: {error.msg}"
        cure = "a workflow is a JSON object that begins with {"
        raise WorkflowError([Problem("not_json", place, message, cure=cure)]) from error
    except RecursionError as error:
        raise WorkflowError([Problem("not_json", "", "the JSON is nested too deeply to be a workflow")]) from error
    except _ConstantError as error:
        cure = "write an ordinary number, or the text in quotes"
        raise WorkflowError([Problem("not_finite", "", f"{error} is not a JSON number", cure=cure)]) from error
    if repeated:
        raise WorkflowError(repeated)
    return from_json(document)


def from_json(document: object) -> Workflow:
    """Make a workflow from parsed JSON, migrating older formats.

    Raises:
        WorkflowError: with everything that is wrong with its form.
    """
    if not isinstance(document, dict):
        found = type(document).__name__
        message = f"a workflow is a JSON object, this is a {found}"
        raise WorkflowError([Problem("not_a_workflow", "", message, cure='begin with {"graphgen": 1, "nodes": {...}}')])
    document = _migrate(document)
    try:
        return Workflow.model_validate(document)
    except ValidationError as error:
        raise WorkflowError(problems_of(error, known=_known_keys)) from error


def _migrate(document: dict[str, JSON]) -> dict[str, JSON]:
    version = document.get("graphgen")
    if version is None:
        cure = f'write "graphgen": {FORMAT} as the first line'
        raise WorkflowError([Problem("no_format", "graphgen", "the format version is missing", cure=cure)])
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        allowed = f"allowed: 1 to {FORMAT}"
        raise WorkflowError([Problem("bad_format", "graphgen", f"{version!r} is no format version", version, allowed)])
    if version > FORMAT:
        message = f"the file has format {version}, this graphgen reads up to {FORMAT}"
        raise WorkflowError([Problem("newer_format", "graphgen", message, version, cure="update graphgen")])
    while version < FORMAT:
        document = MIGRATIONS[version](document)
        version += 1
    return document


class _ConstantError(ValueError):
    """NaN or Infinity stood where JSON wants a number."""


def _refuse_constant(name: str) -> NoReturn:
    raise _ConstantError(name)


def _pairs(repeated: list[Problem]) -> Callable[[list[tuple[str, JSON]]], dict[str, JSON]]:
    """Return a hook that builds objects and notes keys that stand twice, which JSON parsers silently drop."""

    def build(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
        made = dict(pairs)
        if len(made) != len(pairs):
            repeated.extend(_repeated_keys([key for key, _ in pairs]))
        return made

    return build


def _repeated_keys(keys: Sequence[str]) -> list[Problem]:
    twice = dict.fromkeys(key for index, key in enumerate(keys) if key in keys[:index])
    others = ", ".join(f"'{key}'" for key in dict.fromkeys(keys) if key not in twice)
    beside = f" (beside {others})" if others else ""
    return [
        Problem("duplicate_key", key, f"the key '{key}' stands more than once in one object{beside}", cure="keep one")
        for key in twice
    ]


def _known_keys(place: tuple[int | str, ...]) -> Sequence[str]:
    """Return the keys that are allowed beside the one at `place`."""
    models: dict[str, type[BaseModel]] = {"nodes": Node, "parameters": Parameter, "outputs": Output}
    if len(place) == 1:
        return tuple(Workflow.model_fields)
    model = models.get(str(place[0]))
    return tuple(info.alias or name for name, info in model.model_fields.items()) if model else ()
