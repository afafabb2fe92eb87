"""Latents to begin with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Facts, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.sockets import Denoiser, Latent

MOST_PIXELS = 2**28
"""The most pixels of all images of a batch together (256 pictures of 1024 by 1024)."""


def _infer_empty(known: Known) -> dict[str, Facts]:
    latent_format = known.inputs.get("denoiser", {}).get("format")
    batch = known.settings.get("batch")
    facts: dict[str, Facts] = {}
    if isinstance(latent_format, dict) and isinstance(downscale := latent_format.get("downscale"), int):
        sizes = {name: known.settings.get(name) for name in ("width", "height")}
        for name, size in sizes.items():
            if isinstance(size, int):
                _check_size(name, size, downscale)
        cells = {name: size // downscale for name, size in sizes.items() if isinstance(size, int)}
        facts = {"latent": {"format": latent_format, "batch": batch, **cells}}
    _check_pixels(known.settings.get("width"), known.settings.get("height"), batch)
    return facts


def _check_size(name: str, size: int, downscale: int) -> None:
    if size % downscale:
        lower = size // downscale * downscale
        raise Refusal(
            f"is {size}, which is no multiple of {downscale}, the pixels to one latent cell of this model",
            at=name,
            allowed=f"multiples of {downscale}",
            cure=f"take {lower or downscale} or {lower + downscale}",
        )


def _check_pixels(width: object, height: object, batch: object) -> None:
    if not (isinstance(width, int) and isinstance(height, int) and isinstance(batch, int)):
        return
    if width * height * batch > MOST_PIXELS:
        raise Refusal(
            f"is {batch}, but {batch} images of {width} by {height} have more than {MOST_PIXELS:,} pixels",
            at="batch",
            cure="make fewer or smaller images at a time",
        )


@node(category="latents", infer=_infer_empty)
def empty(
    denoiser: Annotated[Denoiser, Field(description="The model whose latents to make.")],
    *,
    width: Annotated[int, Field(ge=8, le=16384, description="In pixels."), Slider(step=8)] = 512,
    height: Annotated[int, Field(ge=8, le=16384, description="In pixels."), Slider(step=8)] = 512,
    batch: Annotated[int, Field(ge=1, le=4096, description="How many images to make at a time.")] = 1,
) -> Latent:
    """Make a batch of empty latents, all zeros, for a model: where text-to-image begins.

    Width and height are multiples of the model's pixels to a latent cell, 8 for Stable Diffusion.
    """
    for name, size in (("width", width), ("height", height)):
        _check_size(name, size, denoiser.latent.downscale)
    _check_pixels(width, height, batch)
    import torch

    cells = height // denoiser.latent.downscale, width // denoiser.latent.downscale
    return Latent(torch.zeros(batch, denoiser.latent.channels, *cells), denoiser.latent)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the empty latents."""
    return [empty]
