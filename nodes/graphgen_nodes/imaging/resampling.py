"""Planes of numbers made larger or smaller, by Pillow's filters in float32.

Pillow widens a filter when it makes something smaller, so that nothing is skipped; its 32-bit mode keeps what 8 bits
would round.
"""

from __future__ import annotations

from typing import Literal

import numpy
import PIL.Image
import torch
from PIL.Image import Resampling
from torch import Tensor

from graphgen_nodes.imaging.geometry import Box, Size

Method = Literal["lanczos", "bicubic", "bilinear", "area", "nearest"]

_FILTERS: dict[Method, Resampling] = {
    "lanczos": Resampling.LANCZOS,
    "bicubic": Resampling.BICUBIC,
    "bilinear": Resampling.BILINEAR,
    "area": Resampling.BOX,
    "nearest": Resampling.NEAREST,
}


def resample(values: Tensor, size: Size, method: Method, box: Box | None = None) -> Tensor:
    """Resize `values[..., height, width]` to `[..., size.height, size.width]` in float32, clamped to 0..1.

    `box` is the part to take, in pixels; the whole by default. Values that stay in place are not touched.
    """
    *leading, height, width = values.shape
    whole = Box(0, 0, width, height)
    box = whole if box is None else box
    if box == whole and size == (width, height):
        return values
    planes = values.detach().to("cpu", torch.float32).reshape(-1, height, width).numpy()
    resized = numpy.empty((len(planes), size.height, size.width), numpy.float32)
    for index, plane in enumerate(planes):
        resized[index] = numpy.asarray(PIL.Image.fromarray(plane).resize(size, _FILTERS[method], box))
    return torch.from_numpy(resized).clamp_(0, 1).reshape(*leading, size.height, size.width)
