"""What a node is, as data: its sockets, settings and behaviour.

Out of `node.py`, which reads it from a function's signature. A `NodeSpec` serialises to JSON, so that a catalogue can
be read without importing the pack; its function and its settings model stay behind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import BaseModel

from graphgen.jsontypes import JSON
from graphgen.types import SocketType
from graphgen.widgets import RootName

Yields: TypeAlias = Literal["values", "items"]
Device: TypeAlias = Literal["cpu", "gpu"]
Facts: TypeAlias = Mapping[str, JSON]
"""What is known of a value before anything runs: family, channels, width, batch, ...; see docs/facts.md.

`value` is a constant itself; `note` is a sentence for whoever checks the workflow, said once and not carried on.
"""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a node before it runs: facts of its inputs, its settings, and where files lie.

    `inputs` holds one Facts for each wire (`many` for sockets that take several). `settings` lacks those that are
    wired to something not known yet. `path(root, name)` resolves a file or raises PathError.
    """

    inputs: Mapping[str, Facts]
    many: Mapping[str, Sequence[Facts]]
    settings: Mapping[str, JSON]
    path: Callable[[RootName, str], Path]


Infer: TypeAlias = Callable[[Known], Mapping[str, Facts]]
Fingerprint: TypeAlias = Callable[[Known], str]


@dataclass(frozen=True, slots=True)
class InputSpec:
    """A socket for a wire: its type, whether it must be wired, whether it takes any number of wires."""

    name: str
    type: SocketType
    description: str = ""
    many: bool = False
    lazy: bool = False
    """It is computed only when the node asks for it."""
    stream: bool = False
    """It is a list whose items the node takes one by one, so that it may start with the first."""

    @property
    def required(self) -> bool:
        """Tell whether a wire must come in."""
        return not self.many and not self.type.optional


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """A value typed in, or wired where `wireable`; its limits are in the node's settings schema."""

    name: str
    type: SocketType
    required: bool
    wireable: bool = True

    @property
    def type_text(self) -> str:
        """Write the type as listings do; that null is allowed shows in the default."""
        return str(self.type).removesuffix("?")


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """A value a node gives."""

    name: str
    type: SocketType
    description: str = ""


@dataclass(frozen=True)
class Migration:
    """How a saved node of one version becomes one of the next: names changed, settings rewritten.

    `settings`, `inputs` and `outputs` map old names to new ones; `rewrite` then may change the settings' values.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    rewrite: Callable[[dict[str, JSON]], dict[str, JSON]] | None = None


@dataclass(frozen=True)
class NodeSpec:
    """Everything the engine knows of a kind of node. `id` is `<pack>.<function>`, given when the pack registers it."""

    id: str
    title: str
    category: str
    description: str
    version: int
    device: Device
    cheap: bool
    pure: bool
    effect: bool
    asynchronous: bool
    inputs: tuple[InputSpec, ...]
    settings: tuple[SettingSpec, ...]
    outputs: tuple[OutputSpec, ...]
    model: type[BaseModel]
    function: Callable[..., object | Awaitable[object]]
    arguments: tuple[str, ...]
    context: str | None
    classes: tuple[type, ...]
    blocks: bool = False
    """Whether its annotation says that an output may be blocked, by itself or in a graph that it returns."""
    infer: Infer | None = None
    fingerprint: Fingerprint | None = None
    migrations: Mapping[int, Migration] = field(default_factory=dict)
    yields: Yields | None = None
    """What a generator node yields: better and better values of its outputs, or the items of its list."""
    source: str | None = None
    """Digest of the pack's source while it is installed editable; part of the keys."""
    keyless: frozenset[str] = frozenset()
    """Sockets and settings that change nothing of what comes out, and so are no part of the keys."""
    aliases: tuple[str, ...] = ()
    """Other names that people look for it by, such as those of other programs."""

    def input(self, name: str) -> InputSpec | None:
        """Return an input by its name."""
        return self._inputs.get(name)

    def setting(self, name: str) -> SettingSpec | None:
        """Return a setting by its name."""
        return self._settings.get(name)

    def output(self, name: str) -> OutputSpec | None:
        """Return an output by its name."""
        return self._outputs.get(name)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The inputs into which a wire must come."""
        return tuple(item.name for item in self.inputs if item.required)

    @cached_property
    def lazy(self) -> frozenset[str]:
        """The inputs that are computed only when the node asks for them."""
        return frozenset(item.name for item in self.inputs if item.lazy)

    @cached_property
    def _inputs(self) -> Mapping[str, InputSpec]:
        return {item.name: item for item in self.inputs}

    @cached_property
    def _settings(self) -> Mapping[str, SettingSpec]:
        return {item.name: item for item in self.settings}

    @cached_property
    def _outputs(self) -> Mapping[str, OutputSpec]:
        return {item.name: item for item in self.outputs}

    def settings_schema(self) -> dict[str, JSON]:
        """Return the JSON Schema of the settings, widgets included, each titled as people read its name."""
        schema = self.model.model_json_schema()
        for name, setting in schema.get("properties", {}).items():
            setting["title"] = label_of(name)
        return schema

    def to_json(self) -> dict[str, JSON]:
        """Return the node as one entry of a catalogue."""
        return {
            "id": self.id,
            "title": self.title,
            "category": self.category,
            "description": self.description,
            "aliases": list(self.aliases),
            "version": self.version,
            "device": self.device,
            "cheap": self.cheap,
            "pure": self.pure,
            "effect": self.effect,
            "yields": self.yields,
            "inputs": [
                _socket_json(item) | {"required": item.required, "many": item.many, "stream": item.stream}
                for item in self.inputs
            ],
            "settings": self.settings_schema(),
            "wireable": [item.name for item in self.settings if item.wireable],
            "outputs": [_socket_json(item) for item in self.outputs],
        }


def label_of(name: str) -> str:
    """Return a name as people read it: `text_encoder` is `Text encoder`."""
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]


def _socket_json(socket: InputSpec | OutputSpec) -> dict[str, JSON]:
    return {
        "name": socket.name,
        "title": label_of(socket.name),
        "type": str(socket.type),
        "description": socket.description,
    }
