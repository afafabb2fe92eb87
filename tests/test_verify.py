"""Running a made file again: what differs is named, with its cause."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from cli_kit import Terminal
from engine_kit import config
from packs import probe
from PIL import Image

from graphgen import Buffer, BufferCodec, Context, Distance, Files, Known, Loaded, Loader, OutputFile, Place, node
from graphgen import hookimpl as hook
from graphgen.codec import ValueCodec
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON, digest
from graphgen.plugins import Plugin
from graphgen.provenance import RECORD_KEY
from graphgen.record import read_run_record
from graphgen.registry import Registry, build_registry
from graphgen.types import TypeTable
from graphgen.verify import Verdict, psnr, read_record_of, verify
from graphgen_nodes.imaging import png

NOTE = probe.register_formats()[0]


@dataclass(frozen=True)
class Words:
    """A handle to weights that are a text file: its path, and the first word as its identity."""

    path: str
    first: str


@dataclass(frozen=True)
class Grid:
    """A picture of bytes."""

    data: object


class Bytes(bytearray):
    """An array class."""


def _content(known: Known) -> str:
    return digest(known.path("models", str(known.settings["path"])).read_bytes()[:4])


@node(category="test", fingerprint=_content)
def load(context: Context, *, path: str = "words.txt") -> Words:
    """Name the words of a file."""
    found = context.path("models", path)
    return Words(str(found), found.read_text()[:4])


@node(category="test", device="gpu")
def recite(context: Context, words: Words) -> str:
    """Say the words, in a device's precision."""
    with context.resource(words) as said:
        return f"{said} {context.dtype}"


@node(category="test", pure=False)
def tick() -> str:
    """Give something else each time."""
    probe.CLOCK[0] += 1
    return str(probe.CLOCK[0])


@node(category="test", effect=True)
def write(text: str) -> Files:
    """Write a note."""
    return Files((OutputFile("note", ".note", text.encode()),))


class WordLoader(Loader):
    """Reads a text file as weights."""

    handles = (Words,)

    def identity(self, handle: object) -> str:
        assert isinstance(handle, Words)
        return handle.path

    def files(self, handle: object) -> list[Path]:
        return [Path(self.identity(handle))]

    def load(self, handle: object, place: Place, report: Callable[[int, int], None]) -> Loaded:
        report(0, len(place.dtype))
        return Loaded(Path(self.identity(handle)).read_text(), 1)


class Pack:
    """The nodes, with versions that tests change."""

    environment = {"parchment": "1"}  # noqa: RUF012 - a test's own

    @hook
    def register_nodes(self) -> list[Callable[..., object]]:
        return [load, recite, tick, write]

    @hook
    def register_loaders(self) -> list[Loader]:
        return [WordLoader()]

    @hook
    def register_formats(self) -> list[Any]:
        return [replace(NOTE, show=lambda data: Grid(Bytes(data[:8])))]

    @hook
    def register_types(self) -> list[type]:
        return [Grid]

    @hook
    def register_buffers(self) -> list[BufferCodec]:
        return [BufferCodec(f"{Bytes.__module__}.Bytes", _encode, lambda buffer: Bytes(buffer.data), None, _apart)]

    @hook
    def describe_environment(self) -> dict[str, str]:
        return self.environment


def _encode(value: object) -> Buffer:
    assert isinstance(value, Bytes)
    return Buffer("U8", (len(value),), value)


def _apart(one: Buffer, other: Buffer) -> Distance:
    apart = [abs(a - b) / 255 for a, b in zip(bytes(one.data), bytes(other.data), strict=True)]
    return Distance(max(apart), sum(item * item for item in apart) / len(apart))


def saying(text: str) -> Callable[[Context, Words], str]:
    def recite(context: Context, words: Words) -> str:
        return text

    return recite


RECITAL: dict[str, JSON] = {
    "graphgen": 1,
    "nodes": {
        "words": {"type": "poems.load"},
        "said": {"type": "poems.recite", "inputs": {"words": "words.words"}},
        "note": {"type": "poems.write", "inputs": {"text": "said.str"}},
    },
}


def registry(**changes: object) -> Registry:
    made = build_registry([Plugin("poems", Pack(), "graphgen-poems", "1.0")])
    assert not made.broken, made.broken
    nodes = {name: replace(spec, **changes) if name == "poems.recite" else spec for name, spec in made.nodes.items()}  # type: ignore[arg-type]
    return replace(made, nodes=nodes)


