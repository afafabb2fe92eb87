"""Tiny IP-Adapters and image encoders for tests, under the names of the release and of diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from tiny_pipelines import MAKERS, Arch, randomise
from torch import Tensor, nn

Kind = Literal["plain", "plus", "full", "faceid", "faceid_plus"]
EMBEDDING, STATES, SIDE, FACE = 32, 64, 28, 24
"""What the tiny encoder says of a picture, how wide its layers are and its pictures; the numbers of a face."""


SIZES: dict[str, int] = {
    "hidden_size": STATES,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 1,
    "image_size": SIDE,
    "patch_size": 14,
}
"""Of both vision networks."""


@cache
def vision() -> Any:
    """Return a tiny CLIP vision network."""
    from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

    made = CLIPVisionModelWithProjection(CLIPVisionConfig(**SIZES, projection_dim=EMBEDDING, hidden_act="gelu"))
    randomise(made, torch.Generator().manual_seed(5))
    return made


@cache
def siglip() -> Any:
    """Return a tiny SigLIP vision network."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    made = SiglipVisionModel(SiglipVisionConfig(**SIZES))
    randomise(made, torch.Generator().manual_seed(6))
    return made


@cache
def unet(arch: Arch) -> Any:
    """Return a tiny UNet, for its shapes."""
    return MAKERS[arch]().unet


def cross_attentions(arch: Arch) -> list[str]:
    """Return the layers an adapter adds to, in the order of the release."""
    return [name.removesuffix(".processor") for name in unet(arch).attn_processors if ".attn2." in name]


def adapter(kind: Kind, arch: Arch, seed: int = 1) -> dict[str, dict[str, Tensor]]:
    """Return a random adapter for a tiny model; see `adapter_for`."""
    return adapter_for(kind, unet(arch), seed)


def adapter_for(kind: Kind, network: Any, seed: int) -> dict[str, dict[str, Tensor]]:
    """Return a random adapter as diffusers takes it: `image_proj` and `ip_adapter`, named as the release does."""
    generator = torch.Generator().manual_seed(seed)
    context = network.config.cross_attention_dim
    projection = {name: _random(shape, generator) for name, shape in PROJECTIONS[kind](context).items()}
    matrices = {}
    for number, name in enumerate(network.attn_processors):
        if ".attn2." in name:
            width = network.get_submodule(name.removesuffix(".processor")).to_k.weight.shape[0]
            for matrix in "kv":
                matrices[f"{number}.to_{matrix}_ip.weight"] = _random((width, context), generator)
    return {"image_proj": projection, "ip_adapter": matrices}


def flux_adapter(network: Any, seed: int = 1) -> dict[str, dict[str, Tensor]]:
    """Return a random adapter for a tiny Flux as diffusers takes it; see `in_xlabs_names`."""
    generator = torch.Generator().manual_seed(seed)
    context, width = network.config.joint_attention_dim, network.inner_dim
    matrices: dict[str, Tensor] = {}
    for block in range(network.config.num_layers):
        for matrix in "kv":
            weight = _random((width, context), generator)  # values large enough to be seen in a picture
            matrices[f"{block}.to_{matrix}_ip.weight"] = 30 * weight if matrix == "v" else weight
            matrices[f"{block}.to_{matrix}_ip.bias"] = _random((width,), generator) - 1
    projection = {name: _random(shape, generator) for name, shape in _plain(context).items()}
    return {"image_proj": projection, "ip_adapter": matrices}


