"""GGUF files against the gguf package, which is ggml's own: its writer, its quantisation and what its blocks stand for.

All formats come out as the same bits.
"""

from __future__ import annotations

import random
import struct
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest
import torch
from gguf.quants import dequantize, quantize
from safetensors.torch import load_file, save_file
from tiny import shared_tiny
from torch import Tensor

from graphgen import Place
from graphgen_nodes.checkpoints import CheckpointError, open_checkpoint
from graphgen_nodes.checkpoints.gguf import FORMATS, read_gguf
from graphgen_nodes.families import family
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.quantised import BLOCK_BYTES, BLOCKS, GGUFTensors, dequantised
from graphgen_nodes.stored import StoredTensors

TYPES: Any = gguf.GGMLQuantizationType


def written(path: Path, tensors: dict[str, Any], **keys: Any) -> Path:
    """Write arrays, or pairs of bytes and their format, as the gguf package does."""
    writer = gguf.GGUFWriter(path, "flux")
    for name, value in keys.items():
        writer.add_array(name, value)
    for name, value in tensors.items():
        array, kind = value if isinstance(value, tuple) else (value, None)
        writer.add_tensor(name, array, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_sizes_of_blocks_are_ggml_s() -> None:
    for number, (name, block, size) in FORMATS.items():
        assert TYPES(number).name == name
        assert gguf.GGML_QUANT_SIZES[TYPES(number)] == (block, size)
    assert BLOCKS.keys() == BLOCK_BYTES.keys()


SCALES = {"Q2_K": (80, 82), "Q3_K": (108,), "Q6_K": (208,), "Q4_0": (0,), "Q5_0": (0,), "Q8_0": (0,)}
"""Where blocks have numbers in float16; by default in their first four bytes."""


def blocks_of(kind: str, count: int = 64) -> np.ndarray[Any, Any]:
    """Draw blocks of any bytes, but for the scales: float16 that are finite."""
    generator = np.random.default_rng(0)
    size = BLOCK_BYTES[kind]
    found = generator.integers(0, 256, (count, size), dtype=np.uint8)
    for place in SCALES.get(kind, (0, 2)):
        halves = generator.normal(size=(count, 1)).astype(np.float16)
        found[:, place : place + 2] = halves.view(np.uint8)
    return found


@pytest.mark.parametrize("kind", BLOCKS)
def test_blocks_stand_for_what_ggml_says(kind: str) -> None:
    blocks = blocks_of(kind)
    expected = dequantize(blocks, TYPES[kind]).reshape(-1)
    found = dequantised(torch.from_numpy(blocks).flatten(), kind)
    assert float(expected.std()) > 1
    np.testing.assert_array_equal(found.numpy(), expected)


def test_every_format_is_read_from_a_file_in_its_shape(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 512)).astype(np.float32)
    stored: dict[str, Any] = {kind: (blocks_of(kind, 6), TYPES[kind]) for kind in BLOCKS}
    stored |= {"F32": values, "F16": values.astype(np.float16), "BF16": (quantize(values, TYPES.BF16), TYPES.BF16)}
    path = written(tmp_path / "all.gguf", stored)
    opened = GGUFTensors(path, "cpu")
    for name, info in read_gguf(path).tensors.items():
        assert info.dtype == name
        array = stored[name][0] if isinstance(stored[name], tuple) else stored[name]
        found = opened.get_tensor(name)
        assert tuple(found.shape) == info.shape
        expected = torch.from_numpy(dequantize(array, TYPES[name]))
        assert torch.equal(found.float(), expected)
        assert found.dtype == {"F16": torch.float16, "BF16": torch.bfloat16}.get(name, torch.float32)


def weights(path: Path) -> dict[str, Tensor]:
    handle = denoiser_handle(open_checkpoint(path))
    found: Any = ModelLoader().load(handle, Place("cpu", "float32"), lambda *_: None).module
    return dict(found.module.state_dict())


