"""Weights in float8 with scales beside them: what is computed with is what they stand for, in every way of loading."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import shared_tiny
from torch import Tensor

from graphgen import Place
from graphgen_nodes.checkpoints import CheckpointError, open_checkpoint
from graphgen_nodes.families import family
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.weights import StoredWeights

SPELLINGS = {"old": ("scale_weight", "scale_input"), "new": ("weight_scale", "input_scale")}
FP8 = torch.float8_e4m3fn


def quantised(tensors: dict[str, Tensor], spelling: str, *, rows: bool = False) -> tuple[dict[str, Tensor], ...]:
    """Return tensors with all matrices in float8 beside their scales, and what those stand for."""
    weight, given = SPELLINGS[spelling]
    stored: dict[str, Tensor] = {}
    meant: dict[str, Tensor] = {}
    for name, value in tensors.items():
        stored[name] = meant[name] = value
        if value.ndim == 2 and name.endswith(".weight") and "embed" not in name and "shared" not in name:
            owner = name.removesuffix(".weight")
            scale = value.abs().amax(dim=1) / 448 if rows else value.abs().max() / 448
            stored[name] = (value / (scale[:, None] if rows else scale)).to(FP8)
            meant[name] = stored[name].float() * (scale[:, None] if rows else scale)
            stored[f"{owner}.{weight}"] = scale
            stored[f"{owner}.{given}"] = torch.ones(())
    return stored, meant


def weights(path: Path) -> dict[str, Tensor]:
    handle = denoiser_handle(open_checkpoint(path))
    found: Any = ModelLoader().load(handle, Place("cpu", "float32"), lambda *_: None).module
    return dict(found.module.state_dict())


@pytest.mark.parametrize(("spelling", "rows"), [("old", False), ("new", False), ("new", True)])
def test_scales_are_multiplied_in(spelling: str, rows: bool, tmp_path: Path) -> None:
    """Flux's transformer: fused queries, keys and values, exchanged halves, and a marker beside all of it."""
    prefix = "model.diffusion_model."
    tensors = {name: value for name, value in load_file(shared_tiny("flux").file).items() if name.startswith(prefix)}
    stored, meant = quantised(tensors, spelling, rows=rows)
    stored[f"{prefix}scaled_fp8"] = torch.zeros(2, dtype=FP8)
    stored[f"{prefix}double_blocks.0.img_mod.lin.comfy_quant"] = torch.zeros(9, dtype=torch.uint8)
    save_file(stored, tmp_path / "scaled.safetensors")
    save_file(meant, tmp_path / "meant.safetensors")
    found, expected = (weights(tmp_path / f"{name}.safetensors") for name in ("scaled", "meant"))
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


def test_what_is_read_again_and_again_is_the_same(tmp_path: Path) -> None:
    """The stream reads each weight when it is to run; half precision is rounded once."""
    folder = shared_tiny("sd1").folder / "unet"
    stored, meant = quantised(load_file(folder / "diffusion_pytorch_model.safetensors"), "old")
    save_file(stored, tmp_path / "unet.safetensors")
    part = open_checkpoint(tmp_path / "unet.safetensors").parts["denoiser"]
    stream = StoredWeights(part, torch.device("cpu"), torch.bfloat16)
    for name, source in family("sd1").denoiser.architecture.sources(part).items():
        assert torch.equal(stream.read(source), meant[name].to(torch.bfloat16))


@pytest.mark.parametrize(
    ("scale", "dtype"), [(torch.ones(64, 4), FP8), (torch.ones(3), FP8), (torch.ones(()), torch.int8)]
)
def test_other_scales_are_refused(scale: Tensor, dtype: torch.dtype, tmp_path: Path) -> None:
    tensors = load_file(shared_tiny("flux").file)
    name = "model.diffusion_model.txt_in.weight"
    tensors[name] = tensors[name].to(dtype)
    tensors["model.diffusion_model.txt_in.weight_scale"] = scale
    save_file(tensors, tmp_path / "blocks.safetensors")
    with pytest.raises(CheckpointError, match=r"'txt_in\.weight_scale' of shape .* scales 'txt_in\.weight'"):
        denoiser_handle(open_checkpoint(tmp_path / "blocks.safetensors"))