@contextmanager
def machine(
    folder: Path, *, use_cache: bool = False, installed: Registry | None = None, **more: object
) -> Iterator[Engine]:
    with Engine(config(folder, **more), installed or registry(), use_cache=use_cache) as made:
        yield made


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """A made file."""
    with machine(tmp_path, use_cache=True) as engine:
        (tmp_path / "models" / "words.txt").write_text("once upon a time")
        return Path(engine.run(RECITAL).files[0])


def verified(engine: Engine, path: Path, tolerance: float | None = None) -> Verdict:
    return verify(engine, path, engine.check(path), read_record_of(engine, path), tolerance=tolerance)


def first(verdict: Verdict) -> tuple[str, tuple[str, ...]]:
    assert not verdict.same
    return verdict.differing[0].node, verdict.differing[0].causes


def test_what_comes_out_as_then_is_the_same_and_nothing_is_written(note: Path, tmp_path: Path) -> None:
    before = sorted(path.name for path in tmp_path.rglob("*"))
    with machine(tmp_path) as engine:
        verdict = verified(engine, note)
    assert (verdict.same, verdict.compared, verdict.differing) == (True, 3, ())
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


def test_a_model_file_that_was_edited_is_named(note: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "words.txt").write_text("twice upon a time")
    with machine(tmp_path) as engine:
        assert first(verified(engine, note)) == ("words", ("the file it reads has changed",))


def test_so_is_one_whose_identity_a_sample_of_it_does_not_tell(note: Path, tmp_path: Path) -> None:
    (tmp_path / "models" / "words.txt").write_text("once under a time")
    with machine(tmp_path) as engine:
        assert first(verified(engine, note)) == ("said", ("the model file words.txt has changed",))


def test_another_precision_is_named(note: Path, tmp_path: Path) -> None:
    with machine(tmp_path, precision="bfloat16") as engine:
        verdict = verified(engine, note)
    assert first(verdict) == ("said", ("the device and precision: cpu/float32 -> cpu/bfloat16",))
    assert [item.node for item in verdict.differing] == ["said", "note"]


def test_other_versions_of_node_plugin_and_library_are_named(
    note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pack, "environment", {"parchment": "2"})
    newer = registry(version=2, function=saying("something else"))
    with machine(tmp_path, installed=newer) as engine:
        node, causes = first(verified(engine, note))
    assert (node, causes) == ("said", ("the node's version: 1 -> 2", "parchment: 1 -> 2"))


def test_other_versions_that_give_the_same_are_no_difference(
    note: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pack, "environment", {"parchment": "2"})
    with machine(tmp_path, installed=registry(version=2)) as engine:
        assert verified(engine, note).same


def test_a_node_that_gives_something_else_without_cause_has_none(note: Path, tmp_path: Path) -> None:
    with machine(tmp_path, installed=registry(function=saying("something else"))) as engine:
        assert first(verified(engine, note)) == ("said", ())


def test_files_that_show_nearly_the_same_are_within_a_tolerance(note: Path, tmp_path: Path) -> None:
    with machine(tmp_path, installed=registry(function=saying("oncf upon a time, later"))) as engine:
        near, far = verified(engine, note, tolerance=0.004), verified(engine, note, tolerance=0.003)
    assert near.same
    assert not far.same
    assert near.distance is not None
    assert near.distance.largest == 1 / 255
    assert near.distance.squared == pytest.approx(1 / 255**2 / 8)
    assert [item.node for item in near.differing] == ["said", "note"]


def test_a_file_that_was_changed_and_kept_its_record_is_found_out(note: Path, tmp_path: Path) -> None:
    data = note.read_bytes()
    with machine(tmp_path) as engine:
        note.write_bytes(b"n" + data[1:])
        changed, near = verified(engine, note), verified(engine, note, tolerance=0.004)
        note.write_bytes(probe.embed_texts(b"once", probe.read_texts(data)))
        reworded = verified(engine, note)
    assert (changed.same, changed.showing, changed.differing) == (False, False, ())
    assert changed.distance is not None
    assert changed.distance.largest == 1 / 255
    assert near.same
    assert (reworded.same, reworded.showing, reworded.differing) == (False, False, ())


def test_a_file_of_another_size_has_no_distance(note: Path, tmp_path: Path) -> None:
    texts = probe.read_texts(note.read_bytes())
    shorter = replace(registry(), formats={".note": replace(NOTE, show=lambda data: Grid(Bytes(data.split(b"\n")[0])))})
    note.write_bytes(probe.embed_texts(b"once", texts))
    with machine(tmp_path, installed=shorter) as engine:
        verdict = verified(engine, note, tolerance=1.0)
    assert (verdict.same, verdict.showing, verdict.distance) == (False, False, None)


