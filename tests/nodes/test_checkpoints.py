"""Check that headers are read as the format says, damaged ones are refused, and checkpoints open as their parts."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import struct
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save_file

from graphgen import Facts, Known
from graphgen.jsontypes import JSON
from graphgen.node import spec_of
from graphgen_nodes.checkpoints import CheckpointError, identity, joint_identity, open_checkpoint, read_header
from graphgen_nodes.checkpoints.header import MAX_HEADER, MAX_TENSORS
from graphgen_nodes.checkpoints.identity import find_place, remember_place
from graphgen_nodes.checkpoints.keys import Rule, translate
from graphgen_nodes.packs import models

FLOATS = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def write(path: Path, header: object, data: bytes = b"\0" * 8, length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def test_header_of_a_real_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(2, 3), "none": torch.zeros(0, 4), "half": torch.ones(5).half()}, path, {"key": "value"})
    header = read_header(path)
    assert {name: (info.dtype, info.shape) for name, info in header.tensors.items()} == {
        "x": ("F32", (2, 3)),
        "none": ("F32", (0, 4)),
        "half": ("F16", (5,)),
    }
    assert header.metadata == {"key": "value"}
    assert header.size == path.stat().st_size


BAD_HEADERS: dict[str, tuple[object, bytes, str]] = {
    "not json": (b"{]", b"", "not JSON"),
    "not utf-8": (b'{"\xff": 1}', b"", "not JSON"),
    "deeply nested": (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", b"", "not JSON"),
    "not an object": ([1], b"", "not a JSON object"),
    "metadata": ({"__metadata__": {"a": 1}}, b"", "__metadata__ must map"),
    "no dtype": ({"x": {"shape": [2], "data_offsets": [0, 8]}}, b"\0" * 8, "must have dtype"),
    "a list for a type": ({"x": {**FLOATS, "dtype": []}}, b"\0" * 8, "type"),
    "many dimensions": ({"x": {**FLOATS, "shape": [1] * 65}}, b"\0" * 8, "at most 64 whole numbers"),
    "a number without end": (b'{"x": ' + b"9" * 5000 + b"}", b"", "not JSON"),
    "half a character": (b'{"\\ud800": {}}', b"", "not JSON"),
    "nothing inside something": (
        {"x": FLOATS, "y": {"dtype": "F32", "shape": [0], "data_offsets": [4, 4]}},
        b"\0" * 8,
        "overlaps",
    ),
    "unknown dtype": ({"x": {**FLOATS, "dtype": "Q9"}}, b"\0" * 8, "type 'Q9'"),
    "negative shape": ({"x": {**FLOATS, "shape": [-2]}}, b"\0" * 8, "whole numbers"),
    "truth as shape": ({"x": {**FLOATS, "shape": [True, 2]}}, b"\0" * 8, "whole numbers"),
    "offsets reversed": ({"x": {**FLOATS, "data_offsets": [8, 0]}}, b"\0" * 8, "begin first"),
    "one offset": ({"x": {**FLOATS, "data_offsets": [0]}}, b"\0" * 8, "begin first"),
    "wrong size": ({"x": {**FLOATS, "shape": [3]}}, b"\0" * 8, "takes 12"),
    "overflowing shape": ({"x": {**FLOATS, "shape": [2**62, 2**62]}}, b"\0" * 8, "takes"),
    "nothing claims bytes": ({"x": {**FLOATS, "shape": [0]}}, b"\0" * 8, "takes 0"),
    "overlap": ({"x": FLOATS, "y": FLOATS}, b"\0" * 8, "overlaps"),
    "partial overlap": ({"x": FLOATS, "y": {**FLOATS, "data_offsets": [4, 12]}}, b"\0" * 12, "overlaps"),
    "gap": ({"x": FLOATS, "y": {**FLOATS, "data_offsets": [12, 20]}}, b"\0" * 20, "gap"),
    "gap at the beginning": ({"x": {**FLOATS, "data_offsets": [4, 12]}}, b"\0" * 12, "gap"),
    "past the end": ({"x": {**FLOATS, "data_offsets": [0, 8]}}, b"\0" * 4, "truncated"),
    "bytes left over": ({"x": FLOATS}, b"\0" * 12, "4 bytes follow"),
    "same name twice": (b'{"x": 1, "x": 2}', b"", "names 'x' twice"),
}


@pytest.mark.parametrize("case", BAD_HEADERS)
def test_damaged_header(case: str, tmp_path: Path) -> None:
    header, data, message = BAD_HEADERS[case]
    with pytest.raises(CheckpointError, match=message):
        read_header(write(tmp_path / "bad.safetensors", header, data))


def test_too_many_tensors(tmp_path: Path) -> None:
    none = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = {f"{index}": none for index in range(MAX_TENSORS + 1)}
    with pytest.raises(CheckpointError, match="100001 tensors, and at most 100000"):
        read_header(write(tmp_path / "many.safetensors", header, b""))


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=4), st.lists(st.integers(), max_size=3)
)
ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.one_of(st.sampled_from(["F32", "F16", "U8", "Q9"]), ODD),
        "shape": st.one_of(st.lists(st.integers(0, 3), max_size=3), ODD),
        "data_offsets": st.one_of(st.tuples(st.integers(0, 16), st.integers(0, 16)), ODD),
        "more": ODD,
    },
)
SOUND = st.builds(
    lambda k, n: {"dtype": "U8", "shape": [n], "data_offsets": [k, k + n]}, st.integers(0, 8), st.integers(0, 8)
)
HEADERS = st.dictionaries(st.text(max_size=3), st.one_of(SOUND, ENTRIES, ODD), max_size=3)


@given(st.one_of(HEADERS.map(lambda header: json.dumps(header).encode()), st.binary(max_size=80)), st.integers(0, 16))
@settings(max_examples=300)
def test_whatever_a_header_says_is_read_as_safetensors_reads_it_or_refused(text: bytes, size: int) -> None:
    """What is accepted, the library accepts as well, with the same tensors; all else is one kind of error."""
    with TemporaryDirectory() as folder:
        path = write(Path(folder) / "any.safetensors", text, b"\0" * size)
        try:
            header = read_header(path)
        except CheckpointError:
            return
        with safe_open(path, framework="pt") as file:
            assert set(file.keys()) == set(header.tensors)
            for name, info in header.tensors.items():
                assert tuple(file.get_tensor(name).shape) == info.shape


@given(st.integers(0, 400), st.integers(0, 255), st.integers(0, 400))
@settings(max_examples=150)
def test_a_damaged_file_is_read_the_same_or_refused(place: int, byte: int, cut: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.safetensors"
        save_file({"x": torch.zeros(2, 3), "half": torch.ones(5).half()}, path, {"key": "value"})
        data = bytearray(path.read_bytes())
        data[place % len(data)] = byte
        path.write_bytes(data[: len(data) - cut] if cut < 40 else data)
        try:
            header = read_header(path)
        except CheckpointError:
            return
        with safe_open(path, framework="pt") as file:
            assert set(file.keys()) == set(header.tensors)


def test_lengths_that_lie(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=f"at most {MAX_HEADER} are"):
        read_header(write(tmp_path / "huge.safetensors", {}, length=2**63))
    with pytest.raises(CheckpointError, match="truncated"):
        read_header(write(tmp_path / "cut.safetensors", {}, length=1000))
    (tmp_path / "tiny.safetensors").write_bytes(b"abc")
    with pytest.raises(CheckpointError, match="too short"):
        read_header(tmp_path / "tiny.safetensors")
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_header(tmp_path / "absent.safetensors")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".bin", ".CKPT"])
def test_pickles_are_refused_unopened(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"model{suffix}"
    path.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(CheckpointError, match=r"runs code .*get the model's \.safetensors|runs code"):
        open_checkpoint(path)
    assert not (tmp_path / "sprung").exists()


def test_disguised_pickles_are_refused(tmp_path: Path) -> None:
    plain = tmp_path / "plain.safetensors"
    plain.write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    zipped = tmp_path / "zipped.safetensors"
    torch.save({"x": torch.zeros(2)}, zipped)
    for path in (plain, zipped):
        with pytest.raises(CheckpointError, match="holds a pickle under the name"):
            open_checkpoint(path)
    assert not (tmp_path / "sprung").exists()


def test_a_header_whose_length_looks_like_a_pickle_is_read(tmp_path: Path) -> None:
    """A length of 0x280 begins with the bytes of a pickle's protocol mark."""
    padding = 0x280 - len(json.dumps({"x": FLOATS}))
    header = json.dumps({"x": FLOATS}).encode() + b" " * padding
    assert list(read_header(write(tmp_path / "a.safetensors", header)).tensors) == ["x"]


