"""The workflow file: JSON as people, editors and version control see it.

In: text, a file or a mapping. Out: a `Workflow`, checked for its own form only; whether its nodes exist and its wires
fit is `graph.py`'s business. `parse` reports everything that is wrong with the form at once.

    { "graphgen": 1, "name": "...", "description": "...", "requires": {"graphgen_nodes": ">=0.1"},
      "parameters": {"prompt": {"sets": ["positive.text"], "description": "What to draw"}},
      "outputs": {"picture": {"from": "decode.image"}},
      "nodes": {"positive": {"type": "text.encode", "version": 1, "inputs": {"encoder": "model.text_encoder"},
                             "settings": {"text": "a red apple"}}},
      "subgraphs": {"smaller": {"inputs": {"image": {"type": "image"}}, "outputs": {"image": {"from": "half.image"}},
                                "nodes": {"half": {"type": "images.resize", "inputs": {"image": "inputs.image"}}}}},
      "view": {} }
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, JsonValue, PlainValidator, ValidationError
from pydantic_core import PydanticCustomError

from graphgen.errors import Problem, WorkflowError
from graphgen.jsontypes import JSON
from graphgen.strictjson import findings, read_json
from graphgen.types import parse_type
from graphgen.validation import problems_of

FORMAT = 1
"""The version of the file format this graphgen writes."""

MIGRATIONS: Mapping[int, Callable[[dict[str, JSON]], dict[str, JSON]]] = {}
"""For each older format version, how a file of that version becomes one of the next."""

LOOP = "loop."
"""What the names of a loop's own settings begin with, where a parameter sets them: `loop.times`, `loop.at_most`."""

_SEPARABLE = ("requires", "parameters", "outputs", "nodes")
"""The parts of a workflow that are checked member by member."""

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_DIGEST = re.compile(r"[0-9a-f]{40}")
_TARGET = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\.([A-Za-z_][A-Za-z0-9_]*|loop\.times|loop\.at_most)")
_REFERENCE = re.compile(r"[A-Za-z][A-Za-z0-9_-]*\.[A-Za-z_][A-Za-z0-9_]*")


def _check_name(text: object) -> object:
    if isinstance(text, str) and _NAME.fullmatch(text):
        return text
    raise PydanticCustomError("bad_name", "a name is letters, digits, _ and -, beginning with a letter")


def _check_reference(text: object) -> object:
    if isinstance(text, str) and _REFERENCE.fullmatch(text):
        return text
    raise PydanticCustomError("bad_reference", "must name a node and one of its sockets, as in 'node.socket'")


def _check_target(text: object) -> object:
    if isinstance(text, str) and _TARGET.fullmatch(text):
        return text
    raise PydanticCustomError(
        "bad_target", "must name a node and one of its settings, as in 'node.setting', or 'node.loop.times'"
    )


def _check_wires(wires: object) -> object:
    if isinstance(wires, list):
        return [_check_reference(wire) for wire in wires]
    return _check_reference(wires)


def _check_type(text: object) -> object:
    try:
        parse_type(text if isinstance(text, str) else "")
    except ValueError as error:
        raise PydanticCustomError("bad_type", "{why}", {"why": str(error)}) from error
    return text


def _check_digest(text: object) -> object:
    if isinstance(text, str) and _DIGEST.fullmatch(text):
        return text
    raise PydanticCustomError("bad_digest", "must be the digest of a value, 40 hexadecimal digits")


Name: TypeAlias = Annotated[str, PlainValidator(_check_name)]
Reference: TypeAlias = Annotated[str, PlainValidator(_check_reference)]
Target: TypeAlias = Annotated[str, PlainValidator(_check_target)]
Wires: TypeAlias = Annotated[str | list[str], PlainValidator(_check_wires)]
TypeName: TypeAlias = Annotated[str, PlainValidator(_check_type)]
Digest: TypeAlias = Annotated[str, PlainValidator(_check_digest)]
Mode: TypeAlias = Literal["mute", "bypass", "pin"]

