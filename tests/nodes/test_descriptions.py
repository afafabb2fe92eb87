"""What files and folders are told to hold, from their headers alone, and what nodes ask of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny import make_pipeline, shared_tiny

from graphgen.node import spec_of
from graphgen_nodes import plugin
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.descriptions import WORDS, describe
from graphgen_nodes.packs import controlnet, image_encoder, ip_adapter, lora, models, text, upscalers
from nodes import ip_adapter_kit as kit

WHOLE = ["denoiser", "text_encoder", "vae"]


def saved(path: Path, **shapes: tuple[int, ...]) -> Path:
    """Save tensors of given shapes; underscores stand for dots but in the names of encoders."""
    named = {name if name.startswith("clip_") else name.replace("_", "."): shape for name, shape in shapes.items()}
    save_file({name: torch.zeros(shape) for name, shape in named.items()}, path)
    return path


@pytest.mark.parametrize(
    ("name", "parts", "family"),
    [
        ("sd1", WHOLE, "sd1"),
        ("sd1.safetensors", WHOLE, "sd1"),
        ("sd1/unet", ["denoiser"], "sd1"),
        ("sd1/vae", ["vae"], "sd"),
        ("sd1_lora.safetensors", ["lora"], None),
        ("sd1_controlnet", ["controlnet"], "sd1"),
        ("sd1_ip_adapter.safetensors", ["ip_adapter"], None),
        ("image_encoder", ["image_encoder"], None),
    ],
)
def test_what_a_file_or_folder_holds_is_told(name: str, parts: list[str], family: str | None) -> None:
    told = describe(shared_tiny("sd1").folder.parent / name)
    assert (told["parts"], told.get("family")) == (parts, family)


def test_a_lora_tells_its_family_by_what_its_trainer_wrote(tmp_path: Path) -> None:
    layer = "lora_unet_down_blocks_0_attentions_0_proj_in"
    tensors = {f"{layer}.lora_down.weight": torch.zeros(1, 8), f"{layer}.lora_up.weight": torch.zeros(8, 1)}
    for told, family in (
        ("flux1-dev/lora", "flux"),
        ("stable-diffusion-xl-v1-base/lora", "sdxl"),
        ("unheard-of", None),
    ):
        path = tmp_path / f"{family}.safetensors"
        save_file(tensors, path, metadata={"modelspec.architecture": told})
        assert (describe(path)["parts"], describe(path).get("family")) == (["lora"], family)


def test_adapters_for_transformers_tell_their_family(tmp_path: Path) -> None:
    flux = kit.in_xlabs_names(kit.flux_adapter(make_pipeline("flux", seed=0).transformer))
    save_file(flux, tmp_path / "flux.safetensors")
    kit.save(tmp_path / "sd3.safetensors", kit.sd3_adapter(make_pipeline("sd3", seed=0).transformer))
    for family in ("flux", "sd3"):
        told = describe(tmp_path / f"{family}.safetensors")
        assert (told["parts"], told["family"]) == (["ip_adapter"], family)


def test_a_folder_of_peft_s_is_a_lora(tmp_path: Path) -> None:
    layer = "base_model.model.down_blocks.0.attentions.0.proj_in"
    tensors = {f"{layer}.lora_A.weight": torch.zeros(1, 8), f"{layer}.lora_B.weight": torch.zeros(8, 1)}
    save_file(tensors, tmp_path / "adapter_model.safetensors")
    assert describe(tmp_path)["parts"] == ["lora"]


def test_learned_words_and_upscalers_are_known(tmp_path: Path) -> None:
    for width, family in ((768, "sd1"), (1024, "sd2")):
        told = describe(saved(tmp_path / f"{width}.safetensors", emb_params=(3, width)))
        assert (told["parts"], told["family"]) == (["embedding"], family)
    both = describe(saved(tmp_path / "both.safetensors", clip_l=(2, 768), clip_g=(2, 1280)))
    assert (both["parts"], both["family"]) == (["embedding"], "sdxl")
    (shipped,) = (item.path for item in plugin.register_shipped() if item.name.startswith("realesr"))
    assert describe(shipped) == {"parts": ["upscaler"], "scale": 4}


def test_what_is_not_known_is_told_with_the_reason_and_read_anew_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "file.safetensors"
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(CheckpointError, match=r"file\.safetensors"):
        describe(path)
    with pytest.raises(CheckpointError, match="holds none of the networks"):
        describe(saved(tmp_path / "other.safetensors", some_thing=(3, 4, 5)))
    with pytest.raises(CheckpointError, match="model_index"):
        describe(tmp_path)
    assert describe(saved(path, emb_params=(3, 768)))["family"] == "sd1"


@pytest.mark.parametrize(
    ("node", "setting", "parts"),
    [
        (models.load, "path", WHOLE),
        (models.load_denoiser, "path", ["denoiser"]),
        (models.load_text_encoder, "path_2", ["text_encoder"]),
        (models.load_autoencoder, "path", ["vae"]),
        (lora.load, "path", ["lora"]),
        (controlnet.load, "path", ["controlnet"]),
        (ip_adapter.load, "path", ["ip_adapter"]),
        (image_encoder.load, "path", ["image_encoder"]),
        (upscalers.load, "path", ["upscaler"]),
        (text.load_embedding, "path", ["embedding"]),
    ],
)
def test_nodes_name_the_parts_that_they_want(node: Any, setting: str, parts: list[str]) -> None:
    schema: Any = spec_of(node).settings_schema()
    assert schema["properties"][setting]["widget"]["parts"] == parts
    assert set(parts) <= {*WORDS.values(), "lora", "upscaler", "embedding"}
