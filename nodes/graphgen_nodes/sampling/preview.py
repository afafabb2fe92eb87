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
from graphgen_nodes.sampling.projections import project
from graphgen_nodes.sockets import Autoencoder, Latent, LatentFormat
from graphgen_nodes.weights import memory_errors

SIDE = 256
"""The longer side of a preview by a linear map, in pixels."""

TILE = 512
"""The pixels that an autoencoder decodes at a time, so that previews need little memory whatever the picture."""


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