_CONFIG = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class MapClause(BaseModel):
    """Run a node once for each item of the lists that are wired into the inputs `over`.

    `zip` goes through the lists side by side, `product` through all combinations. With `failures` "skip", items that
    fail are left out. `index` names an input that is given the item's number, from 0.
    """

    model_config = _CONFIG
    over: list[str] = Field(min_length=1)
    how: Literal["zip", "product"] = "zip"
    failures: Literal["stop", "skip"] = "stop"
    index: str | None = None


class LoopClause(BaseModel):
    """Run a node again and again: `times`, `while` one of its outputs is true, or once for each item of `over`.

    `carry` hands outputs to inputs of the next turn (`{"image": "image"}`: input, output). The outputs are those of the
    last turn; those named in `collect` become lists over all turns.
    """

    model_config = _CONFIG
    over: list[str] = Field(default_factory=list)
    carry: dict[str, str] = Field(default_factory=dict)
    times: int | None = Field(default=None, ge=0, le=1_000_000)
    go_on: str | None = Field(default=None, alias="while")
    at_most: int = Field(default=1000, ge=1, le=1_000_000)
    collect: list[str] = Field(default_factory=list)
    index: str | None = None


class Node(BaseModel):
    """One node of a workflow: its type, the wires that come in (`node.output`) and its settings.

    `pinned` are the digests of the values that stand in for its outputs while its mode is `pin`.
    """

    model_config = _CONFIG
    type: str = Field(min_length=1)
    version: int | None = Field(default=None, ge=1)
    inputs: dict[str, Wires] = Field(default_factory=dict)
    settings: dict[str, JsonValue] = Field(default_factory=dict)
    mode: Mode | None = None
    pinned: dict[str, Digest] = Field(default_factory=dict)
    map: MapClause | None = None
    loop: LoopClause | None = None

    @property
    def repeated(self) -> bool:
        """Tell whether the node is a zone."""
        return self.map is not None or self.loop is not None

    def with_settings(self, values: Mapping[str, JSON]) -> Node:
        """Return a copy in which some settings are replaced, `loop.times` among them.

        What a loop is given is looked at when the node is made a zone.
        """
        clause = {name.removeprefix(LOOP): value for name, value in values.items() if name.startswith(LOOP)}
        settings = {**self.settings, **{name: value for name, value in values.items() if not name.startswith(LOOP)}}
        loop = self.loop.model_copy(update=clause) if self.loop and clause else self.loop
        return self.model_copy(update={"settings": settings, "loop": loop})


class Parameter(BaseModel):
    """A part of a workflow's public face: the settings it sets, as `node.setting`, or a `node.loop.times`."""

    model_config = _CONFIG
    sets: list[Target] = Field(min_length=1)
    description: str = ""


class Output(BaseModel):
    """A value a workflow gives: which node's output it is, as `node.output`."""

    model_config = _CONFIG
    source: Reference = Field(alias="from")
    description: str = ""


class SubgraphInput(BaseModel):
    """A value that comes into a subgraph; its nodes wire it in as `inputs.<name>`."""

    model_config = _CONFIG
    type: TypeName
    description: str = ""
    many: bool = False


class Subgraph(BaseModel):
    """Nodes with a face of their own, to be used like one node: `"type": "subgraph.<name>"`."""

    model_config = _CONFIG
    version: int = Field(default=1, ge=1)
    description: str = ""
    inputs: dict[Name, SubgraphInput] = Field(default_factory=dict)
    parameters: dict[Name, Parameter] = Field(default_factory=dict)
    outputs: dict[Name, Output] = Field(min_length=1)
    nodes: dict[Name, Node] = Field(min_length=1)
    view: dict[str, JsonValue] = Field(default_factory=dict)


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
    subgraphs: dict[Name, Subgraph] = Field(default_factory=dict)
    view: dict[str, JsonValue] = Field(default_factory=dict)

    def to_json(self) -> dict[str, JSON]:
        """Return the workflow as the JSON object that `parse` reads, empty parts left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_defaults=True) | {"graphgen": FORMAT}

    def with_settings(self, values: Mapping[str, Mapping[str, JSON]]) -> Workflow:
        """Return a copy in which some nodes (by name) have some settings replaced."""
        nodes = dict(self.nodes)
        for name, settings in values.items():
            nodes[name] = nodes[name].with_settings(settings)
        return self.model_copy(update={"nodes": nodes})


class FormError(WorkflowError):
    """A workflow is not of the right form; `rest` is what is left of it without the wrong parts, if anything is.

    A node that is set aside keeps its name there and has no type, so that nobody calls wires from it lost.
    """

    def __init__(self, problems: Sequence[Problem], rest: Workflow | None) -> None:
        super().__init__(problems)
        self.rest = rest


def read_workflow(path: Path) -> Workflow:
    """Read a workflow file.

    Raises:
        WorkflowError: the file cannot be read, or is not a workflow.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
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
    return from_json(read_json(text))