def test_where_a_format_shows_nothing_values_alone_are_compared(note: Path, tmp_path: Path) -> None:
    with machine(tmp_path, installed=replace(registry(), formats={".note": NOTE})) as engine:
        verdict = verified(engine, note)
    assert (verdict.same, verdict.showing) == (True, None)


def test_a_file_whose_picture_is_damaged_cannot_be_told(note: Path, tmp_path: Path) -> None:
    def show(data: bytes) -> object:
        raise ValueError("half of it is missing")

    broken = replace(registry(), formats={".note": replace(NOTE, show=show)})
    with (
        machine(tmp_path, installed=broken) as engine,
        pytest.raises(WorkflowError, match="half of it is missing; take an undamaged copy of it"),
    ):
        verified(engine, note)


def test_a_node_that_fails_leaves_the_question_open(note: Path, tmp_path: Path) -> None:
    def fail(context: Context, words: Words) -> str:
        raise ValueError("no voice")

    with machine(tmp_path, installed=registry(function=fail)) as engine:
        verdict = verified(engine, note)
    assert (verdict.status, verdict.same) == ("failed", False)
    assert "no voice" in str(verdict.to_json()["failures"])


def test_a_missing_model_or_plugin_is_told_as_for_any_workflow(note: Path, tmp_path: Path) -> None:
    with machine(tmp_path) as engine:
        (tmp_path / "models" / "words.txt").unlink()
        with pytest.raises(WorkflowError, match=r"words\.txt"):
            verified(engine, note)
    with (
        machine(tmp_path, installed=replace(registry(), nodes={})) as engine,
        pytest.raises(WorkflowError, match="poems"),
    ):
        verified(engine, note)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (None, "no run record is in this file; make the picture again"),
        ("{", "make the picture again, or verify it with the version that made it"),
        ('{"record": 9}', "is of version 9"),
        ('{"record": 1, "graph": "", "targets": ["gone"], "environments": [], "nodes": {}}', "a node 'gone'"),
    ],
)
def test_a_file_without_a_record_that_can_be_used_says_so(
    note: Path, tmp_path: Path, record: str | None, words: str
) -> None:
    texts = {**probe.read_texts(note.read_bytes())}
    del texts[RECORD_KEY]
    note.write_bytes(probe.embed_texts(b"once", texts if record is None else {**texts, RECORD_KEY: record}))
    with machine(tmp_path) as engine, pytest.raises(WorkflowError, match=words):
        verified(engine, note)


def test_the_digest_of_a_model_file_is_remembered_until_it_changes(note: Path, tmp_path: Path) -> None:
    record = read_run_record(probe.read_texts(note.read_bytes())[RECORD_KEY])
    assert len(record.nodes["said"].files["words.txt"]) == 64
    note.unlink()
    with machine(tmp_path, use_cache=True) as engine:
        again = Path(engine.run(RECITAL).files[0])
    assert read_run_record(probe.read_texts(again.read_bytes())[RECORD_KEY]) == record


def test_only_values_made_alike_have_a_distance() -> None:
    codec = ValueCodec(TypeTable(), {c.classname: c for c in Pack().register_buffers()})
    one, other, longer = (codec.encode(Bytes(data)) for data in (b"a\0", b"a\xff", b"abc"))
    assert codec.distance(one, one) == Distance(0.0, 0.0)
    assert codec.distance(one, other) == Distance(1.0, 0.5)
    assert codec.distance(one, longer) is None
    assert codec.distance(one, codec.encode((1,))) is None
    mute = ValueCodec(TypeTable(), {name: replace(item, difference=None) for name, item in codec.buffers.items()})
    assert mute.distance(one, other) is None


def test_the_ratio_of_equal_pictures_is_infinite() -> None:
    assert psnr(Distance(0.0, 0.0)) == float("inf")
    assert psnr(Distance(1.0, 0.01)) == pytest.approx(20)


