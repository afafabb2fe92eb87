"""Tiny ControlNets with random weights, workflows that use them, and the same by diffusers' pipelines."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import PIL.Image
import tiny
import torch
from engine_kit import N, workflow
from nodes.test_parity import CHAIN, DDIM, FLOW, NEGATIVE, PROMPT, SCALE, SEED, SIZE, STEPS
from released import control_unet, under
from safetensors.torch import save_file
from tiny import Arch, make_pipeline
from torch import Tensor, nn

SAMPLERS: Mapping[Arch, str] = {"sd1": "samplers.ddim"}
SCHEDULES: Mapping[Arch, dict[str, Any]] = {"sd1": CHAIN, "sd2": CHAIN, "sd3": FLOW}
DEFAULT = {"type": "schedules.default"}


@cache
def pipeline_of(arch: Arch) -> Any:
    """Return the family's tiny pipeline, for its networks alone; do not change it."""
    return make_pipeline(arch, seed=0)


def make_control(arch: Arch, seed: int = 1, **options: Any) -> Any:
    """Build a tiny ControlNet for the tiny model of a family."""
    return tiny.make_control(pipeline_of(arch), seed, **options)


def save_control(module: Any, folder: Path, name: str) -> str:
    """Save a ControlNet in a diffusers folder; return its name."""
    module.save_pretrained(folder / name, safe_serialization=True)
    return name


def save_original(module: nn.Module, path: Path) -> str:
    """Save a ControlNet for a UNet in a single file, as its release does; return its name."""
    tensors = under("control_model.", control_unet(module.state_dict(), layers=1))
    save_file({name: value.contiguous().clone() for name, value in tensors.items()}, path)
    return path.name


