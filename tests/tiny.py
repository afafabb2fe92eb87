"""Make whole models small enough to run in a second: SD 1, SD 2 (v) and SD 3 with random weights.

`make_tiny(arch, seed, folder)` saves one model twice: as a diffusers folder, and as a single file in the layout of the
original release. The single file is written from the table in this module, which goes from diffusers' names to the
release's by arithmetic on their numbers, and shares nothing with graphgen's tables, which go the other way.

The models obey what their family's published sizes obey and shapes cannot tell: eight attention heads in SD 1, 64
channels per head elsewhere, the full CLIP and T5 vocabularies.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

Arch = Literal["sd1", "sd2", "sd3"]

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
    file = folder / f"{arch}.safetensors"
    save_file(original_tensors(arch, pipeline, seed), file, metadata=METADATA[arch])
    return Tiny(arch, folder / arch, file)


def make_pipeline(arch: Arch, seed: int) -> Any:
    """Build the diffusers pipeline of a tiny model, every parameter random: none may be zero or one by default."""
    pipeline = {"sd1": _sd1, "sd2": _sd2, "sd3": _sd3}[arch]()
    generator = torch.Generator().manual_seed(seed)
    for part in pipeline.components.values():
        if isinstance(part, nn.Module):
            randomise(part, generator)
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


METADATA: Mapping[Arch, dict[str, str] | None] = {
    "sd1": None,
    "sd2": {"modelspec.architecture": "stable-diffusion-v2-768-v", "modelspec.prediction_type": "v"},
    "sd3": None,
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


BETAS: dict[str, Any] = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def _unet(**settings: object) -> nn.Module:
    from diffusers import UNet2DConditionModel

    module: nn.Module = UNet2DConditionModel(
        sample_size=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        layers_per_block=1,
        **settings,
    )
    return module


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
    import json

    model = json.loads(lzma.decompress((ASSETS / "t5" / "tokenizer.json.xz").read_bytes()))["model"]
    return [(word, score) for word, score in model["vocab"]]


# --- the original releases' names -----------------------------------------------------------------------------------


def original_tensors(arch: Arch, pipeline: Any, seed: int) -> dict[str, Tensor]:
    """Return a tiny model's tensors under the names of its family's original release, in that release's shapes."""
    write = {"sd1": _write_sd1, "sd2": _write_sd2, "sd3": _write_sd3}[arch]
    return {name: value.contiguous().clone() for name, value in write(pipeline, seed).items()}


