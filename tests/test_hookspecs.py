"""Every hook, implemented by one small plugin, reaches the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphgen import (
    Buffer,
    BufferCodec,
    Context,
    Conversion,
    DeviceInfo,
    Diagnosis,
    FileFormat,
    Files,
    Loaded,
    Loader,
    OutputFile,
    Place,
    Renderer,
    Shipped,
    hookimpl,
    node,
)
from graphgen.cache import Cache
from graphgen.config import Config
from graphgen.crew import choose_devices
from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen.pictures import count_pictures, draw_picture, type_of
from graphgen.plugins import module_plugins
from graphgen.registry import Registry, build_registry


@dataclass(frozen=True)
class Words:
    """A handle to weights that are a text file."""

    name: str


@dataclass(frozen=True)
class Corner:
    """Something that travels inside a value only."""

    x: int


@dataclass(frozen=True)
class Shape:
    """A value that holds others."""

    corners: tuple[object, ...]
    samples: object


class Samples:
    """An array class the engine knows nothing of."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)


@node(category="test")
def shape() -> Shape:
    """Give a value with a corner and an array in it."""
    return Shape((Corner(3),), Samples(b"abc"))


@node(category="test", device="gpu")
def recite(context: Context, shape: Shape) -> str:
    """Use an array, a corner, and leased weights."""
    corner = shape.corners[0]
    assert isinstance(corner, Corner)
    assert isinstance(shape.samples, Samples)
    with context.resource(Words("poem")) as words:
        return f"{words} {corner.x} {shape.samples.data.decode()} on {context.device}"


@node(category="test", effect=True)
def write(text: str) -> Files:
    """Write a text file."""
    return Files((OutputFile("poem", ".poem", text.encode()),))


@node(category="test")
def outline(shape: Shape) -> str:
    """Write the first corner of a shape."""
    corner = shape.corners[0]
    assert isinstance(corner, Corner)
    return f"a shape from {corner.x}"


class WordLoader(Loader):
    """Reads a text file as weights."""

    handles = (Words,)

    def identity(self, handle: object) -> str:
        assert isinstance(handle, Words)
        return handle.name

    def load(self, handle: object, place: Place, report: Callable[[int, int], None]) -> Loaded:
        report(0, 1)
        return Loaded(f"the {self.identity(handle)} in {place.dtype}", 1)


def embed(data: bytes, texts: Mapping[str, str]) -> bytes:
    return data.partition(b"\n--\n")[0] + b"\n--\n" + "\n".join(f"{k}={v}" for k, v in texts.items()).encode()


def read(data: bytes) -> Mapping[str, str]:
    _, mark, tail = data.partition(b"\n--\n")
    if not mark:
        raise ValueError("no texts")
    return dict(line.split("=", 1) for line in tail.decode().splitlines())


