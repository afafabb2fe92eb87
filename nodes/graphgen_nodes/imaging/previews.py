"""Small pictures that show a node's work in progress."""

from __future__ import annotations

import io

import PIL.Image
import torch
from torch import Tensor

from graphgen import Preview
from graphgen_nodes.imaging.files import to_pillow


def preview_of(pixels: Tensor, longest: int = 512) -> Preview:
    """Return `pixels[channels, height, width]` in 0..1 as a JPEG whose longer side is at most `longest` pixels.

    NaN and infinities show as black and white, since a preview must not stop a run; transparency shows as black.
    """
    values = torch.nan_to_num(pixels.detach().float(), nan=0.0, posinf=1.0, neginf=0.0)
    picture = to_pillow(values if len(values) == 3 else values[:3] * values[3:])
    picture.thumbnail((longest, longest), PIL.Image.Resampling.BILINEAR)
    target = io.BytesIO()
    picture.save(target, "JPEG", quality=80)
    return Preview(target.getvalue(), "image/jpeg")
