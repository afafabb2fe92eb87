"""Autoencoders: latents to pictures, and pictures to latents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from graphgen import Context, Facts, Known, Seed, Slider, hookimpl, node
from graphgen_nodes.facts import (
    check_multiple,
    check_same_format,
    count_of,
    latent_facts,
    picture_facts,
    size_of,
)
from graphgen_nodes.halves import check_half
from graphgen_nodes.sockets import Autoencoder, Image, Latent

if TYPE_CHECKING:
    from torch import nn

Model = Annotated[Autoencoder, Field(description="The model's autoencoder.")]
Tile = Annotated[
    int,
    Field(ge=0, le=16384, description="Work in tiles where a picture is wider or higher than this; 0: never."),
    Slider(step=64),
]


def _decoded(known: Known) -> dict[str, Facts]:
    autoencoder, latent = known.inputs.get("autoencoder", {}), known.inputs.get("latent", {})
    cure = "decode it with the autoencoder of the model that made it"
    check_same_format(autoencoder, latent, what="the autoencoder", cure=cure)
    check_half(autoencoder.get("halves"), "decoder")
    return {"image": picture_facts(size_of(latent), count_of(latent, "batch"), 3)}


def _encoded(known: Known) -> dict[str, Facts]:
    autoencoder, image = known.inputs.get("autoencoder", {}), known.inputs.get("image", {})
    check_half(autoencoder.get("halves"), "encoder")
    told = autoencoder.get("format")
    unit = count_of(told, "downscale") if isinstance(told, Mapping) else None
    sides = {name: count_of(image, name) for name in ("width", "height")}
    for name, pixels in sides.items():
        if pixels is not None and unit is not None:
            check_multiple(name, pixels, unit, "image")
    return {"latent": latent_facts(told, sides["width"], sides["height"], count_of(image, "batch"))}


@node(
    category="latents", title="Decode latent", device="gpu", infer=_decoded, aliases=("VAE decode", "Latent to image")
)
def decode(
    context: Context,
    autoencoder: Model,
    latent: Annotated[Latent, Field(description="What to decode.")],
    *,
    tile: Tile = 1024,
) -> Image:
    """Turn latents into pictures; those of models that work on pixels are pictures already, but for their range.

    Raises:
        ValueError: the latent is of another format than the autoencoder's.
    """
    from graphgen_nodes.imaging import autoencoder as coding

    coding.check_format(latent.format, autoencoder.latent)
    check_half(autoencoder.halves, "decoder")
    if autoencoder.weights is None:
        return coding.pixels_of(latent)

    raw = replace(latent, format=autoencoder.units)

    def decoded(size: int, room: int | None = None) -> Image:
        with context.resource(autoencoder, room=room) as module:
            return coding.decode(cast("nn.Module", module), raw, size, context.progress)

    longest = max(latent.samples.shape[-2:]) * latent.format.downscale
    return coding.in_smaller_tiles(context, decoded, tile, longest)


@node(
    category="latents", title="Encode picture", device="gpu", infer=_encoded, aliases=("VAE encode", "Image to latent")
)
def encode(
    context: Context,
    autoencoder: Model,
    image: Annotated[Image, Field(description="What to encode; an alpha channel is left out.")],
    *,
    tile: Tile = 1024,
    draw: Annotated[
        bool,
        Field(
            description="Draw from the distribution the autoencoder finds, if it does, instead of taking its middle."
        ),
    ] = False,
    seed: Annotated[int, Seed(), Field(description="For drawing; picture i of a batch takes seed + i.")] = 0,
) -> Latent:
    """Turn pictures into latents; sides must be multiples of the autoencoder's pixels to a cell, mostly 8."""
    from graphgen_nodes.imaging import autoencoder as coding

    check_half(autoencoder.halves, "encoder")
    if autoencoder.weights is None:
        return coding.latent_of(image, autoencoder.latent)

    def encoded(size: int, room: int | None = None) -> Latent:
        with context.resource(autoencoder, room=room) as module:
            network, units = cast("nn.Module", module), autoencoder.units
            found = coding.encode(network, image, units, size, context.progress, seed if draw else None)
            return replace(found, format=autoencoder.latent)

    return coding.in_smaller_tiles(context, encoded, tile, max(image.pixels.shape[-2:]))


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute decoding and encoding."""
    return [decode, encode]
