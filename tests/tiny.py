"""Make whole models of every family, small enough to run in a second, with random weights.

`make_tiny(arch, seed, folder)` saves one model twice: as a diffusers folder, and as a single file in the layout of the
original release, by the names in `released`.

The models obey what their family's published sizes obey and shapes cannot tell: eight attention heads in SD 1, 64
channels per head elsewhere, the full CLIP and T5 vocabularies.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from released import bare, ddpm_unet, dit, flux, ldm_unet, ldm_vae, mmdit, open_clip, under
from safetensors.torch import save_file
from torch import Tensor, nn

Arch = Literal["sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux", "schnell", "dit", "ddpm", "ncsnpp"]

ASSETS = Path(__file__).parents[1] / "nodes" / "graphgen_nodes" / "assets" / "tokenizers"


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
    return Tiny(arch, folder / arch, file)


def _lora(unet: nn.Module) -> dict[str, Tensor]:
    """Return a LoRA of rank 1 for the queries of a UNet's attention."""
    weights = {name: layer for name, layer in unet.named_modules() if name.endswith(".to_q")}
    down = {f"unet.{name}.lora_A.weight": 0.1 * layer.weight[:1].clone() for name, layer in weights.items()}
    return down | {f"unet.{name}.lora_B.weight": layer.weight[:, :1].clone() for name, layer in weights.items()}


def make_pipeline(arch: Arch, seed: int) -> Any:
    """Build the diffusers pipeline of a tiny model, every parameter random: none may be zero or one by default."""
    pipeline = MAKERS[arch]()
    generator = torch.Generator().manual_seed(seed)
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            randomise(part, generator)
    if arch == "dit":
        share_embeddings(pipeline.transformer)
        pipeline.transformer.proj_out_2.weight.mul_(0.04)  # modulation by random numbers enlarges what comes in
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


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


def share_embeddings(transformer: Any) -> None:
    """Give all blocks of a DiT the first one's embedding of timestep and label, as its release has one for all."""
    first, *others = (block.norm1.emb for block in transformer.transformer_blocks)
    for other in others:
        other.load_state_dict(first.state_dict())


def name_classes(folder: Path) -> None:
    """Name some classes as published folders do; the pipeline saves none."""
    index = folder / "model_index.json"
    names = {"0": "tench, Tinca tinca", "207": "golden retriever", "999": "toilet tissue, toilet paper"}
    index.write_text(json.dumps({**json.loads(index.read_text()), "id2label": names}))


METADATA: Mapping[Arch, dict[str, str]] = {
    "sd2": {"modelspec.architecture": "stable-diffusion-v2-768-v", "modelspec.prediction_type": "v"},
}

# --- the models -----------------------------------------------------------------------------------------------------


def _sd1() -> Any:
    from diffusers import PNDMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextModel

    return StableDiffusionPipeline(
        unet=_unet(block_out_channels=(32, 64), attention_head_dim=8, cross_attention_dim=64),
        text_encoder=CLIPTextModel(_clip(layers=2, act="quick_gelu")),
        tokenizer=_clip_tokenizer("<|endoftext|>"),
        vae=_vae(latent_channels=4, scaling_factor=0.18215),
        scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def _sd2() -> Any:
    from diffusers import DDIMScheduler, StableDiffusionPipeline
    from transformers import CLIPTextModel

    return StableDiffusionPipeline(
        unet=_unet(
            block_out_channels=(64, 128), attention_head_dim=(1, 2), cross_attention_dim=64, use_linear_projection=True
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


def _sdxl() -> Any:
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
    from transformers import CLIPTextModelWithProjection, T5Config, T5EncoderModel, T5Tokenizer

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
        tokenizer_3=T5Tokenizer(vocab=_t5_vocabulary()),
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


def _flux(*, dev: bool = True) -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from transformers import CLIPTextModel, T5Config, T5EncoderModel, T5Tokenizer

    return FluxPipeline(
        transformer=FluxTransformer2DModel(
            in_channels=64,
            num_layers=1,
            num_single_layers=2,
            num_attention_heads=2,
            attention_head_dim=32,
            joint_attention_dim=96,
            pooled_projection_dim=64,
            guidance_embeds=dev,
            axes_dims_rope=(4, 14, 14),
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
        tokenizer_2=T5Tokenizer(vocab=_t5_vocabulary()),
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
}

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


def _clip_tokenizer(pad: str) -> Any:
    from transformers import CLIPTokenizer

    printable = [b for b in range(256) if chr(b).isprintable() and chr(b) != " "]
    letters = [chr(b) for b in printable] + [chr(256 + i) for i in range(256 - len(printable))]
    tokens = letters + [letter + "</w>" for letter in letters] + ["".join(pair) for pair in _merges()]
    vocabulary = {token: index for index, token in enumerate([*tokens, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=_merges(), pad_token=pad, model_max_length=77)


@cache
def _t5_vocabulary() -> list[tuple[str, float]]:
    model = json.loads(lzma.decompress((ASSETS / "t5" / "tokenizer.json.xz").read_bytes()))["model"]
    return [(word, score) for word, score in model["vocab"]]


# --- single files ---------------------------------------------------------------------------------------------------


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
    "sd2": _write_sd2,
    "sdxl": _write_sdxl,
    "sdxl_refiner": _write_sdxl_refiner,
    "sd3": _write_sd3,
    "flux": _write_flux,
    "schnell": _write_flux,
    "dit": _write_dit,
    "ddpm": _write_ddpm,
}
"""What writes a single file in an original release's names; NCSN++ is read from folders alone."""

# --- one set for all tests ------------------------------------------------------------------------------------------

_FOLDER = TemporaryDirectory(prefix="graphgen-tiny-")


@cache
def shared_tiny(arch: Arch) -> Tiny:
    """Return the tiny model of seed 0, made once for all tests; do not write into it."""
    torch.set_num_threads(1)  # tiny models are slower on several threads
    return make_tiny(arch, 0, Path(_FOLDER.name))
