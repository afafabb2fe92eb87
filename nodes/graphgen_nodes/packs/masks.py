"""Masks: taken from pictures, combined, grown and softened. 1 marks what a node should act on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from graphgen import Context, Conversion, Facts, Known, PaintedMask, Refusal, Slider, hookimpl, node
from graphgen_nodes.facts import (
    check_alike,
    cropped,
    file_of,
    joined_facts,
    mask_facts,
    picture_facts,
    plain,
    refusing,
    resized,
    same_as,
    size_of,
)
from graphgen_nodes.imaging.geometry import Mode, Size
from graphgen_nodes.imaging.headers import content_of, picture_size
from graphgen_nodes.sockets import Image, Mask

Side = Annotated[int, Field(ge=1, le=16384)]
Offset = Annotated[int, Field(ge=0, le=16384)]
Method = Literal["lanczos", "bicubic", "bilinear", "area", "nearest"]
Channel = Literal["luminance", "alpha", "red", "green", "blue"]
Operation = Literal["union", "intersection", "difference", "exclusion"]


@node(
    category="masks",
    title="Mask from picture",
    infer=lambda known: {"mask": mask_facts(known.inputs["image"])},
    aliases=("Image to mask",),
)
def from_image(
    image: Image,
    *,
    channel: Annotated[Channel, Field(description="What becomes the mask.")] = "luminance",
) -> Mask:
    """Take a channel of pictures as masks."""
    from graphgen_nodes.imaging import masks

    return masks.from_image(image, channel)


@node(category="masks", title="Mask as picture", infer=same_as("mask", "image", channels=3), aliases=("Mask to image",))
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


def _painting(known: Known) -> Path | None:
    """Return the file that was painted; None where nothing was, or it is not known."""
    return file_of(known, "inputs") if known.settings.get("path") else None


def _painted_facts(known: Known) -> dict[str, Facts]:
    if "image" in known.inputs:
        return {"mask": picture_facts(size_of(known.inputs["image"]), 1)}
    if known.settings.get("path") == "":
        cure = "wire the picture that is painted over to image"
        raise Refusal("nothing is painted, and no picture tells how large the mask is", at="path", cure=cure)
    path = _painting(known)
    with refusing("path"):
        return {"mask": picture_facts(picture_size(path) if path else None, 1)}


def _painted_content(known: Known) -> str:
    path = _painting(known)
    with refusing("path"):
        return content_of(path) if path else ""


@node(
    category="masks",
    title="Paint mask",
    infer=_painted_facts,
    fingerprint=_painted_content,
    aliases=("Mask editor", "Draw mask"),
)
def paint(
    context: Context,
    image: Annotated[Image | None, Field(description="What is painted over; the mask gets its size.")] = None,
    *,
    path: Annotated[
        str,
        PaintedMask(over="image"),
        Field(description="The painting, a grey picture in the inputs folder, white where it marks; empty is none."),
    ] = "",
) -> Mask:
    """Take a mask that was painted by hand over a picture.

    A painting of another size than the picture is stretched. Without a picture the mask is as large as the painting.
    """
    from graphgen_nodes.imaging import masks, pictures

    size = None if image is None else pictures.size_of(image)
    if path:
        return masks.from_painting(*pictures.load(context.path("inputs", path)), size)
    if size is None:
        raise Refusal("nothing is painted, and no picture tells how large the mask is", at="path")
    return masks.solid(size, 0.0, 1)


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


@node(category="masks", title="Grow mask", infer=same_as("mask"), aliases=("Dilate", "Erode"))
def grow(
    mask: Mask, *, pixels: Annotated[int, Field(ge=-512, le=512, description="How far; below 0 it shrinks.")] = 8
) -> Mask:
    """Let what is marked grow to all sides, or shrink."""
    from graphgen_nodes.imaging import masks

    return masks.grow(mask, pixels)


@node(category="masks", title="Blur mask", infer=same_as("mask"), aliases=("Feather mask",))
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
    return [from_image, to_image, paint, solid, invert, combine, grow, blur, resize, crop]
