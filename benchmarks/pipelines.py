"""The pipelines of diffusers that `benchmarks.families` compares with, around a network that is in memory already.

They are given the embeddings of their prompts and stop at the latent, so that what they do is denoise, by the
scheduler of the published model. Three know no latent: DiT's decodes it, by an autoencoder of one narrow level here,
and those over pixels copy their pictures to main memory. All draw their noise from a generator on the CPU, as graphgen
does, so that a seed means the same on every device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.ready import NEGATIVE, POSITIVE, conditioning_of
from benchmarks.subjects import Subject
from graphgen_nodes.conditionings import tensors_of

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
DDIM = {**BETAS, "clip_sample": False, "set_alpha_to_one": False}

Run = Callable[[int], Tensor]
"""Samples by a seed, and returns what comes of it."""


def pipeline_of(subject: Subject, network: nn.Module) -> tuple[str, Run]:
    """Return the name of a subject's pipeline, and what runs it with the subject's sizes."""
    pipeline = _MAKERS[subject.family](network)
    pipeline.set_progress_bar_config(disable=True)
    arguments = {**_picture(subject), **_told(subject, network)}

    def run(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        made = pipeline(**arguments, num_inference_steps=subject.steps, generator=generator)
        return torch.as_tensor(made.images)

    return type(pipeline).__name__, run


def _picture(subject: Subject) -> dict[str, Any]:
    """Return what a pipeline is told of a batch; those without text take the size from their networks."""
    if subject.family in ("ddpm", "ncsnpp"):
        return {"batch_size": subject.batch, "output_type": "np"}
    if subject.family == "dit":
        return {"output_type": "np"}
    return {
        "height": subject.size,
        "width": subject.size,
        "num_images_per_prompt": subject.batch,
        "output_type": "latent",
    }


def _told(subject: Subject, network: nn.Module) -> dict[str, Any]:
    """Return the prompts that graphgen's side is told too, by the names that a pipeline has for them."""
    if subject.family in ("ddpm", "ncsnpp"):
        return {}
    if subject.family == "dit":
        return {"class_labels": [207] * subject.batch, "guidance_scale": subject.scale}
    value = next(network.parameters())
    found: dict[str, Any] = {"guidance_scale": subject.scale or 3.5}
    for seed, prefix in ((POSITIVE, ""), (NEGATIVE, "negative_")):
        if seed == POSITIVE or subject.scale:
            tensors = tensors_of(conditioning_of(subject, seed))
            for name, own in (("embeddings", "prompt_embeds"), ("pooled", "pooled_prompt_embeds")):
                if name in tensors:
                    found[prefix + own] = tensors[name].to(value.device, value.dtype)
    return found


def _stable_diffusion(network: nn.Module, prediction: str) -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    return StableDiffusionPipeline(
        vae=None,
        text_encoder=None,
        tokenizer=None,
        unet=network,
        scheduler=DDIMScheduler(**DDIM, prediction_type=prediction),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sdxl(network: nn.Module) -> Any:
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    return StableDiffusionXLPipeline(
        vae=None,
        text_encoder=None,
        text_encoder_2=None,
        tokenizer=None,
        tokenizer_2=None,
        unet=network,
        scheduler=EulerDiscreteScheduler(**BETAS, timestep_spacing="leading"),
        add_watermarker=False,
    )


def _sd3(network: nn.Module) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, StableDiffusion3Pipeline

    names = ("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2", "text_encoder_3", "tokenizer_3")
    return StableDiffusion3Pipeline(
        transformer=network, scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0), **dict.fromkeys(names)
    )


def _flux(network: nn.Module) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline

    names = ("vae", "text_encoder", "tokenizer", "text_encoder_2", "tokenizer_2")
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True)
    return FluxPipeline(transformer=network, scheduler=scheduler, **dict.fromkeys(names))


def _dit(network: nn.Module) -> Any:
    from diffusers import AutoencoderKL, DDIMScheduler, DiTPipeline

    value = next(network.parameters())
    autoencoder = AutoencoderKL(latent_channels=4, block_out_channels=(32,)).to(value.device, value.dtype)
    return DiTPipeline(network, autoencoder, DDIMScheduler(clip_sample=False))


def _ddpm(network: nn.Module) -> Any:
    from diffusers import DDPMPipeline, DDPMScheduler

    return DDPMPipeline(network, DDPMScheduler())


def _ncsnpp(network: nn.Module) -> Any:
    from diffusers import ScoreSdeVeScheduler
    from diffusers.pipelines.deprecated import ScoreSdeVePipeline

    return ScoreSdeVePipeline(network, ScoreSdeVeScheduler(sigma_max=50.0))


_MAKERS: Mapping[str, Callable[[nn.Module], Any]] = {
    "sd1": lambda network: _stable_diffusion(network, "epsilon"),
    "sd2": lambda network: _stable_diffusion(network, "v_prediction"),
    "sdxl": _sdxl,
    "sd3": _sd3,
    "flux": _flux,
    "dit": _dit,
    "ddpm": _ddpm,
    "ncsnpp": _ncsnpp,
}
