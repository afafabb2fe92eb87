"""Small pictures of a latent while it forms: by one linear map from its channels to RGB, or by a tiny autoencoder.

In: a denoised latent and its format. Out: a preview.
"""

from __future__ import annotations

from io import BytesIO
from typing import cast

import torch
from PIL import Image as Picture
from torch import Tensor, nn

from graphgen import Context, Preview, ResourceError
from graphgen_nodes.imaging.autoencoder import decode
from graphgen_nodes.imaging.previews import preview_of
from graphgen_nodes.sockets import Autoencoder, Latent, LatentFormat
from graphgen_nodes.weights import memory_errors

SIDE = 256
"""The longer side of a preview by a linear map, in pixels."""

TILE = 512
"""The pixels that an autoencoder decodes at a time, so that previews need little memory whatever the picture."""

PROJECTIONS: dict[LatentFormat, tuple[tuple[float, ...], ...]] = {
    # measured on Stable Diffusion 1.4: discuss.huggingface.co/t/decoding-latents-to-rgb-without-upscaling/23204
    LatentFormat("sd", 4, 0.18215): (
        (0.298, 0.187, -0.158, -0.184),
        (0.207, 0.286, 0.189, -0.271),
        (0.208, 0.173, 0.264, -0.473),
    ),
}
"""For each known format, how much of each channel is in red, green and blue (-1..1), and perhaps a constant last."""


class Previewer:
    """Makes previews of the latents of one run, by an autoencoder where there is one, for as long as that works."""

    def __init__(self, context: Context, latent_format: LatentFormat, autoencoder: Autoencoder | None = None) -> None:
        self._context = context
        self._format = latent_format
        self._autoencoder = autoencoder

    def show(self, denoised: Tensor) -> Preview:
        """Return a preview of the first picture of `denoised[batch, channels, ..., height, width]`.

        A preview must not stop a run: where the autoencoder cannot be loaded or finds no memory, that is told once, and
        the linear map is taken from then on.
        """
        if self._autoencoder is not None and self._autoencoder.weights is not None:
            try:
                return self._decoded(denoised, self._autoencoder)
            except (MemoryError, ResourceError) as error:
                self._autoencoder = None
                self._context.log(f"goes on with rough previews: {error}", warning=True)
        return Preview(preview_png(denoised, self._format))

    def _decoded(self, denoised: Tensor, autoencoder: Autoencoder) -> Preview:
        latent = Latent(_first(denoised)[None], autoencoder.units)
        with memory_errors(), self._context.resource(autoencoder) as module:
            pixels = decode(cast("nn.Module", module), latent, TILE, _unreported).pixels[0]
        return preview_of(pixels)


def _unreported(done: int, total: int) -> None:
    """Take no note of how far a preview is: the progress told is the run's."""


def _first(latent: Tensor) -> Tensor:
    """Return the first frame of the first picture, `[channels, height, width]`."""
    first = latent[0].detach().float().cpu()
    while first.dim() > 3:
        first = first[:, 0]
    return first


def preview_png(latent: Tensor, latent_format: LatentFormat) -> bytes:
    """Return the first picture of `latent[batch, channels, ..., height, width]` as a PNG 256 pixels long."""
    pixels = (project(_first(latent), latent_format) * 255).round().to(torch.uint8).permute(1, 2, 0).contiguous()
    picture = Picture.frombytes("RGB", (pixels.shape[1], pixels.shape[0]), pixels.numpy().tobytes())
    scale = SIDE / max(picture.size)
    picture = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))))
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


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


def fit_projection(latents: Tensor, pixels: Tensor) -> tuple[tuple[float, ...], ...]:
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