def _write_sd1(pipeline: Any, seed: int) -> dict[str, Tensor]:
    clip = {f"text_model.{_bare(name)}": value for name, value in pipeline.text_encoder.state_dict().items()}
    clip["text_model.embeddings.position_ids"] = torch.arange(77)[None]  # older releases store it
    return {
        **_under("model.diffusion_model.", ldm_unet(pipeline.unet.state_dict(), layers=1)),
        **_under("first_stage_model.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
        **_under("cond_stage_model.transformer.", clip),
        "betas": pipeline.scheduler.betas,
        "alphas_cumprod": pipeline.scheduler.alphas_cumprod,
        "model_ema.decay": torch.tensor(0.9999),
    }


def _write_sd2(pipeline: Any, seed: int) -> dict[str, Tensor]:
    return {
        **_under("model.diffusion_model.", ldm_unet(pipeline.unet.state_dict(), layers=1)),
        **_under("first_stage_model.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
        **_under("cond_stage_model.model.", open_clip(pipeline.text_encoder.state_dict(), layers=2, seed=seed)),
        "betas": pipeline.scheduler.betas,
    }


def _write_sd3(pipeline: Any, seed: int) -> dict[str, Tensor]:
    return {
        **_under("model.diffusion_model.", mmdit(pipeline.transformer.state_dict(), depth=2)),
        **_under("first_stage_model.", ldm_vae(pipeline.vae.state_dict(), levels=4)),
        **_under("text_encoders.clip_l.transformer.", pipeline.text_encoder.state_dict()),
        **_under("text_encoders.clip_g.transformer.", pipeline.text_encoder_2.state_dict()),
        **_under("text_encoders.t5xxl.transformer.", pipeline.text_encoder_3.state_dict()),
        "text_encoders.clip_l.logit_scale": torch.tensor(4.6),
    }


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: value for name, value in tensors.items()}


def _bare(name: str) -> str:
    return name.removeprefix("text_model.")


Replace = Callable[[re.Match[str]], str]

UNET_WORDS = {
    r"^time_embedding\.linear_1": "time_embed.0",
    r"^time_embedding\.linear_2": "time_embed.2",
    r"^conv_in\.": "input_blocks.0.0.",
    r"^conv_norm_out": "out.0",
    r"^conv_out": "out.2",
    r"^mid_block\.attentions\.0": "middle_block.1",
    r"^mid_block\.resnets\.0": "middle_block.0",
    r"^mid_block\.resnets\.1": "middle_block.2",
}
RESNET_WORDS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def ldm_unet(tensors: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Rename a UNet's tensors as latent diffusion does: blocks in one row, with `layers` resnets per resolution."""
    attends = {name.split(".attentions")[0] for name in tensors if ".attentions" in name}

    def number(name: str) -> str:
        if found := re.match(r"down_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name):
            level, kind, index, rest = int(found[1]), found[2], int(found[3]), found[4]
            return f"input_blocks.{1 + level * (layers + 1) + index}.{int(kind == 'attentions')}.{rest}"
        if found := re.match(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.(.*)", name):
            return f"input_blocks.{(int(found[1]) + 1) * (layers + 1)}.0.op.{found[2]}"
        if found := re.match(r"up_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name):
            level, kind, index, rest = int(found[1]), found[2], int(found[3]), found[4]
            return f"output_blocks.{level * (layers + 1) + index}.{int(kind == 'attentions')}.{rest}"
        if found := re.match(r"(up_blocks\.(\d+))\.upsamplers\.0\.(.*)", name):
            return f"output_blocks.{int(found[2]) * (layers + 1) + layers}.{1 + (found[1] in attends)}.{found[3]}"
        return _replaced(name, UNET_WORDS)

    renamed = {}
    for name, value in tensors.items():
        new = number(name)
        if ".resnets." in name:
            new = re.sub(r"(norm1|conv1|time_emb_proj|norm2|conv2|conv_shortcut)", lambda m: RESNET_WORDS[m[1]], new)
        renamed[new] = value
    return renamed


VAE_WORDS = {
    r"conv_norm_out": "norm_out",
    r"mid_block\.resnets\.0": "mid.block_1",
    r"mid_block\.resnets\.1": "mid.block_2",
    r"mid_block\.attentions\.0\.group_norm": "mid.attn_1.norm",
    r"mid_block\.attentions\.0\.to_out\.0": "mid.attn_1.proj_out",
    r"mid_block\.attentions\.0\.to_(.)": r"mid.attn_1.\1",
    r"down_blocks\.(\d+)\.resnets\.(\d+)": r"down.\1.block.\2",
    r"down_blocks\.(\d+)\.downsamplers\.0": r"down.\1.downsample",
    r"conv_shortcut": "nin_shortcut",
}


def ldm_vae(tensors: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """Rename an autoencoder's tensors as latent diffusion does: `up` counted from the finest, 1x1 convolutions."""

    def mirrored(found: re.Match[str]) -> str:
        kind = f"block.{found[3]}" if found[2] == "resnets" else "upsample"
        return f"up.{levels - 1 - int(found[1])}.{kind}"

    renamed = {}
    for name, value in tensors.items():
        new = re.sub(r"up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)", mirrored, _replaced(name, VAE_WORDS))
        matrix = re.search(r"attentions\.0\.to_.*weight", name)
        renamed[new] = value[:, :, None, None] if matrix else value
    return renamed


def open_clip(tensors: Mapping[str, Tensor], layers: int, seed: int) -> dict[str, Tensor]:
    """Rename a CLIP text encoder's tensors as OpenCLIP does, and add the last layer that SD 2 never uses."""
    given = {_bare(name): value for name, value in tensors.items()}
    renamed = {
        "token_embedding.weight": given["embeddings.token_embedding.weight"],
        "positional_embedding": given["embeddings.position_embedding.weight"],
        "ln_final.weight": given["final_layer_norm.weight"],
        "ln_final.bias": given["final_layer_norm.bias"],
        "text_projection": torch.eye(64),
        "logit_scale": torch.tensor(4.6),
    }
    words = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    for layer in range(layers):
        old, new = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            for theirs, ours in {**words, "self_attn.out_proj": "attn.out_proj"}.items():
                renamed[f"{new}.{ours}.{kind}"] = given[f"{old}.{theirs}.{kind}"]
            fused = [given[f"{old}.self_attn.{matrix}_proj.{kind}"] for matrix in ("q", "k", "v")]
            renamed[f"{new}.attn.in_proj_{kind}"] = torch.cat(fused)
    generator = torch.Generator().manual_seed(seed)
    for name, value in list(renamed.items()):
        if name.startswith("transformer.resblocks.0."):
            unused = name.replace("resblocks.0", f"resblocks.{layers}")
            renamed[unused] = torch.randn(value.shape, generator=generator)
    return renamed


MMDIT_WORDS = {
    r"^pos_embed\.pos_embed$": "pos_embed",
    r"^pos_embed\.proj": "x_embedder.proj",
    r"^time_text_embed\.timestep_embedder\.linear_1": "t_embedder.mlp.0",
    r"^time_text_embed\.timestep_embedder\.linear_2": "t_embedder.mlp.2",
    r"^time_text_embed\.text_embedder\.linear_1": "y_embedder.mlp.0",
    r"^time_text_embed\.text_embedder\.linear_2": "y_embedder.mlp.2",
    r"^proj_out": "final_layer.linear",
    r"^norm_out\.linear": "final_layer.adaLN_modulation.1",
    r"norm1\.linear": "x_block.adaLN_modulation.1",
    r"norm1_context\.linear": "context_block.adaLN_modulation.1",
    r"ff\.net\.0\.proj": "x_block.mlp.fc1",
    r"ff\.net\.2": "x_block.mlp.fc2",
    r"ff_context\.net\.0\.proj": "context_block.mlp.fc1",
    r"ff_context\.net\.2": "context_block.mlp.fc2",
    r"attn\.to_add_out": "context_block.attn.proj",
    r"(attn2?)\.to_out\.0": r"x_block.\1.proj",
    r"attn\.norm_added_(.)": r"context_block.attn.ln_\1",
    r"(attn2?)\.norm_([qk])": r"x_block.\1.ln_\2",
    r"^transformer_blocks": "joint_blocks",
}


def mmdit(tensors: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Rename an SD3 transformer's tensors as the release does: two streams, fused attention, shift before scale."""
    renamed: dict[str, Tensor] = {}
    outputs = ("norm_out.linear", f"transformer_blocks.{depth - 1}.norm1_context.linear")
    for name, value in tensors.items():
        if re.search(r"attn2?\.(to_[qkv]|add_[qkv]_proj)\.", name):
            continue
        if name.startswith(outputs):
            scale, shift = value.chunk(2)
            value = torch.cat([shift, scale])
        renamed[_replaced(name, MMDIT_WORDS)] = value
    for block in range(depth):
        for kind in ("weight", "bias"):
            for theirs, ours in (
                ("attn.to_{}", "x_block.attn"),
                ("attn2.to_{}", "x_block.attn2"),
                ("attn.add_{}_proj", "context_block.attn"),
            ):
                names = [f"transformer_blocks.{block}.{theirs.format(matrix)}.{kind}" for matrix in "qkv"]
                if names[0] in tensors:
                    renamed[f"joint_blocks.{block}.{ours}.qkv.{kind}"] = torch.cat([tensors[name] for name in names])
    return renamed


def _replaced(name: str, words: Mapping[str, str]) -> str:
    for pattern, word in words.items():
        name = re.sub(pattern, word, name)
    return name


# --- one set for all tests ------------------------------------------------------------------------------------------

_FOLDER = TemporaryDirectory(prefix="graphgen-tiny-")


@cache
def shared_tiny(arch: Arch) -> Tiny:
    """Return the tiny model of seed 0, made once for all tests; do not write into it."""
    torch.set_num_threads(1)  # tiny models are slower on several threads
    return make_tiny(arch, 0, Path(_FOLDER.name))