def in_xlabs_names(found: Mapping[str, Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Name the tensors of an adapter for Flux as XLabs does."""
    tensors = {f"ip_adapter_proj_model.{name}": value for name, value in found["image_proj"].items()}
    for name, value in found["ip_adapter"].items():
        block, matrix, kind = name.split(".")
        key = f"double_blocks.{block}.processor.ip_adapter_double_stream_{matrix[3]}_proj.{kind}"
        tensors[key] = value
    return tensors


def sd3_adapter(network: Any, seed: int = 1) -> dict[str, dict[str, Tensor]]:
    """Return a random adapter for a tiny Stable Diffusion 3 as diffusers takes it, named as InstantX does."""
    generator, time, inner = torch.Generator().manual_seed(seed), 32, 128
    head, width = network.config.attention_head_dim, network.inner_dim
    matrices: dict[str, Tensor] = {}
    for number in range(len(network.attn_processors)):
        shapes = {
            "norm_ip.linear.weight": (2 * width, inner),
            "norm_ip.linear.bias": (2 * width,),
            "to_k_ip.weight": (width, width),
            "to_v_ip.weight": (width, width),
            **{f"{name}.weight": (head,) for name in ("norm_q", "norm_k", "norm_ip_k")},
        }
        matrices |= {f"{number}.{name}": _random(shape, generator) for name, shape in shapes.items()}
    projection = {name: _random(shape, generator) for name, shape in _timed(width, inner, time).items()}
    return {"image_proj": projection, "ip_adapter": matrices}


def with_lora(found: Mapping[str, Mapping[str, Tensor]], arch: Arch, seed: int = 7) -> dict[str, dict[str, Tensor]]:
    """Return an adapter with a LoRA of rank 2 inside, for each attention, as FaceID adapters have it."""
    generator, matrices = torch.Generator().manual_seed(seed), dict(found["ip_adapter"])
    for number, name in enumerate(unet(arch).attn_processors):
        layer = unet(arch).get_submodule(name.removesuffix(".processor"))
        for own, linear in (("q", layer.to_q), ("k", layer.to_k), ("v", layer.to_v), ("out", layer.to_out[0])):
            rows, columns = linear.weight.shape
            matrices[f"{number}.to_{own}_lora.down.weight"] = _random((2, columns), generator)
            matrices[f"{number}.to_{own}_lora.up.weight"] = _random((rows, 2), generator)
    return {"image_proj": dict(found["image_proj"]), "ip_adapter": matrices}


def save(path: Path, found: Mapping[str, Mapping[str, Tensor]], **more: Tensor) -> Path:
    """Save an adapter as the release does."""
    whole = {f"{part}.{name}": value for part, tensors in found.items() for name, value in tensors.items()}
    save_file({**whole, **more}, path)
    return path


def in_diffusers_names(found: Mapping[str, Mapping[str, Tensor]], arch: Arch) -> dict[str, Tensor]:
    """Return an adapter as it lies in a UNet of diffusers."""
    network: nn.Module = MAKERS[arch]().unet
    network._load_ip_adapter_weights([found])  # type: ignore[operator]
    return {
        name: value.clone()
        for name, value in network.state_dict().items()
        if name.startswith("encoder_hid_proj") or "_ip." in name
    }


def _random(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    noise = torch.randn(shape, generator=generator)
    return 0.1 * noise + 1 if len(shape) == 1 else noise * noise[0].numel() ** -0.5


def _plain(context: int) -> dict[str, tuple[int, ...]]:
    ends = {"proj.weight": (4 * context, EMBEDDING), "proj.bias": (4 * context,)}
    return {**ends, "norm.weight": (context,), "norm.bias": (context,)}


def _full(context: int) -> dict[str, tuple[int, ...]]:
    return {
        "proj.0.weight": (STATES, STATES),
        "proj.0.bias": (STATES,),
        "proj.2.weight": (context, STATES),
        "proj.2.bias": (context,),
        "proj.3.weight": (context,),
        "proj.3.bias": (context,),
    }


def _faceid(context: int) -> dict[str, tuple[int, ...]]:
    return {
        "proj.0.weight": (2 * FACE, FACE),
        "proj.0.bias": (2 * FACE,),
        "proj.2.weight": (4 * context, 2 * FACE),
        "proj.2.bias": (4 * context,),
        "norm.weight": (context,),
        "norm.bias": (context,),
    }


def _faceid_plus(context: int) -> dict[str, tuple[int, ...]]:
    """Return shapes of a resampler as wide as the prompt's tokens, to which the face is added."""
    inner = context
    resampler = {name: shape for name, shape in _plus(context, inner).items() if name != "latents"}
    return {
        "proj.0.weight": (2 * FACE, FACE),
        "proj.0.bias": (2 * FACE,),
        "proj.2.weight": (4 * inner, 2 * FACE),
        "proj.2.bias": (4 * inner,),
        "norm.weight": (inner,),
        "norm.bias": (inner,),
        **{f"perceiver_resampler.{name}": shape for name, shape in resampler.items()},
    }


def _plus(context: int, inner: int = 128) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        "latents": (1, 6, inner),
        "proj_in.weight": (inner, STATES),
        "proj_in.bias": (inner,),
        "proj_out.weight": (context, inner),
        "proj_out.bias": (context,),
        "norm_out.weight": (context,),
        "norm_out.bias": (context,),
    }
    for layer in range(4):  # diffusers' converter knows four
        for norm in ("0.norm1", "0.norm2", "1.0"):
            shapes |= {f"layers.{layer}.{norm}.{kind}": (inner,) for kind in ("weight", "bias")}
        shapes |= {
            f"layers.{layer}.0.to_q.weight": (inner, inner),
            f"layers.{layer}.0.to_kv.weight": (2 * inner, inner),
            f"layers.{layer}.0.to_out.weight": (inner, inner),
            f"layers.{layer}.1.1.weight": (4 * inner, inner),
            f"layers.{layer}.1.3.weight": (inner, 4 * inner),
        }
    return shapes


def _timed(context: int, inner: int, time: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {
        **{name: shape for name, shape in _plus(context).items() if not name.startswith("layers")},
        "time_embedding.linear_1.weight": (inner, time),
        "time_embedding.linear_1.bias": (inner,),
        "time_embedding.linear_2.weight": (inner, inner),
        "time_embedding.linear_2.bias": (inner,),
    }
    for name, shape in _plus(context).items():
        if name.startswith("layers"):
            shapes[name] = shape
    for layer in range(4):
        shapes |= {f"layers.{layer}.2.1.weight": (4 * inner, inner), f"layers.{layer}.2.1.bias": (4 * inner,)}
    return shapes


PROJECTIONS = {"plain": _plain, "plus": _plus, "full": _full, "faceid": _faceid, "faceid_plus": _faceid_plus}
