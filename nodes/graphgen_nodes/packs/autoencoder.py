"""Autoencoders: latents to pictures, and pictures to latents."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import Field

from graphgen import Context, Facts, Known, Refusal, Seed, Slider, hookimpl, node
from graphgen_nodes.sockets import Autoencoder, Image, Latent

if TYPE_CHECKING:
    from torch import nn

Model = Annotated[Autoencoder, Field(description="The model's autoencoder.")]
Tile = Annotated[
    int,
    Field(ge=0, le=16384, description="Work in tiles where a picture is wider or higher than this; 0: never."),
    Slider(step=64),
]


def _decoded_facts(known: Known) -> dict[str, Facts]:
    latent = known.inputs.get("latent", {})
    wanted, given = known.inputs.get("autoencoder", {}).get("format"), latent.get("format")
    if wanted is not None and given is not None and wanted != given:
        raise Refusal(
            f"is a latent {_words(given)}, but the autoencoder works on those {_words(wanted)}",
            at="latent",
            cure="decode it with the autoencoder of the model that made it",
        )
    facts = {"channels": 3, **{name: latent[name] for name in ("batch",) if name in latent}}
    downscale = _count(wanted if wanted is not None else given, "downscale")
    for side in ("width", "height"):
        cells = _count(latent, side)
        if cells and downscale:
            facts[side] = cells * downscale
    return {"image": facts}


def _encoded_facts(known: Known) -> dict[str, Facts]:
    image, found = known.inputs.get("image", {}), known.inputs.get("autoencoder", {}).get("format")
    downscale = _count(found, "downscale")
    facts = {"format": found, **{name: image[name] for name in ("batch",) if name in image}}
    if not downscale:
        return {}
    for side in ("width", "height"):
        pixels = _count(image, side)
        if pixels % downscale:
            raise Refusal(
                f"is {pixels} pixels in {side}, which is no multiple of {downscale}, as the autoencoder needs",
                at="image",
                cure="put images.resize before",
            )
        if pixels:
            facts[side] = pixels // downscale
    return {"latent": facts}


def _count(facts: object, name: str) -> int:
    """Return a whole number that is known; 0 where it is not."""
    value = facts.get(name) if isinstance(facts, dict) else None
    return value if isinstance(value, int) else 0


def _words(latent_format: object) -> str:
    found = latent_format if isinstance(latent_format, dict) else {}
    return (
        f"of family {found.get('family')} with {found.get('channels')} channels, scale {found.get('scale')} and "
        f"{found.get('downscale')} pixels to a cell"
    )


@node(category="autoencoder", title="Decode latent", device="gpu", infer=_decoded_facts)
def decode(
    context: Context,
    autoencoder: Model,
    latent: Annotated[Latent, Field(description="What to decode.")],
    *,
    tile: Tile = 1024,
) -> Image:
    """Turn latents into pictures.

    Raises:
        ValueError: the latent is of another format than the autoencoder's.
    """
    from graphgen_nodes.imaging import autoencoder as coding

    coding.check_format(latent.format, autoencoder.latent)
    with context.resource(autoencoder) as module:
        return coding.decode(cast("nn.Module", module), latent, tile, context.progress)


@node(category="autoencoder", title="Encode picture", device="gpu", infer=_encoded_facts)
def encode(
    context: Context,
    autoencoder: Model,
    image: Annotated[Image, Field(description="What to encode; an alpha channel is left out.")],
    *,
    tile: Tile = 1024,
    draw: Annotated[
        bool, Field(description="Draw from the distribution the autoencoder finds, instead of taking its middle.")
    ] = False,
    seed: Annotated[int, Seed(), Field(description="For drawing; picture i of a batch takes seed + i.")] = 0,
) -> Latent:
    """Turn pictures into latents; sides must be multiples of the autoencoder's pixels to a cell, mostly 8."""
    from graphgen_nodes.imaging import autoencoder as coding

    with context.resource(autoencoder) as module:
        return coding.encode(
            cast("nn.Module", module), image, autoencoder.latent, tile, context.progress, seed if draw else None
        )


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute decoding and encoding."""
    return [decode, encode]
