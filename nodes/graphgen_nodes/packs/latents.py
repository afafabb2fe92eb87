"""Latents to begin with, mixed ones, larger ones, and repeated ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from pydantic import Field

from graphgen import Facts, Known, Refusal, Slider, hookimpl, node
from graphgen_nodes.facts import check_latent_size, check_multiple, count_of, denoiser_facts, latent_facts
from graphgen_nodes.settings import Ratio
from graphgen_nodes.sockets import Denoiser, Latent

MOST_PIXELS = 2**28
"""The most pixels of all images of a batch together (256 pictures of 1024 by 1024)."""


def _empty(known: Known) -> dict[str, Facts]:
    wants, settings = known.inputs.get("denoiser", {}), known.settings
    width, height, batch = (count_of(settings, name) for name in ("width", "height", "batch"))
    _check_pixels(width, height, batch)
    check_latent_size(wants, width, height, at=("width", "height"))
    return {"latent": latent_facts(wants.get("format"), width, height, batch)}


def _check_pixels(width: int | None, height: int | None, batch: int | None, at: str = "batch") -> None:
    if width is not None and height is not None and batch is not None and width * height * batch > MOST_PIXELS:
        raise Refusal(
            f"is {batch}, but {batch} images of {width} by {height} have more than {MOST_PIXELS:,} pixels",
            at=at,
            cure="make fewer or smaller images at a time",
        )


@node(category="latents", title="Empty latent", infer=_empty, aliases=("Empty latent image",))
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
    check_latent_size(denoiser_facts(denoiser), width, height, at=("width", "height"))
    _check_pixels(width, height, batch)
    import torch

    cells = height // denoiser.latent.downscale, width // denoiser.latent.downscale
    return Latent(torch.zeros(batch, denoiser.latent.channels, *cells), denoiser.latent)


def _blended(known: Known) -> dict[str, Facts]:
    first, second = known.inputs.get("first", {}), known.inputs.get("second", {})
    for name, what in (("format", "format"), ("width", "width"), ("height", "height")):
        if name in first and name in second and first[name] != second[name]:
            raise Refusal(f"differs from the first one in {what}", at="second", cure="make both alike")
    counts = [count_of(first, "batch"), count_of(second, "batch")]
    known_counts = {count for count in counts if count is not None}
    if len(known_counts - {1}) > 1:
        told = f"has {counts[1]} images and the first one {counts[0]}"
        raise Refusal(told, at="second", allowed="equally many, or 1", cure="make both alike")
    shared = {name: fact for name, fact in {**second, **first}.items() if name != "batch"}
    return {"latent": {**shared, **({} if None in counts else {"batch": max(known_counts)})}}


@node(category="latents", title="Blend latents", infer=_blended, aliases=("Interpolate latents",))
def blend(
    first: Annotated[Latent, Field(description="What ratio 0 is.")],
    second: Annotated[Latent, Field(description="What ratio 1 is, of the same size and format.")],
    *,
    ratio: Ratio = 0.5,
) -> Latent:
    """Mix two latents: (1 - ratio) * first + ratio * second.

    Noised with one seed, the mix is what mixing the two noised latents gives: so sampling from it, along a slice of a
    schedule, interpolates between two pictures as DDPM does (Ho et al. 2020, section 4.3).
    """
    if first.format != second.format or first.samples.shape[1:] != second.samples.shape[1:]:
        raise Refusal("differs from the first one in format or size", at="second", cure="make both alike")
    return Latent((1 - ratio) * first.samples + ratio * second.samples, first.format)


def _resized(known: Known) -> dict[str, Facts]:
    latent, settings = known.inputs.get("latent", {}), known.settings
    width, height, batch = count_of(settings, "width"), count_of(settings, "height"), count_of(latent, "batch")
    told = latent.get("format")
    _check_pixels(width, height, batch)
    for name, pixels in (("width", width), ("height", height)):
        cell = count_of(told, "downscale") if isinstance(told, Mapping) else None
        if pixels is not None and cell is not None:
            check_multiple(name, pixels, cell, name)
    return {"latent": latent_facts(told, width, height, batch)}


@node(category="latents", title="Resize latent", infer=_resized, aliases=("Latent upscale",))
def resize(
    latent: Annotated[Latent, Field(description="What to make larger or smaller.")],
    *,
    width: Annotated[int, Field(ge=8, le=16384, description="Of its picture, in pixels."), Slider(step=8)] = 1024,
    height: Annotated[int, Field(ge=8, le=16384, description="Of its picture, in pixels."), Slider(step=8)] = 1024,
    method: Annotated[
        Literal["nearest", "bilinear", "bicubic"], Field(description="How values between cells are found.")
    ] = "bicubic",
) -> Latent:
    """Make latents larger or smaller, without decoding them.

    What comes out is blurred or blocky: redraw it from the middle of a schedule on (hires fix). Enlarging the decoded
    picture, by images.resize or images.upscale, keeps more.
    """
    from torch.nn.functional import interpolate

    cell = latent.format.downscale
    for name, pixels in (("width", width), ("height", height)):
        check_multiple(name, pixels, cell, name)
    _check_pixels(width, height, len(latent.samples))
    size = (height // cell, width // cell)
    return Latent(interpolate(latent.samples, size=size, mode=method), latent.format)


def _repeated(known: Known) -> dict[str, Facts]:
    latent, count = known.inputs.get("latent", {}), count_of(known.settings, "count")
    batch, rest = count_of(latent, "batch"), {name: fact for name, fact in latent.items() if name != "batch"}
    if batch is None or count is None:
        return {"latent": rest}
    _check_pixels(count_of(latent, "width"), count_of(latent, "height"), batch * count, at="count")
    return {"latent": {**rest, "batch": batch * count}}


@node(category="latents", title="Repeat latent", infer=_repeated, aliases=("Repeat latent batch",))
def repeat(
    latent: Annotated[Latent, Field(description="What to repeat.")],
    *,
    count: Annotated[int, Field(ge=1, le=4096, description="How often each image comes.")] = 2,
) -> Latent:
    """Make a batch of each image of a batch several times: of a and b, twice each, the batch a, a, b, b."""
    samples = latent.samples.repeat_interleave(count, dim=0)
    height, width = (cells * latent.format.downscale for cells in samples.shape[-2:])
    _check_pixels(width, height, len(samples), at="count")
    return Latent(samples, latent.format)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute empty, mixed, resized and repeated latents."""
    return [empty, blend, resize, repeat]
