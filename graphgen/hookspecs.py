"""Every hook a plugin may implement.

A plugin is a module (or object) named by an entry point of the group `graphgen`; the entry point's name is its pack.
Each hook is a function of that name marked `@hookimpl`. All are optional. docs/hooks.md has an example of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pluggy

from graphgen.codec import Buffer, BufferCodec
from graphgen.jsontypes import JSON
from graphgen.residency import Loader
from graphgen.widgets import RootName

# A hook's specification is its docstring: none has a body, and `empty-body` is ignored for those that promise a value.
hookspec = pluggy.HookspecMarker("graphgen")
hookimpl = pluggy.HookimplMarker("graphgen")


@dataclass(frozen=True, slots=True)
class Shipped:
    """A file or folder that comes with a plugin: `name` resolves to `path` as if it lay in the root."""

    root: RootName
    name: str
    path: Path


@dataclass(frozen=True, slots=True)
class FileFormat:
    """What can be done with a kind of file: it carries texts about itself (PNG text chunks, ...), or can be made small.

    `embed(data, texts)` returns the file with the texts put in; `read(data)` returns the texts a file carries, and
    raises ValueError for bytes that are not of this format; there are both or neither. `show(data)`, where there is
    one, returns what a file shows, as a value whose numbers go from 0 to 1, so that two files can be compared.
    `thumbnail(data, longest)`, where there is one, returns the media type and the bytes of a small picture of it, its
    longer side `longest` pixels at most; it raises ValueError for what it cannot read, or would not for its size.
    `convert(data, quality, opaque)`, where there is one, returns what a picture file of any kind shows as a file of
    this one, at a quality of 0 to 100 where that is a choice, laid on white if it is to be `opaque`; it raises
    ValueError as well. `holes(data)`, where there is one, returns a picture of this format that is white where a file
    is transparent and black elsewhere, or None where the file is opaque everywhere. None of these three may import
    torch.
    """

    suffix: str
    media_type: str
    embed: Callable[[bytes, Mapping[str, str]], bytes] | None = None
    read: Callable[[bytes], Mapping[str, str]] | None = None
    show: Callable[[bytes], object] | None = None
    thumbnail: Callable[[bytes, int], tuple[str, bytes]] | None = None
    convert: Callable[[bytes, int, bool], bytes] | None = None
    holes: Callable[[bytes], bytes | None] | None = None


Fields: TypeAlias = "Mapping[str, JSON | Buffer]"
"""A value's fields: arrays as buffers that are only to be read, all else as JSON."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """How values of a class show as pictures.

    `count(fields)` returns how many pictures a value has; `draw(fields, index, longest)` returns the media type and the
    bytes of one of them, its longer side `longest` pixels at most. Both get the value by its fields, so that nothing
    heavy has to be imported to look at it, and raise ValueError for what they cannot show.
    """

    shows: type
    count: Callable[[Fields], int]
    draw: Callable[[Fields, int, int], tuple[str, bytes]]


@dataclass(frozen=True, slots=True)
class Conversion:
    """A node of one input and one output that stands in by itself on wires whose ends do not fit.

    Where several could, the one of the lowest `cost` does. `lossy` says what is lost, as in "colour and transparency";
    whoever checks or runs the workflow is told. Nothing is lost if it is empty.
    """

    function: Callable[..., object]
    cost: int
    lossy: str = ""


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device that can run `device="gpu"` nodes: torch's name for it, and the number format networks run in."""

    name: str
    dtype: str

    @property
    def kind(self) -> str:
        """Return the device class, which enters cache keys: `cuda`, `mps`, `cpu`."""
        return self.name.partition(":")[0]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One line of `graphgen doctor`: a subject, what was found, and, where something is wrong, how to mend it."""

    subject: str
    finding: str
    cure: str | None = None


@hookspec
def register_nodes() -> Sequence[Callable[..., object]]:  # type: ignore[empty-body]
    """Return the functions marked `@node` that this pack contributes."""


@hookspec
def register_conversions() -> Sequence[Conversion]:  # type: ignore[empty-body]
    """Return conversions, which stand in on wires from a type to another; their functions become nodes as well."""


@hookspec
def register_subgraphs() -> Sequence[Path]:  # type: ignore[empty-body]
    """Return JSON files that each hold a subgraph, which becomes a node named as the file is."""


@hookspec
def register_translations() -> Sequence[Path]:  # type: ignore[empty-body]
    """Return JSON files of words for nodes, each named as its language is: `ko.json`, `pt-BR.json`."""


@hookspec
def register_types() -> Sequence[type]:  # type: ignore[empty-body]
    """Return frozen dataclasses that travel inside values; those in nodes' signatures are known already."""


@hookspec
def register_buffers() -> Sequence[BufferCodec]:  # type: ignore[empty-body]
    """Return codecs for array classes, such as tensors."""


@hookspec
def register_loaders() -> Sequence[Loader]:  # type: ignore[empty-body]
    """Return loaders, which turn handles into weights on a device."""


@hookspec
def register_shipped() -> Sequence[Shipped]:  # type: ignore[empty-body]
    """Return files and folders that come with this plugin, such as an embedded model."""


@hookspec
def register_formats() -> Sequence[FileFormat]:  # type: ignore[empty-body]
    """Return file formats that can carry the workflow that made them, or be made small."""


@hookspec
def register_renderers() -> Sequence[Renderer]:  # type: ignore[empty-body]
    """Return how values of this plugin's types show as pictures, so that an editor can show them on nodes."""


@hookspec
def find_devices() -> Sequence[DeviceInfo]:  # type: ignore[empty-body]
    """Return the accelerators of this machine, best first, without importing heavy libraries."""


@hookspec
def diagnose() -> Sequence[Diagnosis]:  # type: ignore[empty-body]
    """Return what `graphgen doctor` should say about this plugin: library versions, devices, what is wrong."""


@hookspec
def describe_model(path: Path) -> Mapping[str, JSON] | None:
    """Return what a file or folder of the models root is, read from its headers alone; None for what is none of yours.

    `parts` are the networks in it, by the words that nodes ask for (`File(parts=...)`), `family` what they are for. It
    must not import heavy libraries. An error it raises is told as the reason why nothing is known, unless another
    plugin knows.
    """


@hookspec
def convert_weights(source: Path, target: Path) -> str | None:
    """Convert a file of weights that no node reads into one that nodes read; return in words what the new one holds.

    None: the file is of no kind this plugin knows. For `graphgen convert`. Nothing may be written over, and nothing of
    what the file holds may run.
    """


@hookspec
def describe_environment() -> Mapping[str, str]:  # type: ignore[empty-body]
    """Return what this plugin's values depend on besides its own code: libraries' versions, ...; for run records.

    Asked for all plugins of a distribution together. It must not import heavy libraries.
    """


@hookspec
def measure_memory(device: str) -> Callable[[], int] | None:
    """Begin to measure a device's memory; return what tells the most bytes taken since, None for devices of others.

    Called before each task on a device. It must not import heavy libraries: what is not imported takes no memory.
    """