def from_json(document: object) -> Workflow:
    """Make a workflow from parsed JSON, migrating older formats.

    Raises:
        WorkflowError: with everything that is wrong with its form; a FormError where the rest can be looked at.
    """
    if not isinstance(document, dict):
        found = type(document).__name__
        message = f"a workflow is a JSON object, this is a {found}"
        raise WorkflowError([Problem("not_a_workflow", "", message, cure='begin with {"graphgen": 1, "nodes": {...}}')])
    document = _migrate(document)
    try:
        return Workflow.model_validate(document)
    except ValidationError as error:
        problems = problems_of(error, known=_known_keys)
        not_finite = list(findings(document))  # these know their places better
        kept = [problem for problem in problems if problem.code != "bad_value_finite_number"]
        raise FormError(kept + not_finite, _rest(document, error)) from error


def _rest(document: Mapping[str, JSON], error: ValidationError) -> Workflow | None:
    """Set the parts of wrong form aside, and return what is left.

    Subgraphs may use each other; where one is wrong, they are set aside together, with the nodes that stand for them.
    """
    left = {key: dict(value) if isinstance(value, Mapping) else value for key, value in document.items()}
    aside: list[str] = []
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        part, *inside = (str(step) for step in detail["loc"])
        members = left.get(part)
        if not inside or not isinstance(members, dict) or part not in _SEPARABLE:
            left.pop(part, None)
            continue
        members.pop(inside[0], None)
        if part == "nodes" and inside[1:] != ["[key]"]:
            aside.append(inside[0])
    try:
        found = Workflow.model_validate(left)
    except ValidationError:
        return None
    if "subgraphs" in document and "subgraphs" not in left:
        aside += [name for name, node in found.nodes.items() if node.type.startswith("subgraph.")]
    nodes = {**found.nodes, **dict.fromkeys(aside, Node.model_construct(type=""))}
    return found.model_copy(update={"nodes": nodes})


def _migrate(document: dict[str, JSON]) -> dict[str, JSON]:
    version = document.get("graphgen")
    if version is None:
        cure = f'write "graphgen": {FORMAT} as the first line'
        raise WorkflowError([Problem("no_format", "graphgen", "the format version is missing", cure=cure)])
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        allowed = f"1 to {FORMAT}"
        raise WorkflowError([Problem("bad_format", "graphgen", f"{version!r} is no format version", version, allowed)])
    if version > FORMAT:
        message = f"the file has format {version}, this graphgen reads up to {FORMAT}"
        raise WorkflowError([Problem("newer_format", "graphgen", message, version, cure="update graphgen")])
    while version < FORMAT:
        document = MIGRATIONS[version](document)
        version += 1
    return document


def _known_keys(place: tuple[int | str, ...]) -> Sequence[str]:
    """Return the keys that are allowed beside the one at `place`."""
    model: type[BaseModel] | None = Workflow
    if place[0] == "subgraphs" and len(place) > 2:
        model, place = Subgraph, place[2:]
    if len(place) > 1:
        parts: dict[str, type[BaseModel]] = {"nodes": Node, "parameters": Parameter, "outputs": Output}
        model = (parts | {"inputs": SubgraphInput}).get(str(place[0]))
    if place[0] == "nodes" and len(place) > 3:
        model = MapClause if place[2] == "map" else LoopClause if place[2] == "loop" else None
    return tuple(info.alias or name for name, info in model.model_fields.items()) if model else ()
