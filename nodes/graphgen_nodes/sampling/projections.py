"""How latents look roughly, without an autoencoder: one linear map from their channels to red, green and blue.

In: a latent and its format. Out: pixels, one for each cell of the latent.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

from graphgen_nodes.sockets import LatentFormat

Projection: TypeAlias = tuple[tuple[float, ...], ...]
"""How much of each channel is in red, green and blue (-1..1), and perhaps a constant last."""

# fmt: off
PROJECTIONS: dict[LatentFormat, Projection] = {
    # measured on Stable Diffusion 1.4: discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204
    LatentFormat("sd", 4, 0.18215): (
        (0.298, 0.187, -0.158, -0.184),
        (0.207, 0.286, 0.189, -0.271),
        (0.208, 0.173, 0.264, -0.473),
    ),
    # by fit_projection, from 22 pictures of the embedded model in all its colours; 22 others differ by 0.08 (rms)
    LatentFormat("sd", 4, 0.18215, downscale=4): (
        (-0.1169, -0.0456, 0.5735, 0.3100, 0.5036),
        (-0.2357, -0.3681, 0.2979, 0.0350, 0.3168),
        (0.4960, 0.4784, 0.4560, -0.3995, 0.2450),
    ),
    # the others as published with InvokeAI: invokeai/app/util/step_callback.py
    LatentFormat("sdxl", 4, 0.13025): (
        (0.3816, -0.3753, 0.1770, -0.4350),
        (0.4930, 0.1631, 0.3588, -0.2644),
        (0.5320, 0.1739, -0.2048, -0.4289),
    ),
    LatentFormat("sd3", 16, 1.5305, 0.0609): (
        (-0.0524, -0.0581, 0.1614, 0.1442, 0.0489, 0.0519, 0.1539, -0.0860,
         -0.1240, -0.0440, 0.0310, -0.0132, 0.0646, -0.0786, -0.0992, -0.0339),
        (0.0325, 0.0076, 0.0127, 0.0846, 0.0056, 0.1922, 0.0482, 0.0901,
         -0.0677, 0.0783, 0.0638, 0.0855, 0.0591, -0.0226, -0.0801, -0.0804),
        (0.0749, 0.0573, -0.0377, 0.1594, -0.0669, 0.0626, 0.0710, 0.1089,
         0.0034, 0.0226, 0.0775, -0.0877, 0.1326, -0.1276, -0.0626, -0.0608),
    ),
    LatentFormat("flux", 16, 0.3611, 0.1159): (
        (-0.0412, 0.0056, 0.0342, -0.0258, 0.0863, -0.0017, 0.0501, -0.0209,
         -0.0314, 0.0851, -0.0534, 0.0452, 0.0892, -0.1117, 0.0027, -0.1146),
        (0.0149, 0.0291, -0.0681, 0.0092, 0.0784, 0.0402, 0.1058, -0.0218,
         0.0083, 0.0665, 0.0238, -0.0026, 0.0831, -0.0304, -0.0479, -0.0827),
        (0.0521, 0.0768, -0.0427, 0.0463, 0.0547, 0.0158, 0.1152, -0.0329,
         0.0896, -0.0472, -0.0024, 0.0048, 0.0881, -0.0789, -0.0043, -0.0598),
    ),
}
"""The projections of known formats."""
# fmt: on


def project(latent: Tensor, latent_format: LatentFormat) -> Tensor:
    """Return `rgb[3, height, width]` in 0..1 from `latent[channels, height, width]`.

    Formats without a known projection show their first three channels, each spread over the range.
    """
    if latent_format.family == "pixels" and len(latent) in (1, 3):
        pixels = (latent / latent_format.scale + latent_format.shift) / 2 + 0.5
        return pixels.clamp(0, 1).expand(3, -1, -1)
    known = PROJECTIONS.get(latent_format)
    if known is None:
        shown = latent[[0, min(1, len(latent) - 1), min(2, len(latent) - 1)]]
        low, high = shown.amin(dim=(1, 2), keepdim=True), shown.amax(dim=(1, 2), keepdim=True)
        return (shown - low) / (high - low).clamp(min=1e-6)
    factors = torch.tensor(known)
    if factors.shape[1] > len(latent):
        latent = torch.cat([latent, torch.ones_like(latent[:1])])
    return (torch.einsum("rc,chw->rhw", factors, latent) / 2 + 0.5).clamp(0, 1)


def fit_projection(latents: Tensor, pixels: Tensor) -> Projection:
    """Return the least-squares projection, a constant last, for an entry of `PROJECTIONS`.

    `latents[batch, channels, height, width]` are in scaled units, `pixels[batch, 3, H, W]` (0..1) what they decode to;
    pixels are averaged over each latent cell.
    """
    height, width = latents.shape[-2:]
    targets = torch.nn.functional.adaptive_avg_pool2d(pixels, (height, width)) * 2 - 1
    rows = latents.movedim(1, -1).reshape(-1, latents.shape[1])
    rows = torch.cat([rows, torch.ones(len(rows), 1)], dim=1)
    solution = torch.linalg.lstsq(rows.double(), targets.movedim(1, -1).reshape(-1, 3).double()).solution
    return tuple(tuple(round(float(value), 4) for value in row) for row in solution.T)