def save_picture(folder: Path, name: str, width: int = SIZE, height: int = SIZE, seed: int = 3) -> Tensor:
    """Save a picture of soft random blocks; return it as `[1, 3, height, width]` in 0..1."""
    blocks = torch.rand(1, 3, height // 8, width // 8, generator=torch.Generator().manual_seed(seed))
    pixels = (torch.nn.functional.interpolate(blocks, scale_factor=8.0) * 255).round()
    array = pixels[0].permute(1, 2, 0).to(torch.uint8).numpy()
    folder.mkdir(parents=True, exist_ok=True)
    PIL.Image.fromarray(array).save(folder / name)
    return pixels / 255


def drawing(
    arch: Arch, *controls: Mapping[str, Any], steps: int = STEPS, marked: bool = False, scale: float = SCALE
) -> dict[str, Any]:
    """Return text-to-image with a chain of ControlNets, each given by its settings, its `path` and its `picture`.

    Where it is `marked` they act for the positive prompt alone.
    """
    nodes: dict[str, Any] = {
        "model": N("models.load", {"path": arch}),
        "positive": N("text.encode", {"text": PROMPT}, encoder="model.text_encoder"),
        "negative": N("text.encode", {"text": NEGATIVE}, encoder="model.text_encoder"),
    }
    denoiser, positive = "model.denoiser", "positive.conditioning"
    for index, settings in enumerate(controls):
        own = {name: value for name, value in settings.items() if name not in ("path", "picture")}
        wires = {"denoiser": denoiser, "controlnet": f"net{index}.controlnet", "image": f"image{index}.image"}
        wires |= {"conditioning": positive} if marked else {}
        wires |= {"autoencoder": "model.autoencoder"} if arch in ("sd3", "flux") else {}
        nodes[f"net{index}"] = N("controlnet.load", {"path": settings["path"]})
        nodes[f"image{index}"] = N("images.load", {"path": settings.get("picture", "hint.png")})
        nodes[f"apply{index}"] = N("controlnet.apply", own, **wires)
        denoiser = f"apply{index}.denoiser"
        positive = f"apply{index}.conditioning" if marked else positive
    schedule = SCHEDULES.get(arch, DEFAULT)
    sized = {"latent": "latent.latent"} if arch == "flux" else {}
    nodes |= {
        "latent": N("latents.empty", {"width": SIZE, "height": SIZE}, denoiser="model.denoiser"),
        "noise": N("noise.gaussian", {"seed": SEED}),
        "schedule": N(
            schedule["type"], {"steps": steps, **schedule.get("settings", {})}, denoiser="model.denoiser", **sized
        ),
        "sampler": N(SAMPLERS.get(arch, "samplers.euler")),
        "guider": N(
            "guiders.classifier_free",
            {"scale": scale},
            denoiser=denoiser,
            positive=positive,
            negative="negative.conditioning",
        ),
        "sample": N(
            "sampling.sample",
            guider="guider.guider",
            sampler="sampler.sampler",
            schedule="schedule.schedule",
            noise="noise.noise",
            latent="latent.latent",
        ),
        "picture": N("autoencoder.decode", autoencoder="model.autoencoder", latent="sample.latent"),
    }
    return workflow(nodes, "picture.image")


def theirs(arch: Arch, nets: Any, pictures: Any, scheduler: dict[str, Any] | None = DDIM, **options: Any) -> Tensor:
    """Draw by diffusers' ControlNet pipeline of a family, SD 1's with DDIM unless its own scheduler is wanted."""
    import diffusers

    union = isinstance(nets, diffusers.ControlNetUnionModel)
    kinds = {
        "sd1": diffusers.StableDiffusionControlNetPipeline,
        "sdxl": diffusers.StableDiffusionXLControlNetUnionPipeline if union else None,
        "sd3": diffusers.StableDiffusion3ControlNetPipeline,
        "flux": diffusers.FluxControlNetPipeline,
    }
    if arch == "sd3" and nets.config.extra_conditioning_channels:
        kinds["sd3"] = diffusers.StableDiffusion3ControlNetInpaintingPipeline
    kind = kinds.get(arch) or diffusers.StableDiffusionXLControlNetPipeline
    base = make_pipeline(arch, seed=0)
    if arch == "sd1" and scheduler is not None:
        base.scheduler = diffusers.DDIMScheduler.from_config(base.scheduler.config, **scheduler)
    parts = {**base.components, "controlnet": nets}
    pipeline = kind(**parts, **({"requires_safety_checker": False} if arch == "sd1" else {}))
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(SEED)
    given: dict[str, Any] = {"negative_prompt": NEGATIVE, "guidance_scale": SCALE, "generator": generator}
    if arch in ("sd3", "flux"):
        # the pipelines draw from what the autoencoder finds: let it be certain, so that there is nothing to draw
        pipeline.vae.encoder.conv_out.weight[16:] = 0.0
        pipeline.vae.encoder.conv_out.bias[16:] = -60.0
        pictures = [2 * picture - 1 for picture in pictures] if isinstance(pictures, list) else 2 * pictures - 1
    if arch == "flux":
        noise = torch.randn(1, 16, SIZE // 8, SIZE // 8, generator=generator)
        packed = pipeline._pack_latents(noise, 1, 16, SIZE // 8, SIZE // 8)
        given = {"latents": packed, "height": SIZE, "width": SIZE, "guidance_scale": 3.5}
    pictured = {"control_image" if union or arch in ("sd3", "flux") else "image": pictures}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own
        found = pipeline(
            PROMPT,
            num_inference_steps=STEPS,
            output_type="pt",
            **{**given, **pictured, **options},
        ).images
    assert isinstance(found, Tensor)
    return found


def by_adapter(arch: Arch, adapter: Any, picture: Tensor, **options: Any) -> Tensor:
    """Draw by diffusers' T2I-Adapter pipeline of a family."""
    import diffusers

    base = make_pipeline(arch, seed=0)
    kind = diffusers.StableDiffusionXLAdapterPipeline if arch == "sdxl" else diffusers.StableDiffusionAdapterPipeline
    if arch == "sd1":
        base.scheduler = diffusers.DDIMScheduler.from_config(base.scheduler.config, **DDIM)
    parts = {**base.components, "adapter": adapter}
    if arch == "sd1":
        parts |= {"requires_safety_checker": False}
        del parts["image_encoder"]
    pipeline = kind(**parts)
    pipeline.set_progress_bar_config(disable=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own
        found = pipeline(
            PROMPT,
            negative_prompt=NEGATIVE,
            image=picture,
            num_inference_steps=STEPS,
            guidance_scale=SCALE,
            generator=torch.Generator().manual_seed(SEED),
            output_type="pt",
            **options,
        ).images
    # that of SD 1 always gives arrays, with the channels last
    return found if isinstance(found, Tensor) else torch.from_numpy(found).permute(0, 3, 1, 2)


def difference(found: Tensor, reference: Tensor) -> float:
    """Return the largest difference between two pictures of one shape."""
    assert found.shape == reference.shape
    return float((found - reference).abs().max())
