"""Sample pictures with diffusers alone: the loop that other implementations are compared with."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, UNet2DConditionModel
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from training.emoji.text import encode_words


@dataclass(frozen=True)
class Model:
    """Hold the parts of the model."""

    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    unet: UNet2DConditionModel
    vae: AutoencoderKL


def load_model(folder: Path) -> Model:
    """Load a saved model in float32."""
    return Model(
        CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        CLIPTextModel.from_pretrained(folder / "text_encoder", torch_dtype=torch.float32).eval(),
        UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float32).eval(),
        AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32).eval(),
    )


@torch.no_grad()
def sample(
    model: Model,
    prompts: list[str],
    seeds: list[int],
    steps: int = 20,
    guidance: float = 3.0,
    shift: float = 3.0,
) -> np.ndarray:
    """Sample one picture per prompt and seed: float32 0..1, (N, 64, 64, 3)."""
    noise = [torch.randn(4, 16, 16, generator=torch.Generator().manual_seed(s)) for s in seeds]
    conditional, empty = encode(model, prompts), encode(model, [""] * len(prompts))
    scheduler = FlowMatchEulerDiscreteScheduler(num_train_timesteps=1000, shift=shift)
    scheduler.set_timesteps(steps)
    x = torch.stack(noise)
    for t in scheduler.timesteps:
        with_text = model.unet(x, t, conditional).sample
        without = model.unet(x, t, empty).sample
        velocity = without + guidance * (with_text - without)
        x = scheduler.step(velocity, t, x).prev_sample
    image = model.vae.decode(x / model.vae.config.scaling_factor).sample
    pixels: np.ndarray = (image / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    return pixels


def encode(model: Model, prompts: list[str]) -> Tensor:
    """Return the text encoder's last hidden states, (N, 77, width)."""
    states: Tensor = model.text_encoder(encode_words(model.tokenizer, prompts)).last_hidden_state
    return states


def save_sheet(path: Path, images: np.ndarray, columns: int, scale: int = 2) -> None:
    """Write a contact sheet, row by row."""
    count, height, width, _ = images.shape
    sheet = Image.new("RGB", (columns * width, -(-count // columns) * height))
    for index, image in enumerate(images):
        tile = Image.fromarray((image * 255 + 0.5).astype(np.uint8))
        sheet.paste(tile, (index % columns * width, index // columns * height))
    sheet.resize((sheet.width * scale, sheet.height * scale), Image.Resampling.BICUBIC).save(path)
