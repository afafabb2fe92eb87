"""The embedded model, as it is shipped, against a plain loop over diffusers' own classes."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import diffusers
import pytest
import torch
import transformers
from torch import Tensor

from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen_nodes import Image, Latent
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.identity import find_place
from graphgen_nodes.sampling.projections import project

MODEL = Path(str(files("graphgen_nodes"))) / "models" / "emoji"
TEXT_TO_IMAGE = Path(__file__).parent.parent.parent / "workflows" / "text_to_image.json"
PROMPT, SEED, STEPS, GUIDANCE = "a blue dog on a yellow background", 3, 8, 3.0


@torch.no_grad()
def plain_loop() -> Tensor:
    """Sample with the UNet and the scheduler of the folder, in float32; 1 x 3 x 64 x 64, 0..1."""
    tokenizer = transformers.CLIPTokenizer.from_pretrained(MODEL / "tokenizer")
    encoder = transformers.CLIPTextModel.from_pretrained(MODEL / "text_encoder", dtype=torch.float32).eval()
    options = {"torch_dtype": torch.float32, "low_cpu_mem_usage": False}
    unet = diffusers.UNet2DConditionModel.from_pretrained(MODEL / "unet", **options).eval()
    vae = diffusers.AutoencoderKL.from_pretrained(MODEL / "vae", **options).eval()
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler.from_pretrained(MODEL / "scheduler")
    tokens = tokenizer([PROMPT, ""], padding="max_length", max_length=77, truncation=True, return_tensors="pt")
    states = encoder(tokens.input_ids).last_hidden_state
    x = torch.randn((1, 4, 16, 16), generator=torch.Generator().manual_seed(SEED))
    scheduler.set_timesteps(STEPS)
    for t in scheduler.timesteps:
        with_text, without = unet(torch.cat([x, x]), t, states).sample.chunk(2)
        x = scheduler.step(without + GUIDANCE * (with_text - without), t, x).prev_sample
    pixels: Tensor = vae.decode(x / vae.config.scaling_factor).sample
    return (pixels / 2 + 0.5).clamp(0, 1)


def test_the_shipped_model_draws_what_a_plain_loop_draws(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parameters: dict[str, JSON] = {"prompt": PROMPT, "seed": SEED, "steps": STEPS, "guidance": GUIDANCE}
    with Engine() as engine:
        document = engine.read(TEXT_TO_IMAGE).to_json()
        document["outputs"] = {"small": {"from": "decoded.image"}}
        image = engine.run(document, parameters).outputs["small"]
    assert isinstance(image, Image)
    difference = (image.pixels - plain_loop()).abs().max().item()
    assert difference < 1e-3, difference


@pytest.mark.parametrize("colour", ["#e03030", "#30a040", "#3050e0", "#f0d020", "#ffffff"])
def test_previews_have_the_colours_of_the_picture(colour: str) -> None:
    nodes: dict[str, JSON] = {
        "model": {"type": "models.load", "settings": {"path": "emoji"}},
        "solid": {"type": "images.solid", "settings": {"width": 64, "height": 64, "color": colour}},
        "encoded": {
            "type": "autoencoder.encode",
            "inputs": {"autoencoder": "model.autoencoder", "image": "solid.image"},
        },
    }
    with Engine() as engine:
        report = engine.run({"graphgen": 1, "nodes": nodes, "outputs": {"latent": {"from": "encoded.latent"}}})
    found = report.outputs["latent"]
    assert isinstance(found, Latent)
    middle = project(found.samples[0], found.format).mean(dim=(1, 2))
    true = torch.tensor([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    assert (middle - true).abs().max() < 0.2, middle


def test_the_shipped_model_is_found_though_the_installation_that_cached_it_is_gone() -> None:
    assert find_place("unseen", Path("/gone/graphgen_nodes/models/emoji/unet")) == MODEL / "unet"
    with pytest.raises(CheckpointError, match="no longer there"):
        find_place("unseen", Path("/gone/models/emoji/unet"))
