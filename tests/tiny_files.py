"""Tiny models as single files in the layout of their family's original release, by the names in `released`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from released import bare, ddpm_unet, dit, flux, ldm_unet, ldm_vae, mmdit, open_clip, under
from tiny_pipelines import Arch
from torch import Tensor

METADATA: Mapping[Arch, dict[str, str]] = {
    "sd2": {"modelspec.architecture": "stable-diffusion-v2-768-v", "modelspec.prediction_type": "v"},
}


def original_tensors(arch: Arch, pipeline: Any, seed: int) -> dict[str, Tensor]:
    """Return a tiny model's tensors under the names of its family's original release, in that release's shapes."""
    write = WRITERS[arch]
    return {name: value.contiguous().clone() for name, value in write(pipeline, seed).items()}


def _write_sd1(pipeline: Any, seed: int) -> dict[str, Tensor]:
    clip = {f"text_model.{bare(name)}": value for name, value in pipeline.text_encoder.state_dict().items()}
    clip["text_model.embeddings.position_ids"] = torch.arange(77)[None]  # older releases store it
    return {
        **under("model.diffusion_model.", ldm_unet(pipeline.unet.state_dict(), layers=1)),
        **under("first_stage_model.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
        **under("cond_stage_model.transformer.", clip),
        "betas": pipeline.scheduler.betas,
        "alphas_cumprod": pipeline.scheduler.alphas_cumprod,
        "model_ema.decay": torch.tensor(0.9999),
    }


def _write_sd2(pipeline: Any, seed: int) -> dict[str, Tensor]:
    return {
        **under("model.diffusion_model.", ldm_unet(pipeline.unet.state_dict(), layers=1)),
        **under("first_stage_model.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
        **under("cond_stage_model.model.", open_clip(pipeline.text_encoder.state_dict(), layers=2, seed=seed)),
        "betas": pipeline.scheduler.betas,
    }


def _write_sdxl(pipeline: Any, seed: int) -> dict[str, Tensor]:
    clip = {f"text_model.{bare(name)}": value for name, value in pipeline.text_encoder.state_dict().items()}
    clip["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    return {
        **under("conditioner.embedders.0.transformer.", clip),
        **_write_sgm(pipeline, place=1),
    }


def _write_sdxl_refiner(pipeline: Any, seed: int) -> dict[str, Tensor]:
    return _write_sgm(pipeline, place=0)


def _write_sgm(pipeline: Any, place: int) -> dict[str, Tensor]:
    """Write what base and refiner share; `place` is that of bigG among the embedders."""
    return {
        **under("model.diffusion_model.", ldm_unet(pipeline.unet.state_dict(), layers=1)),
        **under("first_stage_model.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
        **under(f"conditioner.embedders.{place}.model.", open_clip(pipeline.text_encoder_2.state_dict(), layers=3)),
    }


def _write_sd3(pipeline: Any, seed: int) -> dict[str, Tensor]:
    return {
        **under("model.diffusion_model.", mmdit(pipeline.transformer.state_dict(), depth=2)),
        **under("first_stage_model.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
        **under("text_encoders.clip_l.transformer.", pipeline.text_encoder.state_dict()),
        **under("text_encoders.clip_g.transformer.", pipeline.text_encoder_2.state_dict()),
        **under("text_encoders.t5xxl.transformer.", pipeline.text_encoder_3.state_dict()),
        "text_encoders.clip_l.logit_scale": torch.tensor(4.6),
    }


def _write_dit(pipeline: Any, seed: int) -> dict[str, Tensor]:
    positions = pipeline.transformer.pos_embed.pos_embed
    return {
        **under("model.diffusion_model.", dit(pipeline.transformer.state_dict(), depth=2, positions=positions)),
        **under("first_stage_model.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
    }


def _write_ddpm(pipeline: Any, seed: int) -> dict[str, Tensor]:
    return ddpm_unet(pipeline.unet.state_dict(), levels=2)


def _write_flux(pipeline: Any, seed: int) -> dict[str, Tensor]:
    """Write all parts into one file, as ComfyUI does; the releases have a file for each."""
    clip = {f"text_model.{bare(name)}": value for name, value in pipeline.text_encoder.state_dict().items()}
    clip["text_projection.weight"] = torch.eye(64)  # it comes with CLIP and is not used
    return {
        **under("model.diffusion_model.", flux(pipeline.transformer.state_dict())),
        **under("vae.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
        **under("text_encoders.clip_l.transformer.", clip),
        **under("text_encoders.t5xxl.transformer.", pipeline.text_encoder_2.state_dict()),
        "text_encoders.clip_l.logit_scale": torch.tensor(4.6),
        "text_encoders.t5xxl.logit_scale": torch.tensor(1.0),
    }


WRITERS: Mapping[Arch, Callable[[Any, int], dict[str, Tensor]]] = {
    "sd1": _write_sd1,
    "pix2pix": _write_sd1,
    "depth": _write_sd2,
    "inpainting": _write_sd1,
    "sdxl_inpainting": _write_sdxl,
    "flux_fill": _write_flux,
    "sd2": _write_sd2,
    "sdxl": _write_sdxl,
    "sdxl_refiner": _write_sdxl_refiner,
    "sd3": _write_sd3,
    "flux": _write_flux,
    "schnell": _write_flux,
    "dit": _write_dit,
    "ddpm": _write_ddpm,
}
"""What writes a single file in an original release's names; NCSN++'s are drawn by `nodes.score_sde_kit`."""
