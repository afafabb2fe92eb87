"""Make whole models of every family, small enough to run in a second, with random weights.

`make_tiny(arch, seed, folder)` saves one model twice: as a diffusers folder, and as a single file in the layout of the
original release. How they are built is in `tiny_pipelines`, how they are named in `tiny_files`.
"""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from nodes.ip_adapter_kit import adapter_for, vision
from nodes.ip_adapter_kit import save as save_adapter
from safetensors.torch import save_file
from tiny_controls import for_flux, for_sd3, for_unet, t2i_for
from tiny_files import METADATA, WRITERS, original_tensors
from tiny_pipelines import MAKERS
from tiny_pipelines import Arch as Arch
from tiny_pipelines import randomise as randomise
from torch import Tensor, nn

EDITING: tuple[Arch, ...] = ("pix2pix", "inpainting", "sdxl_inpainting", "flux_fill")
"""Those whose networks see a picture beside the latent."""


@dataclass(frozen=True)
class Tiny:
    """A tiny model: its diffusers folder and its single file, which hold the same weights."""

    arch: Arch
    folder: Path
    file: Path


def make_tiny(arch: Arch, seed: int, folder: Path) -> Tiny:
    """Make a tiny model with weights drawn from `seed`, as `folder/<arch>` and `folder/<arch>.safetensors`."""
    pipeline = make_pipeline(arch, seed)
    pipeline.save_pretrained(folder / arch, safe_serialization=True)
    if arch == "dit":
        name_classes(folder / arch)
    file = folder / f"{arch}.safetensors"
    if arch in WRITERS:
        save_file(original_tensors(arch, pipeline, seed), file, metadata=METADATA.get(arch))
    if arch == "sd1":
        save_file(_lora(pipeline.unet), folder / "sd1_lora.safetensors")
        make_control(pipeline, seed).save_pretrained(folder / "sd1_controlnet", safe_serialization=True)
        save_adapter(folder / "sd1_ip_adapter.safetensors", adapter_for("plus", pipeline.unet, seed))
        vision().save_pretrained(folder / "image_encoder")
        make_tiny_autoencoder(4, seed).save_pretrained(folder / "taesd", safe_serialization=True)
    return Tiny(arch, folder / arch, file)


def _lora(unet: nn.Module) -> dict[str, Tensor]:
    """Return a LoRA of rank 1 for the queries of a UNet's attention."""
    weights = {name: layer for name, layer in unet.named_modules() if name.endswith(".to_q")}
    down = {f"unet.{name}.lora_A.weight": 0.1 * layer.weight[:1].clone() for name, layer in weights.items()}
    return down | {f"unet.{name}.lora_B.weight": layer.weight[:, :1].clone() for name, layer in weights.items()}


def make_pipeline(arch: Arch, seed: int) -> Any:
    """Return the diffusers pipeline of a tiny model, every parameter random: none may be zero or one by default.

    Each call gives networks and a scheduler of its own, to be changed at will; the tokenizers are shared.
    """
    drawn = _drawn_pipeline(arch, seed)
    shared = {id(part): part for name, part in drawn.components.items() if name.startswith("tokenizer")}
    return deepcopy(drawn, shared)


@cache
def _drawn_pipeline(arch: Arch, seed: int) -> Any:
    """Build a pipeline: that takes five times as long as to copy it."""
    pipeline = MAKERS[arch]()
    generator = torch.Generator().manual_seed(seed)
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            randomise(part, generator)
    if arch in EDITING:
        quieten(pipeline.vae)
    if arch == "dit":
        share_embeddings(pipeline.transformer)
        pipeline.transformer.proj_out_2.weight.mul_(0.04)  # modulation by random numbers enlarges what comes in
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def make_control(pipeline: Any, seed: int, *, zero: bool = False, **kind: Any) -> Any:
    """Build a tiny ControlNet for the denoiser of a pipeline; with `zero` as training begins: it adds nothing."""
    transformer = getattr(pipeline, "transformer", None)
    if transformer is None:
        module = for_unet(pipeline.unet, **kind)
    else:
        build = for_flux if type(transformer).__name__.startswith("Flux") else for_sd3
        module = build(transformer, **kind)
    zeros = [value for name, value in module.named_parameters() if name.startswith("controlnet_") and not value.any()]
    randomise(module, torch.Generator().manual_seed(seed))
    if zero:
        for value in zeros:
            value.zero_()
    return module


def quieten(autoencoder: Any) -> None:
    """Let an autoencoder be sure of its latents: the pipelines for editing draw from what it finds, and take turns."""
    last = autoencoder.quant_conv or autoencoder.encoder.conv_out
    half = len(last.weight) // 2
    last.weight[half:] = 0
    last.bias[half:] = -30


def share_embeddings(transformer: Any) -> None:
    """Give all blocks of a DiT the first one's embedding of timestep and label, as its release has one for all."""
    first, *others = (block.norm1.emb for block in transformer.transformer_blocks)
    for other in others:
        other.load_state_dict(first.state_dict())


def make_tiny_autoencoder(channels: int, seed: int = 0) -> Any:
    """Build a narrow AutoencoderTiny for latents of so many channels, with all that the published ones have."""
    from diffusers import AutoencoderTiny

    widths = (8, 8, 8, 8)
    module = AutoencoderTiny(
        latent_channels=channels, encoder_block_out_channels=widths, decoder_block_out_channels=widths
    )
    randomise(module, torch.Generator().manual_seed(seed))
    return module


def make_adapter(pipeline: Any, seed: int, *, channels: int = 3) -> Any:
    """Build a tiny T2I-Adapter for the UNet of a pipeline."""
    module = t2i_for(pipeline.unet, channels=channels)
    randomise(module, torch.Generator().manual_seed(seed))
    return module


def name_classes(folder: Path) -> None:
    """Name some classes as published folders do; the pipeline saves none."""
    index = folder / "model_index.json"
    names = {"0": "tench, Tinca tinca", "207": "golden retriever", "999": "toilet tissue, toilet paper"}
    index.write_text(json.dumps({**json.loads(index.read_text()), "id2label": names}))


_FOLDER = TemporaryDirectory(prefix="graphgen-tiny-")


@cache
def shared_tiny(arch: Arch) -> Tiny:
    """Return the tiny model of seed 0, made once for all tests; do not write into it."""
    torch.set_num_threads(1)  # tiny models are slower on several threads
    return make_tiny(arch, 0, Path(_FOLDER.name))