class Plugin:
    """Implements every hook."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @hookimpl
    def register_nodes(self) -> list[Callable[..., object]]:
        return [shape, recite, write]

    @hookimpl
    def register_conversions(self) -> list[Conversion]:
        return [Conversion(outline, 3, lossy="all corners but one")]

    @hookimpl
    def register_types(self) -> list[type]:
        return [Corner]

    @hookimpl
    def register_buffers(self) -> list[BufferCodec]:
        def encode(value: object) -> Buffer:
            assert isinstance(value, Samples)
            return Buffer("U8", (len(value.data),), value.data)

        name = f"{Samples.__module__}.{Samples.__qualname__}"
        return [BufferCodec(name, encode, lambda buffer: Samples(bytes(buffer.data)))]

    @hookimpl
    def register_loaders(self) -> list[Loader]:
        return [WordLoader()]

    @hookimpl
    def register_shipped(self) -> list[Shipped]:
        return [Shipped("models", "verses", self.folder)]

    @hookimpl
    def register_formats(self) -> list[FileFormat]:
        return [FileFormat(".poem", "text/plain", embed, read)]

    @hookimpl
    def register_renderers(self) -> list[Renderer]:
        def count(fields: Mapping[str, object]) -> int:
            corners = fields["corners"]
            return len(corners["$tuple"]) if isinstance(corners, dict) else 0

        def draw(fields: Mapping[str, object], index: int, longest: int) -> tuple[str, bytes]:
            samples = fields["samples"]
            assert isinstance(samples, Buffer)
            return "image/poem", f"{bytes(samples.data).decode()} {index} {longest}".encode()

        return [Renderer(Shape, count, draw)]

    @hookimpl
    def find_devices(self) -> list[DeviceInfo]:
        return [DeviceInfo("abacus:0", "float16")]

    @hookimpl
    def measure_memory(self, device: str) -> Callable[[], int] | None:
        return (lambda: 70) if device == "abacus:0" else None

    @hookimpl
    def convert_weights(self, source: Path, target: Path) -> str | None:
        if source.suffix != ".prose":
            return None
        target.write_text(source.read_text() + " in verse")
        return "one verse"

    @hookimpl
    def describe_environment(self) -> Mapping[str, str]:
        return {"beads": "7.1"}

    @hookimpl
    def diagnose(self) -> list[Diagnosis]:
        return [Diagnosis("abacus", "two beads are missing", "add beads")]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    (tmp_path / "verses").mkdir()
    (tmp_path / "verses" / "one.txt").write_text("a verse")
    found = build_registry(module_plugins({"poems": Plugin(tmp_path / "verses")}))
    assert found.broken == ()
    return found


CHOSEN_BY_ITSELF = {"device": "auto", "precision": "auto"}

WORKFLOW: dict[str, JSON] = {
    "graphgen": 1,
    "nodes": {
        "shape": {"type": "poems.shape"},
        "recite": {"type": "poems.recite", "inputs": {"shape": "shape.shape"}},
        "write": {"type": "poems.write", "inputs": {"text": "recite.str"}},
    },
    "outputs": {"poem": {"from": "recite.str"}},
}


def test_nodes_types_arrays_and_weights_of_a_plugin_work_together(registry: Registry) -> None:
    with Engine(Config.load(CHOSEN_BY_ITSELF), registry) as engine:
        report = engine.run(WORKFLOW)
        assert report.failures == ()
        assert report.outputs["poem"] == "the poem in float16 3 abc on abacus:0"


def test_a_plugins_conversion_stands_in_on_a_wire(registry: Registry) -> None:
    nodes: dict[str, JSON] = {
        "shape": {"type": "poems.shape"},
        "write": {"type": "poems.write", "inputs": {"text": "shape.shape"}},
    }
    with Engine(registry=registry) as engine:
        assert "write/text:outline" in engine.check({"graphgen": 1, "nodes": nodes}).nodes


def test_files_of_a_plugins_format_carry_their_workflow(registry: Registry) -> None:
    with Engine(registry=registry) as engine:
        (path,) = engine.run(WORKFLOW).files
        assert set(engine.read(path).nodes) == {"shape", "recite", "write"}
        assert engine.run(path).ran == 0


def test_values_show_as_pictures_without_being_made(registry: Registry, tmp_path: Path) -> None:
    cache = Cache(registry.codec, tmp_path / "cache", 1 << 20, 1 << 20)
    one = Shape((Corner(3), Corner(4)), Samples(b"abc"))
    value, several = cache.wrap(one), cache.wrap([one, 7, Shape((Corner(5),), Samples(b"def"))])
    assert (count_pictures(value, registry), count_pictures(several, registry)) == (2, 3)
    assert draw_picture(value, registry, 1, 64) == ("image/poem", b"abc 1 64")
    assert draw_picture(several, registry, 2, 64) == ("image/poem", b"def 0 64")
    assert draw_picture(several, registry, 3, 64) is None
    assert [type_of(item) for item in (value, several, cache.wrap(7), cache.wrap(None))] == [
        "shape",
        "list",
        "int",
        "none",
    ]
    assert count_pictures(cache.wrap("words"), registry) == 0


def test_shipped_files_are_found_by_name(registry: Registry) -> None:
    with Engine(registry=registry) as engine:
        assert engine.path_of("models", "verses/one.txt").read_text() == "a verse"


def test_devices_and_diagnoses_are_heard(registry: Registry) -> None:
    assert choose_devices(Config.load(CHOSEN_BY_ITSELF), registry) == (DeviceInfo("abacus:0", "float16"),)
    assert choose_devices(Config.load({"device": "cpu"}), registry) == (DeviceInfo("cpu", "float32"),)
    assert [line.cure for line in registry.diagnose()] == ["add beads"]


def test_files_are_converted_by_the_plugin_that_knows_them(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "one.prose").write_text("a tale")
    assert registry.convert(tmp_path / "one.prose", tmp_path / "one.txt") == "one verse"
    assert (tmp_path / "one.txt").read_text() == "a tale in verse"
    assert registry.convert(tmp_path / "one.txt", tmp_path / "two.txt") is None


def test_what_a_plugin_computes_with_is_in_the_record(registry: Registry) -> None:
    with Engine(registry=registry) as engine:
        record = engine.run(WORKFLOW).record()
    assert record.made_with(record.nodes["recite"])["beads"] == "7.1"
