"""Colours of one picture given to another: functions over `pixels[batch, 3, height, width]`, RGB in 0..1."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from graphgen_nodes.imaging.geometry import Size
from graphgen_nodes.imaging.pictures import check_same
from graphgen_nodes.imaging.resampling import resample
from graphgen_nodes.sockets import Image

Matching = Literal["statistics", "histogram", "wavelet"]

_XYZ = torch.tensor(
    [[0.4123908, 0.3575843, 0.1804808], [0.2126390, 0.7151687, 0.0721923], [0.0193308, 0.1191948, 0.9505322]],
    dtype=torch.float64,
)
"""From linear sRGB to CIE XYZ (IEC 61966-2-1)."""
_WHITE = _XYZ.sum(dim=1)
_BEND, _SLOPE = 216 / 24389, 24389 / 27
"""Where CIE Lab turns from a line into a cube root, and the line's slope."""
LEVELS = 5
"""Levels of detail that a picture keeps by `wavelet`: up to 32 pixels."""


def match(image: Image, reference: Image, method: Matching, strength: float) -> Image:
    """Give pictures the colours of others, one for all or one for each; transparency stays.

    Raises:
        ValueError: the batches differ.
    """
    size = Size(1, 1)
    check_same({"image": size, "reference": size}, {"image": len(image.pixels), "reference": len(reference.pixels)})
    count = max(len(image.pixels), len(reference.pixels))
    pixels = image.pixels.expand(count, -1, -1, -1)
    colours, wanted = pixels[:, :3], reference.pixels[:, :3].expand(count, -1, -1, -1)
    found = {"statistics": by_statistics, "histogram": by_histogram, "wavelet": by_wavelet}[method](colours, wanted)
    mixed = (colours + strength * (found - colours)).clamp(0, 1)
    return Image(torch.cat([mixed, pixels[:, 3:]], dim=1))


def by_statistics(pixels: Tensor, reference: Tensor) -> Tensor:
    """Give pictures the mean and deviation of others in CIE Lab (Reinhard et al. 2001, there in another such space)."""
    lab, wanted = to_lab(pixels), to_lab(reference)
    axes = (2, 3)
    deviation = lab.std(dim=axes, keepdim=True, correction=0).clamp(min=1e-9)
    scale = wanted.std(dim=axes, keepdim=True, correction=0) / deviation
    matched = (lab - lab.mean(dim=axes, keepdim=True)) * scale + wanted.mean(dim=axes, keepdim=True)
    return from_lab(matched).to(pixels)


def by_histogram(pixels: Tensor, reference: Tensor) -> Tensor:
    """Give each channel the distribution of values of another's: the darkest pixel its darkest value, and so on."""
    flat, wanted = pixels.flatten(2), reference.flatten(2).sort(dim=2).values
    if wanted.shape[2] != flat.shape[2]:
        wanted = functional.interpolate(wanted, size=flat.shape[2], mode="linear", align_corners=True)
    places = flat.argsort(dim=2, stable=True)
    return torch.zeros_like(flat).scatter_(2, places, wanted).reshape(pixels.shape)


def by_wavelet(pixels: Tensor, reference: Tensor) -> Tensor:
    """Keep pictures' details and take all that is coarser from others, stretched to their size (à trous wavelets)."""
    size = Size(pixels.shape[3], pixels.shape[2])
    return pixels - _coarse(pixels) + _coarse(resample(reference, size, "bicubic"))


def to_lab(pixels: Tensor) -> Tensor:
    """Return CIE Lab in float64: lightness 0..100, and two colour axes; white is that of sRGB (D65)."""
    values = pixels.double()
    linear = torch.where(values <= 0.04045, values / 12.92, ((values.clamp(min=0) + 0.055) / 1.055) ** 2.4)
    relative = torch.einsum("rc,bchw->brhw", _XYZ, linear) / _WHITE.reshape(1, 3, 1, 1)
    bent = torch.where(relative > _BEND, relative.clamp(min=_BEND) ** (1 / 3), (_SLOPE * relative + 16) / 116)
    x, y, z = bent.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def from_lab(lab: Tensor) -> Tensor:
    """Return the RGB of CIE Lab; colours that no screen shows lie outside 0..1."""
    lightness, a, b = lab.unbind(1)
    y = (lightness + 16) / 116
    bent = torch.stack([y + a / 500, y, y - b / 200], dim=1)
    relative = torch.where(bent**3 > _BEND, bent**3, (116 * bent - 16) / _SLOPE) * _WHITE.reshape(1, 3, 1, 1)
    linear = torch.einsum("rc,bchw->brhw", torch.linalg.inv(_XYZ), relative)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def _coarse(pixels: Tensor) -> Tensor:
    """Return what is left of pictures when `LEVELS` levels of detail are taken away."""
    row = torch.tensor([0.25, 0.5, 0.25])
    kernel = torch.outer(row, row).expand(pixels.shape[1], 1, 3, 3).to(pixels)
    for level in range(LEVELS):
        reach = 2**level
        padded = functional.pad(pixels, (reach,) * 4, mode="replicate")
        pixels = functional.conv2d(padded, kernel, dilation=reach, groups=pixels.shape[1])
    return pixels
