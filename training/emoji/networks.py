"""Make the text encoder and the denoiser, and save the whole model in diffusers' folder layout."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from training.emoji.tokens import LENGTH, write_tokenizer

VOCABULARY = 49408
TEXT_WIDTH = 64
SHIFT = 3.0


def make_text_encoder(vocabulary: int = VOCABULARY) -> CLIPTextModel:
    """Make a small CLIP text encoder with fresh weights."""
    config = CLIPTextConfig(
        vocab_size=vocabulary,
        hidden_size=TEXT_WIDTH,
        intermediate_size=4 * TEXT_WIDTH,
        num_hidden_layers=4,
        num_attention_heads=4,
        max_position_embeddings=LENGTH,
        hidden_act="quick_gelu",
        projection_dim=TEXT_WIDTH,
        bos_token_id=VOCABULARY - 2,
        eos_token_id=VOCABULARY - 1,
        pad_token_id=VOCABULARY - 1 if vocabulary == VOCABULARY else None,
        attention_dropout=0.0,
    )
    return CLIPTextModel(config)


def make_denoiser() -> UNet2DConditionModel:
    """Make the denoiser with fresh weights: 6.6 million parameters for 16 x 16 latents."""
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(64, 128, 128),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=TEXT_WIDTH,
        attention_head_dim=(2, 4, 4),
        norm_num_groups=16,
        # The pooled text joins the time embedding and so reaches every block: nouns are learnt much
        # sooner than through cross-attention alone.
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def save_pipeline(
    folder: Path,
    vocabulary: Path,
    text_encoder: CLIPTextModel,
    denoiser: UNet2DConditionModel,
    autoencoder: AutoencoderKL,
) -> None:
    """Write a diffusers folder in half precision; `vocabulary` is open-clip's wheel or its file."""
    half = torch.float16
    text_encoder.to(half).save_pretrained(folder / "text_encoder")
    denoiser.to(half).save_pretrained(folder / "unet")
    autoencoder.to(half).save_pretrained(folder / "vae")
    for part in ("unet", "vae"):
        forget_origin(folder / part / "config.json")
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=SHIFT)
    scheduler.save_pretrained(folder / "scheduler")
    write_tokenizer(vocabulary, folder / "tokenizer")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "_diffusers_version": "0.42.1",
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    text = json.dumps(index, indent=2) + "\n"
    (folder / "model_index.json").write_text(text, encoding="utf-8")


def forget_origin(path: Path) -> None:
    """Drop the folder that a network was loaded from: it means nothing elsewhere."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config.pop("_name_or_path", None)
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
