"""What image encoders say of pictures, and embeddings of faces out of files."""

from __future__ import annotations

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
    squares = [_square(pixels, side) for pixels in flatten(image, "#ffffff").pixels]
    values = torch.from_numpy(numpy.stack(squares)).permute(0, 3, 1, 2).float() / 255
    mean, deviation = (torch.tensor(numbers).reshape(1, 3, 1, 1) for numbers in (MEAN, DEVIATION))
    return (values - mean) / deviation


@torch.no_grad()
def read(encoder: Any, image: Image) -> ImageEmbedding:
    """Return what a CLIPVisionModelWithProjection says of pictures, on the CPU in float32."""
    like = encoder.visual_projection.weight
    pixels = clip_pixels(image, encoder.config.image_size).to(like)
    told = encoder(pixels, output_hidden_states=True)
    blank = encoder(torch.zeros_like(pixels[:1]), output_hidden_states=True).hidden_states[-2]
    return ImageEmbedding(*(found.float().cpu() for found in (told.image_embeds, told.hidden_states[-2], blank)))


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


def _square(pixels: Tensor, side: int) -> numpy.ndarray:
    values = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    height, width = values.shape[:2]
    short = min(width, height)
    size = (int(side * width / short), int(side * height / short))
    resized = numpy.asarray(PIL.Image.fromarray(values).resize(size, PIL.Image.Resampling.BICUBIC))
    left, top = (size[0] - side) // 2, (size[1] - side) // 2
    return resized[top : top + side, left : left + side]
