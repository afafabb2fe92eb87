"""What image encoders say of pictures, and embeddings of faces out of files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import PIL.Image
import torch
from safetensors import safe_open
from torch import Tensor

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.imaging.pictures import flatten
from graphgen_nodes.ip_adapter.handles import embedding_tensor
from graphgen_nodes.sockets import Image, ImageEmbedding

MEAN = (0.48145466, 0.4578275, 0.40821073)
DEVIATION = (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained on, for each channel."""


def clip_pixels(image: Image, side: int) -> Tensor:
    """Return pictures as CLIP takes them, `[batch, 3, side, side]`.

    The short side is made `side` long by Pillow's bicubic filter in eight bits a channel, the middle is cut out, and
    the channels are normalised: what transformers' CLIPImageProcessor does.
    """
    mean, deviation = (torch.tensor(numbers).reshape(1, 3, 1, 1) for numbers in (MEAN, DEVIATION))
    return (_stacked(image, side, _square) - mean) / deviation


def siglip_pixels(image: Image, side: int) -> Tensor:
    """Return pictures as SigLIP takes them, `[batch, 3, side, side]` in -1..1.

    The whole picture is stretched to a square by Pillow's bicubic filter, as transformers' SiglipImageProcessor does.
    """
    return _stacked(image, side, _stretched) * 2 - 1


@torch.no_grad()
def read(encoder: Any, image: Image) -> ImageEmbedding:
    """Return what a CLIPVisionModelWithProjection or a SiglipVisionModel says of pictures, on the CPU in float32."""
    like, side = next(encoder.parameters()), encoder.config.image_size
    if "siglip" in encoder.config.model_type:
        told = encoder(siglip_pixels(image, side).to(like), output_hidden_states=True)
        embeds, states = told.pooler_output, told.hidden_states[-2]
        found = (embeds, states, torch.zeros_like(states[:1]), torch.zeros_like(embeds[:1]))
    else:
        nothing = Image(torch.zeros(1, 3, side, side))
        pixels = torch.cat([clip_pixels(picture, side) for picture in (image, nothing)]).to(like)
        told = encoder(pixels, output_hidden_states=True)
        blank = encoder(torch.zeros_like(pixels[:1]), output_hidden_states=True).hidden_states[-2]
        found = (told.image_embeds[:-1], told.hidden_states[-2][:-1], blank, told.image_embeds[-1:])
    return ImageEmbedding(*(tensor.float().cpu() for tensor in found))


def load_embedding(path: Path, name: str) -> ImageEmbedding:
    """Read an embedding from a safetensors file.

    Raises:
        CheckpointError: it holds none, or numbers that are NaN or infinite.
    """
    found, shape = embedding_tensor(path, name)
    with safe_open(path, framework="pt") as file:
        value: Tensor = file.get_tensor(found).float()
    if not torch.isfinite(value).all():
        raise CheckpointError(f"{path}: the tensor {found!r} holds NaN or an infinity; make the file again")
    return ImageEmbedding(value.reshape(-1, shape[-1]))


def _stacked(image: Image, side: int, fit: Callable[[PIL.Image.Image, int], PIL.Image.Image]) -> Tensor:
    """Return pictures in 0..1, `[batch, 3, side, side]`, each made a square of eight bits a channel."""
    fitted = []
    for pixels in flatten(image, "#ffffff").pixels:
        values = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
        fitted.append(numpy.asarray(fit(PIL.Image.fromarray(values), side)))
    return torch.from_numpy(numpy.stack(fitted)).permute(0, 3, 1, 2).float() / 255


def _square(picture: PIL.Image.Image, side: int) -> PIL.Image.Image:
    short = min(picture.size)
    width, height = int(side * picture.width / short), int(side * picture.height / short)
    left, top = (width - side) // 2, (height - side) // 2
    resized = picture.resize((width, height), PIL.Image.Resampling.BICUBIC)
    return resized.crop((left, top, left + side, top + side))


def _stretched(picture: PIL.Image.Image, side: int) -> PIL.Image.Image:
    return picture.resize((side, side), PIL.Image.Resampling.BICUBIC)