class TestTerminal:
    """`graphgen verify`, as people call it."""

    def test_a_workflow_is_no_made_file(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path)
        name = terminal.save({"graphgen": 1, "nodes": {"n": {"type": "toy.write"}}})
        answer = terminal.call("verify", name)
        assert (answer.code, answer.out) == (2, "")
        assert "no run record can be in a .json file; name a file that graphgen made" in answer.err
        assert "`graphgen run` runs a workflow" in answer.err

    def test_a_missing_damaged_or_foreign_file_is_told_as_such(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path, complete=True)
        answer = terminal.call("verify", "gone.png")
        assert (answer.code, answer.err.count("No such file or directory; name an existing file")) == (2, 1)
        Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
        answer = terminal.call("verify", "photo.png")
        assert "graphgen did not make it, or another program saved it without what it carried" in answer.err
        (tmp_path / "photo.png").write_bytes((tmp_path / "photo.png").read_bytes()[:-20])
        answer = terminal.call("verify", "photo.png")
        assert answer.code == 2
        assert "the PNG file is truncated" in answer.err
        assert "take an undamaged copy of it" in answer.err

    @pytest.mark.parametrize("tolerance", ["2", "-1", "much"])
    def test_a_tolerance_is_a_number_from_0_to_1(self, tmp_path: Path, tolerance: str) -> None:
        answer = Terminal(tmp_path).call("verify", "x.png", f"--tolerance={tolerance}")
        assert answer.code == 2
        assert "must be a number from 0 to 1" in answer.err

    def test_a_picture_is_the_same_again_and_one_with_other_pixels_is_not(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path, complete=True)
        nodes = {"flat": {"type": "images.solid"}, "save": {"type": "images.save", "inputs": {"image": "flat.image"}}}
        terminal.call("run", terminal.save({"graphgen": 1, "nodes": nodes}))
        (name,) = terminal.written
        answer = terminal.call("verify", f"outputs/{name}", "--tolerance", "0.004")
        assert (answer.code, answer.err) == (0, "")
        assert answer.out.splitlines()[-1] == "the same: 2 nodes gave what they gave then, and the picture shows it"
        other = altered(tmp_path / "outputs" / name, changed="0" * 40)
        (tmp_path / "outputs" / name).write_bytes(other)
        answer = terminal.call("verify", f"outputs/{name}")
        assert answer.code == 1
        assert "different: 'flat' (images.solid) is the first to give another image" in answer.out
        assert "nothing that the record names has changed" in answer.out
        (line,) = terminal.call("verify", f"outputs/{name}", "--json", "--tolerance", "0").lines
        assert (line["same"], line["first"], line["largest_difference"]) == (True, "flat", 0.0)

    def test_another_number_of_threads_is_named_with_what_sets_it(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path, complete=True)
        nodes = {"flat": {"type": "images.solid"}, "save": {"type": "images.save", "inputs": {"image": "flat.image"}}}
        terminal.call("run", terminal.save({"graphgen": 1, "nodes": nodes}), OMP_NUM_THREADS="1")
        picture = tmp_path / "outputs" / terminal.written[0]
        picture.write_bytes(altered(picture, changed="0" * 40))
        (line,) = terminal.call("verify", str(picture), "--json", OMP_NUM_THREADS="3").lines
        assert [item["causes"] for item in line["differing"]] == [["threads (OMP_NUM_THREADS): 1 -> 3"]]

    def test_other_pixels_under_the_old_record_are_found_out(self, tmp_path: Path) -> None:
        terminal = Terminal(tmp_path, complete=True)
        nodes = {"flat": {"type": "images.solid"}, "save": {"type": "images.save", "inputs": {"image": "flat.image"}}}
        terminal.call("run", terminal.save({"graphgen": 1, "nodes": nodes}))
        picture = tmp_path / "outputs" / terminal.written[0]
        data = picture.read_bytes()
        for colour, size, words in (
            ("#010101", None, "the pictures are at most "),
            ("black", (8, 8), "the picture is of another size than what the run gives now"),
        ):
            with Image.open(io.BytesIO(data)) as opened:
                Image.new("RGB", size or opened.size, colour).save(picture)
            picture.write_bytes(png.embed(picture.read_bytes(), png.read(data)))
            answer = terminal.call("verify", str(picture))
            assert (answer.code, answer.err) == (1, "")
            first, second = answer.out.splitlines()[-2:]
            assert first.startswith("different: 2 nodes gave what they gave then, but the picture was changed")
            assert second.startswith(words)


def altered(path: Path, changed: str) -> bytes:
    """Return a picture whose record tells of another value of its first node."""
    data = path.read_bytes()
    document = json.loads(png.read(data)[RECORD_KEY])
    document["nodes"]["flat"]["values"]["image"] = changed
    return png.embed(data, {RECORD_KEY: json.dumps(document)})