def test_a_transformer_of_flux_is_what_its_numbers_stand_for(tmp_path: Path) -> None:
    """Matrices in Q8_0, the rest in float32, under the release's names: as city96's files are."""
    prefix = "model.diffusion_model."
    tensors = {name.removeprefix(prefix): value for name, value in load_file(shared_tiny("flux").file).items()
               if name.startswith(prefix)}  # fmt: skip
    stored, meant = {}, {}
    for name, value in tensors.items():
        array = value.numpy()
        if value.ndim == 2 and value.shape[1] % 32 == 0:
            quantised = quantize(array, TYPES.Q8_0)
            stored[name], meant[name] = (quantised, TYPES.Q8_0), torch.from_numpy(dequantize(quantised, TYPES.Q8_0))
        else:
            stored[name], meant[name] = array, value
    found = weights(written(tmp_path / "flux1-dev-Q8_0.gguf", stored))
    save_file({name: value.contiguous() for name, value in meant.items()}, tmp_path / "meant.safetensors")
    expected = weights(tmp_path / "meant.safetensors")
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())
    assert sum(isinstance(value, tuple) for value in stored.values()) > 10


def test_kernels_that_were_flattened_get_their_shape_back(tmp_path: Path) -> None:
    values = np.arange(64 * 9, dtype=np.float32)
    quantised = quantize(values.reshape(-1, 32), TYPES.Q8_0)
    path = written(
        tmp_path / "unet.gguf", {"conv": (quantised, TYPES.Q8_0)}, **{"comfy.gguf.orig_shape.conv": [8, 8, 3, 3]}
    )
    assert read_gguf(path).tensors["conv"].shape == (8, 8, 3, 3)
    found = GGUFTensors(path, "cpu").get_tensor("conv")
    assert torch.equal(found.flatten(), torch.from_numpy(dequantize(quantised, TYPES.Q8_0)).flatten())
    with pytest.raises(CheckpointError, match=r"orig_shape\.conv is \(8, 9\), but the tensor has 576 numbers"):
        read_gguf(
            written(tmp_path / "b.gguf", {"conv": (quantised, TYPES.Q8_0)}, **{"comfy.gguf.orig_shape.conv": [8, 9]})
        )


WORDS = {
    "shared": "token_embd",
    "encoder.final_layer_norm": "enc.output_norm",
    "encoder.block": "enc.blk",
    "layer.0.SelfAttention.relative_attention_bias": "attn_rel_b",
    "layer.0.SelfAttention.": "attn_",
    "layer.0.layer_norm": "attn_norm",
    "layer.1.layer_norm": "ffn_norm",
    "layer.1.DenseReluDense.wi_0": "ffn_gate",
    "layer.1.DenseReluDense.wi_1": "ffn_up",
    "layer.1.DenseReluDense.wo": "ffn_down",
}
"""What llama.cpp calls the parts of a T5 encoder."""


def test_a_t5_encoder_under_llama_cpp_s_names(tmp_path: Path) -> None:
    prefix = "text_encoders.t5xxl.transformer."
    tensors = {name: value for name, value in load_file(shared_tiny("flux").file).items() if name.startswith(prefix)}
    stored = {}
    for name, value in tensors.items():
        short = name.removeprefix(prefix)
        for word, other in WORDS.items():
            short = short.replace(word, other)
        if short != "encoder.embed_tokens.weight":
            stored[short] = value.numpy()
    part = open_checkpoint(written(tmp_path / "t5.gguf", stored)).parts["t5xxl"]
    slot = next(slot for slot in family("flux").texts if "t5xxl" in slot.kinds)
    assert family("flux").is_text(slot, part)
    sources = slot.architecture.sources(part)
    whole = open_checkpoint(shared_tiny("flux").file).parts["t5xxl"]
    expected = slot.architecture.sources(whole)
    assert sources.keys() == expected.keys()
    read, reference = StoredTensors(part), StoredTensors(whole)
    for name, source in sources.items():
        assert torch.equal(read.read(source)[0], reference.read(expected[name])[0])
    assert slot.architecture.configure(part, sources) == slot.architecture.configure(whole, expected)


