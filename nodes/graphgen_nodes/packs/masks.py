"""Masks: taken from pictures, combined, grown and softened. 1 marks what a node should act on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field

from graphgen import Conversion, Facts, Known, Slider, hookimpl, node
from graphgen_nodes.facts import check_alike, cropped, joined_facts, mask_facts, plain, resized, same_as
from graphgen_nodes.imaging.geometry import Mode, Size
from graphgen_nodes.sockets import Image, Mask

Side = Annotated[int, Field(ge=1, le=16384)]
Offset = Annotated[int, Field(ge=0, le=16384)]
Method = Literal["lanczos", "bicubic", "bilinear", "area", "nearest"]
Channel = Literal["luminance", "alpha", "red", "green", "blue"]
Operation = Literal["union", "intersection", "difference", "exclusion"]


@node(category="masks", title="Mask from picture", infer=lambda known: {"mask": mask_facts(known.inputs["image"])})
def from_image(
    image: Image,
    *,
    channel: Annotated[Channel, Field(description="What becomes the mask.")] = "luminance",
) -> Mask:
    """Take a channel of pictures as masks."""
    from graphgen_nodes.imaging import masks

    return masks.from_image(image, channel)


@node(category="masks", title="Mask as picture", infer=same_as("mask", "image", channels=3))
def to_image(mask: Mask) -> Image:
    """Show masks as grey pictures."""
    from graphgen_nodes.imaging import masks

    return masks.to_image(mask)


@node(category="masks", title="Plain mask", infer=plain("mask"))
def solid(
    *,
    width: Annotated[Side, Field(description="Pixels.")] = 512,
    height: Annotated[Side, Field(description="Pixels.")] = 512,
    value: Annotated[float, Field(ge=0, le=1, description="How much is marked."), Slider(0.05)] = 1.0,
    batch: Annotated[int, Field(ge=1, le=4096, description="How many masks.")] = 1,
) -> Mask:
    """Make masks of one value."""
    from graphgen_nodes.imaging import masks

    return masks.solid(Size(width, height), value, batch)


@node(category="masks", title="Invert mask", infer=same_as("mask"))
def invert(mask: Mask) -> Mask:
    """Swap what is marked and what is not."""
    from graphgen_nodes.imaging import masks

    return masks.invert(mask)


def _combined_facts(known: Known) -> dict[str, Facts]:
    first, second = known.inputs["first"], known.inputs["second"]
    check_alike({"first": first, "second": second}, "second")
    return {"mask": joined_facts(first, second)}


@node(category="masks", title="Combine masks", infer=_combined_facts)
def combine(
    first: Mask,
    second: Mask,
    *,
    operation: Annotated[
        Operation, Field(description="union: either; intersection: both; difference: first only; exclusion: one only.")
    ] = "union",
) -> Mask:
    """Combine two masks of one size."""
    from graphgen_nodes.imaging import masks

    return masks.combine(first, second, operation)


@node(category="masks", title="Grow mask", infer=same_as("mask"))
def grow(
    mask: Mask, *, pixels: Annotated[int, Field(ge=-512, le=512, description="How far; below 0 it shrinks.")] = 8
) -> Mask:
    """Let what is marked grow to all sides, or shrink."""
    from graphgen_nodes.imaging import masks

    return masks.grow(mask, pixels)


@node(category="masks", title="Blur mask", infer=same_as("mask"))
def blur(
    mask: Mask,
    *,
    radius: Annotated[float, Field(ge=0, le=256, description="Standard deviation in pixels."), Slider(0.5)] = 4.0,
) -> Mask:
    """Soften the edges of what is marked."""
    from graphgen_nodes.imaging import masks

    return masks.blur(mask, radius)


@node(category="masks", title="Resize mask", infer=resized("mask"))
def resize(
    mask: Mask,
    *,
    width: Annotated[Side, Field(description="Pixels.")] = 512,
    height: Annotated[Side, Field(description="Pixels.")] = 512,
    mode: Annotated[Mode, Field(description="As of images.resize; what pad adds is 0.")] = "fill",
    method: Annotated[Method, Field(description="The filter; nearest keeps edges hard.")] = "bilinear",
) -> Mask:
    """Make masks larger or smaller, as images.resize does pictures."""
    from graphgen_nodes.imaging import masks

    return masks.resize(mask, Size(width, height), mode, method)


@node(category="masks", title="Crop mask", infer=cropped("mask"))
def crop(
    mask: Mask,
    *,
    x: Annotated[Offset, Field(description="Pixels from the left.")] = 0,
    y: Annotated[Offset, Field(description="Pixels from the top.")] = 0,
    width: Annotated[Side, Field(description="Pixels.")] = 512,
    height: Annotated[Side, Field(description="Pixels.")] = 512,
) -> Mask:
    """Cut a part out of masks."""
    from graphgen_nodes.imaging import masks

    return masks.crop(mask, x, y, Size(width, height))


@hookimpl
def register_conversions() -> list[Conversion]:
    """Contribute pictures where masks are given, and the other way round."""
    return [Conversion(to_image, 1), Conversion(from_image, 2, lossy="colour and transparency")]


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the mask nodes."""
    return [from_image, to_image, solid, invert, combine, grow, blur, resize, crop]