def test_folder_with_pickled_weights(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "diffusion_pytorch_model.bin").write_bytes(pickle.dumps({}))
    with pytest.raises(CheckpointError, match="pickles"):
        open_checkpoint(tmp_path)


def test_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"neither model_index\.json nor config\.json"):
        open_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(CheckpointError, match="holds no weights"):
        open_checkpoint(tmp_path)
    with pytest.raises(CheckpointError, match="no such file or folder"):
        open_checkpoint(tmp_path / "absent")


def test_shards(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    save_file({"a": torch.zeros(1)}, tmp_path / "model-1.safetensors")
    save_file({"b": torch.zeros(2)}, tmp_path / "model-2.safetensors")
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}))
    (part,) = open_checkpoint(tmp_path).parts.values()
    assert dict(part.shapes) == {"a": (1,), "b": (2,)}
    assert part.places["b"] == (tmp_path / "model-2.safetensors", "b")

    index.write_text(json.dumps({"weight_map": {"a": "../outside.safetensors"}}))
    with pytest.raises(CheckpointError, match="must lie beside its index"):
        open_checkpoint(tmp_path)
    index.write_text(json.dumps({"weight_map": {"a": "absent.safetensors"}}))
    with pytest.raises(CheckpointError, match="is not there"):
        open_checkpoint(tmp_path)