# --- hostile files ----------------------------------------------------------------------------------------------------


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value)) + value.encode()


def header(tensors: int, keys: int, rest: bytes, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + rest


def tensor(name: str, sides: tuple[int, ...], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(sides)}QIQ", len(sides), *sides, kind, offset)


HOSTILE = {
    "short": (b"GGUF", "too short"),
    "other": (b"GGML" + bytes(40), "no GGUF file of version 2 or 3"),
    "old": (header(0, 0, b"", version=1), "no GGUF file of version 2 or 3"),
    "many": (header(1 << 60, 0, b""), "counts 1152921504606846976 of what may be at most"),
    "keys": (header(0, 1 << 40, b""), "of what may be at most"),
    "long": (header(0, 1, struct.pack("<Q", 1 << 62)), "goes on past byte"),
    "type": (header(0, 1, text("a") + struct.pack("<I", 77)), "unknown type 77"),
    "deep": (header(0, 1, text("a") + struct.pack("<IIQ", 9, 9, 1)), "array of the type 9"),
    "texts": (header(0, 1, text("a") + struct.pack("<IIQ", 9, 8, 1 << 61)), "more than 2000000 texts"),
    "wide": (header(0, 1, text("a") + struct.pack("<IIQ", 9, 12, 1 << 61)), "goes on past byte"),
    "latin": (header(0, 1, struct.pack("<Q", 1) + b"\xff"), "no text"),
    "twice": (header(0, 2, 2 * (text("a") + struct.pack("<IB", 0, 1))), "has the key 'a' twice"),
    "sides": (header(1, 0, tensor("w", (1, 1, 1, 1, 1), 0, 0)), "counts 5 of what may be at most 4"),
    "format": (header(1, 0, tensor("w", (32,), 99, 0)), "ggml's format 99"),
    "halves": (header(1, 0, tensor("w", (33,), 8, 0)), "no whole blocks of 32"),
    "past": (header(1, 0, tensor("w", (1 << 40,), 0, 0)), "the file is truncated"),
    "again": (header(2, 0, 2 * tensor("w", (1,), 0, 0)) + bytes(99), "names a tensor twice"),
    "over": (header(2, 0, tensor("a", (9,), 0, 0) + tensor("b", (9,), 0, 32)) + bytes(199), "overlaps 'a'"),
    "askew": (header(2, 0, tensor("a", (8,), 0, 0) + tensor("b", (1,), 0, 36)) + bytes(199), "is not aligned"),
    "align": (header(0, 1, text("general.alignment") + struct.pack("<II", 4, 0)), "general.alignment is 0"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_headers_are_refused(name: str, tmp_path: Path) -> None:
    content, said = HOSTILE[name]
    (tmp_path / "bad.gguf").write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        read_gguf(tmp_path / "bad.gguf")


def test_damaged_bytes_never_do_more_than_refuse_the_file(tmp_path: Path) -> None:
    tensors = {"a": np.ones((4, 32), np.float32), "b": np.ones(8, np.float16)}
    whole = written(tmp_path / "good.gguf", tensors).read_bytes()
    chance = random.Random(0)
    for round_ in range(300):
        content = bytearray(whole[: chance.randrange(len(whole))] if round_ % 3 == 0 else whole)
        for _ in range(chance.randrange(1, 4)):
            if content:
                content[chance.randrange(min(len(content), 260))] = chance.randrange(256)
        path = tmp_path / f"{round_}.gguf"
        path.write_bytes(content)
        try:
            found = read_gguf(path)
        except CheckpointError:
            continue
        for name in found.tensors:
            assert GGUFTensors(path, "cpu").get_tensor(name).shape == found.tensors[name].shape
