"""The diffusers pipelines of tiny models: `MAKERS` builds each with the weights that its classes begin with.

They obey what their family's published sizes obey and shapes cannot tell: eight attention heads in SD 1, 64 channels
per head elsewhere, the full CLIP and T5 vocabularies.
"""

from __future__ import annotations

import json
import lzma
import warnings
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

Arch = Literal[
    "sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux", "schnell", "dit", "ddpm", "ncsnpp",
    "pix2pix", "sdxl_pix2pix", "inpainting", "sdxl_inpainting", "flux_fill", "depth",
]  # fmt: skip

ASSETS = Path(__file__).parents[1] / "nodes" / "graphgen_nodes" / "assets" / "tokenizers"


def _sd1(**network: object) -> Any:
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextModel

    return StableDiffusionPipeline(
        unet=_unet(block_out_channels=(32, 64), attention_head_dim=8, cross_attention_dim=64, **network),
        text_encoder=CLIPTextModel(_clip(layers=2, act="quick_gelu")),
        tokenizer=_clip_tokenizer("<|endoftext|>"),
        vae=_vae(latent_channels=4, scaling_factor=0.18215),
        scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _pix2pix() -> Any:
    from diffusers import StableDiffusionInstructPix2PixPipeline

    parts = {**_sd1(in_channels=8).components, "scheduler": _euler_ancestral()}
    return StableDiffusionInstructPix2PixPipeline(**parts, requires_safety_checker=False)


def _sdxl_pix2pix() -> Any:
    from diffusers import StableDiffusionXLInstructPix2PixPipeline

    parts = _sdxl(in_channels=8).components
    kept = ("vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "unet")
    return StableDiffusionXLInstructPix2PixPipeline(
        **{name: parts[name] for name in kept}, scheduler=_euler_ancestral(), add_watermarker=False
    )


def _euler_ancestral() -> Any:
    from diffusers import EulerAncestralDiscreteScheduler

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the scheduler's own use of numpy
        return EulerAncestralDiscreteScheduler(**BETAS, steps_offset=1)


def _inpainting() -> Any:
    from diffusers import StableDiffusionInpaintPipeline

    return StableDiffusionInpaintPipeline(**_sd1(in_channels=9).components, requires_safety_checker=False)


def _sdxl_inpainting() -> Any:
    from diffusers import StableDiffusionXLInpaintPipeline

    return StableDiffusionXLInpaintPipeline(**_sdxl(in_channels=9).components, add_watermarker=False)


def _flux_fill() -> Any:
    from diffusers import FluxFillPipeline

    parts = _flux(in_channels=384, out_channels=64).components
    return FluxFillPipeline(**{name: part for name, part in parts.items() if part is not None})


def _sd2(**network: object) -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextModel

    return StableDiffusionPipeline(
        unet=_unet(
            block_out_channels=(64, 128),
            attention_head_dim=(1, 2),
            cross_attention_dim=64,
            use_linear_projection=True,
            **network,
        ),
        text_encoder=CLIPTextModel(_clip(layers=2, act="gelu")),
        tokenizer=_clip_tokenizer("!"),
        vae=_vae(latent_channels=4, scaling_factor=0.18215),
        scheduler=DDIMScheduler(
            **BETAS, prediction_type="v_prediction", steps_offset=1, clip_sample=False, set_alpha_to_one=False
        ),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _depth() -> Any:
    return _sd2(in_channels=5)


def _sdxl(**network: object) -> Any:
    from diffusers import StableDiffusionXLPipeline
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    return StableDiffusionXLPipeline(
        unet=_unet(
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(64, 128),
            attention_head_dim=(1, 2),
            transformer_layers_per_block=(1, 2),
            cross_attention_dim=128,
            **_told_sizes(32 + 6 * 256),
            **network,
        ),
        text_encoder=CLIPTextModel(_clip(layers=2, act="quick_gelu")),
        tokenizer=_clip_tokenizer("<|endoftext|>"),
        text_encoder_2=CLIPTextModelWithProjection(_clip(layers=3, act="gelu", projection_dim=32)),
        tokenizer_2=_clip_tokenizer("!"),
        vae=_vae(latent_channels=4, scaling_factor=0.13025),
        scheduler=_euler(),
        add_watermarker=False,
    )


def _sdxl_refiner() -> Any:
    from diffusers import StableDiffusionXLImg2ImgPipeline
    from transformers import CLIPTextModelWithProjection

    return StableDiffusionXLImg2ImgPipeline(
        unet=_unet(
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            block_out_channels=(64, 128, 128),
            attention_head_dim=(1, 2, 2),
            transformer_layers_per_block=2,
            cross_attention_dim=64,
            **_told_sizes(64 + 5 * 256),
        ),
        text_encoder=None,
        tokenizer=None,
        text_encoder_2=CLIPTextModelWithProjection(_clip(layers=3, act="gelu", projection_dim=64)),
        tokenizer_2=_clip_tokenizer("!"),
        vae=_vae(latent_channels=4, scaling_factor=0.13025),
        scheduler=_euler(),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )


def _sd3() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline
    from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel

    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=16,
            num_layers=2,
            num_attention_heads=2,
            attention_head_dim=64,
            caption_projection_dim=128,
            joint_attention_dim=192,
            pooled_projection_dim=96,
            pos_embed_max_size=24,
            in_channels=16,
            out_channels=16,
            dual_attention_layers=(0,),
            qk_norm="rms_norm",
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=_vae(
            latent_channels=16,
            scaling_factor=1.5305,
            shift_factor=0.0609,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=CLIPTextModelWithProjection(_clip(layers=2, act="quick_gelu", projection_dim=64)),
        tokenizer=_clip_tokenizer("<|endoftext|>"),
        text_encoder_2=CLIPTextModelWithProjection(_clip(layers=2, act="gelu", projection_dim=32)),
        tokenizer_2=_clip_tokenizer("!"),
        text_encoder_3=T5EncoderModel(
            T5Config(d_model=192, d_kv=64, d_ff=96, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu")
        ),
        tokenizer_3=_t5_tokenizer(),
    )


def _dit() -> Any:
    from diffusers import DDIMScheduler, DiTPipeline, DiTTransformer2DModel

    return DiTPipeline(
        transformer=DiTTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=64,
            in_channels=4,
            out_channels=8,
            num_layers=2,
            sample_size=8,
            num_embeds_ada_norm=1000,  # the pipeline takes 1000 for the null class
        ),
        vae=_vae(latent_channels=4, scaling_factor=0.18215),
        scheduler=DDIMScheduler(clip_sample=False),
    )


def _ddpm() -> Any:
    from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel

    unet = UNet2DModel(
        sample_size=16,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=None,
        flip_sin_to_cos=False,
        freq_shift=1,
        downsample_padding=0,
        norm_eps=1e-6,
    )
    return DDPMPipeline(unet, DDPMScheduler())


def _ncsnpp() -> Any:
    from diffusers import ScoreSdeVeScheduler, UNet2DModel
    from diffusers.pipelines.deprecated import ScoreSdeVePipeline

    unet = UNet2DModel(
        sample_size=16,
        block_out_channels=(32, 64),
        down_block_types=("SkipDownBlock2D", "AttnSkipDownBlock2D"),
        up_block_types=("AttnSkipUpBlock2D", "SkipUpBlock2D"),
        layers_per_block=1,
        time_embedding_type="fourier",
        attention_head_dim=None,
        mid_block_scale_factor=1.4142135,
        norm_eps=1e-6,
    )
    return ScoreSdeVePipeline(unet, ScoreSdeVeScheduler(sigma_max=20.0))


def _flux(*, dev: bool = True, **network: object) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel, T5Config, T5EncoderModel

    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            num_layers=1,
            num_single_layers=2,
            num_attention_heads=2,
            attention_head_dim=32,
            joint_attention_dim=96,
            pooled_projection_dim=64,
            guidance_embeds=dev,
            axes_dims_rope=(4, 14, 14),
            **{"in_channels": 64, **network},
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0 if dev else 1.0, use_dynamic_shifting=dev),
        vae=_vae(
            latent_channels=16,
            scaling_factor=0.3611,
            shift_factor=0.1159,
            use_quant_conv=False,
            use_post_quant_conv=False,
        ),
        text_encoder=CLIPTextModel(_clip(layers=2, act="quick_gelu")),
        tokenizer=_clip_tokenizer("<|endoftext|>"),
        text_encoder_2=T5EncoderModel(
            T5Config(d_model=96, d_kv=64, d_ff=96, num_layers=2, num_heads=2, feed_forward_proj="gated-gelu")
        ),
        tokenizer_2=_t5_tokenizer(),
    )


def _schnell() -> Any:
    return _flux(dev=False)


MAKERS: Mapping[Arch, Callable[[], Any]] = {
    "sd1": _sd1,
    "sd2": _sd2,
    "sdxl": _sdxl,
    "sdxl_refiner": _sdxl_refiner,
    "sd3": _sd3,
    "flux": _flux,
    "schnell": _schnell,
    "dit": _dit,
    "ddpm": _ddpm,
    "ncsnpp": _ncsnpp,
    "pix2pix": _pix2pix,
    "sdxl_pix2pix": _sdxl_pix2pix,
    "depth": _depth,
    "inpainting": _inpainting,
    "sdxl_inpainting": _sdxl_inpainting,
    "flux_fill": _flux_fill,
}


def randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every parameter anew, in sizes that keep activations near one."""
    module.eval().requires_grad_(False)
    for name, parameter in module.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim == 1:
            parameter.copy_(0.1 * noise + (1.0 if name.endswith("weight") else 0.0))
        elif "embed" in name or "shared" in name:
            parameter.copy_(0.5 * noise)
        else:
            parameter.copy_(noise * parameter[0].numel() ** -0.5)


BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def _unet(**settings: object) -> nn.Module:
    from diffusers import UNet2DConditionModel

    blocks = {
        "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    }
    module: nn.Module = UNet2DConditionModel(sample_size=8, layers_per_block=1, **{**blocks, **settings})
    return module


def _told_sizes(width: int) -> dict[str, Any]:
    """Return the settings of a UNet that is told a pooled prompt and numbers, `width` in all."""
    return {
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": width,
    }


def _euler() -> Any:
    from diffusers import EulerDiscreteScheduler

    return EulerDiscreteScheduler(**BETAS, timestep_spacing="leading", steps_offset=1)


def _vae(**settings: object) -> nn.Module:
    from diffusers import AutoencoderKL

    module: nn.Module = AutoencoderKL(
        sample_size=64,
        block_out_channels=(32, 32, 32, 64),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=1,
        **settings,
    )
    return module


def _clip(*, layers: int, act: str, projection_dim: int = 64) -> Any:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        hidden_size=64,
        intermediate_size=96,
        num_attention_heads=1,
        num_hidden_layers=layers,
        projection_dim=projection_dim,
        hidden_act=act,
    )


@cache
def _merges() -> list[tuple[str, str]]:
    text = lzma.decompress((ASSETS / "clip" / "merges.txt.xz").read_bytes()).decode()
    pairs = [line.split(" ") for line in text.splitlines() if line and not line.startswith("#version")]
    return [(left, right) for left, right in pairs]


@cache
def _clip_tokenizer(pad: str) -> Any:
    from transformers import CLIPTokenizer

    printable = [b for b in range(256) if chr(b).isprintable() and chr(b) != " "]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in _merges()]
    vocabulary = {token: index for index, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=_merges(), pad_token=pad, model_max_length=77)


@cache
def _t5_tokenizer() -> Any:
    from transformers import T5Tokenizer

    model = json.loads(lzma.decompress((ASSETS / "t5" / "tokenizer.json.xz").read_bytes()))["model"]
    return T5Tokenizer(vocab=[(word, score) for word, score in model["vocab"]])