def test_a_file_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"loris": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"holds none of the networks.*loris"):
        open_checkpoint(path)


def test_identity_follows_content(tmp_path: Path) -> None:
    one, two = tmp_path / "one.safetensors", tmp_path / "sub" / "two.safetensors"
    two.parent.mkdir()
    values = torch.arange(500_000, dtype=torch.float32)
    save_file({"x": values}, one)
    save_file({"x": values}, two)
    assert identity(one) == identity(two) == joint_identity([two])
    save_file({"x": values + 1}, two)
    assert identity(one) != identity(two)
    before = identity(one)
    save_file({"y": values}, one)
    assert identity(one) != before
    small = tmp_path / "small.json"
    small.write_text("1")
    was = identity(small)
    small.write_text("22")
    assert identity(small) != was


def test_moved_content_is_found(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    new.write_text("content")
    with pytest.raises(CheckpointError, match="no longer there"):
        find_place("digest of moved content", old)
    remember_place("digest of moved content", new)
    assert find_place("digest of moved content", old) == new


def test_translate_names() -> None:
    rules = [
        Rule("a", "x"),
        Rule("a.b", "y"),
        Rule("fused", ("q", "k")),
        Rule("junk", None),
        Rule("out", "o", swap=True),
    ]
    shapes = {"a.w": (1,), "a.b.w": (2,), "fused": (4, 3), "junk.w": (9,), "out": (6,)}
    found = translate(shapes, rules, "place")
    assert {name: (source.name, source.shape, source.piece, source.swap) for name, source in found.items()} == {
        "x.w": ("a.w", (1,), 0, False),
        "y.w": ("a.b.w", (2,), 0, False),
        "q": ("fused", (2, 3), 0, False),
        "k": ("fused", (2, 3), 1, False),
        "o": ("out", (6,), 0, True),
    }
    with pytest.raises(CheckpointError, match=r"place: holds tensors .*'stranger'"):
        translate({"stranger": (1,)}, rules, "place")
    with pytest.raises(CheckpointError, match="does not split into 2"):
        translate({"fused": (3, 3)}, rules, "place")
    with pytest.raises(CheckpointError, match="both mean 'x'"):
        translate({"a": (1,), "z": (1,)}, [*rules, Rule("z", "x")], "place")


def test_what_is_known_of_a_model_is_read_anew_when_its_files_change(tmp_path: Path) -> None:
    emoji = Path(str(models.__file__)).parents[1] / "models" / "emoji"
    shutil.copytree(emoji, tmp_path / "emoji")
    infer = spec_of(models.load).infer or pytest.fail("nothing is known of models")

    def known(precision: str = "auto") -> Facts:
        settings: dict[str, JSON] = {"path": "emoji", "prediction": "auto", "precision": precision}
        return infer(Known({}, {}, settings, lambda _, name: tmp_path / name))["denoiser"]

    first = known()
    assert known() == first
    assert (first["prediction"], first["precision"], known("float32")["precision"]) == ("flow", "auto", "float32")
    scheduler = tmp_path / "emoji" / "scheduler" / "scheduler_config.json"
    scheduler.write_text(scheduler.read_text().replace('"shift": 3.0', '"shift": 7.0'))
    assert known()["path"] != first["path"]
