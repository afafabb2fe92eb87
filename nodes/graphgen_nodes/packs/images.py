"""Pictures: from files and to files, their size, their place in a batch, one over another, and upscaling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, Field

from graphgen import Color, Context, Curve, Facts, File, Files, Known, Refusal, Slider, Stream, hookimpl, node
from graphgen_nodes.facts import (
    check_alike,
    check_known_size,
    count_of,
    cropped,
    file_of,
    joined_facts,
    picture_facts,
    plain,
    refusing,
    resized,
    same_as,
    size_of,
)
from graphgen_nodes.imaging.geometry import Mode, Size
from graphgen_nodes.imaging.headers import SUFFIXES, content_of, picture_size, pictures_in
from graphgen_nodes.imaging.names import clean_stem
from graphgen_nodes.sockets import Image, Mask, Upscaler

Side = Annotated[int, Field(ge=1, le=16384)]
Offset = Annotated[int, Field(ge=0, le=16384)]
Method = Literal["lanczos", "bicubic", "bilinear", "area", "nearest"]
Format = Literal["png", "jpeg", "webp"]
Points = list[list[float]]
STRAIGHT: Points = [[0, 0], [1, 1]]
"""The curve that changes nothing."""


class LoadedPicture(NamedTuple):
    """What a picture file holds."""

    image: Annotated[Image, Field(description="The picture as RGB, a batch of one.")]
    mask: Annotated[Mask, Field(description="Its alpha: 1 where it is opaque, everywhere if it has none.")]


def _file_facts(known: Known) -> dict[str, Facts]:
    path = file_of(known, "inputs")
    if path is None:
        return {"image": picture_facts(None, 1, 3), "mask": picture_facts(None, 1)}
    with refusing("path"):
        size = picture_size(path)
    return {"image": picture_facts(size, 1, 3), "mask": picture_facts(size, 1)}


def _file_digest(known: Known) -> str:
    path = file_of(known, "inputs")
    if path is None:
        return ""
    with refusing("path"):
        return content_of(path)


@node(category="images", title="Load picture", infer=_file_facts, fingerprint=_file_digest, aliases=("Load image",))
def load(
    context: Context,
    *,
    path: Annotated[str, File("inputs", SUFFIXES), Field(min_length=1, description="The file, in the inputs folder.")],
) -> LoadedPicture:
    """Load a picture: PNG, JPEG, WebP, BMP, TIFF or GIF (its first frame), turned upright."""
    from graphgen_nodes.imaging import pictures

    return LoadedPicture(*pictures.load(context.path("inputs", path)))


def _folder_facts(known: Known) -> dict[str, Facts]:
    folder = file_of(known, "inputs")
    if folder is None:
        return {}
    with refusing("path"):
        return {"images": {"count": len(pictures_in(folder))}}


def _folder_digest(known: Known) -> str:
    folder = file_of(known, "inputs")
    if folder is None:
        return ""
    with refusing("path"):
        return "\n".join(content_of(path) for path in pictures_in(folder))


@node(
    category="images",
    title="Load pictures of a folder",
    infer=_folder_facts,
    fingerprint=_folder_digest,
    aliases=("Load images",),
)
def load_folder(
    context: Context,
    *,
    path: Annotated[str, File("inputs"), Field(min_length=1, description="The folder, in the inputs folder.")],
) -> Annotated[Stream[Image], Field(description="The pictures as RGB, each a batch of one.")]:
    """Load all pictures in a folder, in the order of their names; a map over them starts with the first.

    Folders in it are left alone.
    """
    from graphgen_nodes.imaging import pictures

    for file in context.track(pictures_in(context.path("inputs", path))):
        yield pictures.load(file)[0]


def _saved_facts(known: Known) -> dict[str, Facts]:
    if known.settings.get("format") == "jpeg" and count_of(known.inputs["image"], "channels") == 4:
        raise Refusal(
            "the picture has transparency, and JPEG files have none",
            at="format",
            allowed="png, webp",
            cure="or put images.flatten before",
        )
    count = count_of(known.inputs["image"], "batch")
    return {"files": {} if count is None else {"count": count}}


@node(category="images", title="Save picture", effect=True, infer=_saved_facts, aliases=("Save image", "Preview image"))
def save(
    context: Context,
    image: Image,
    *,
    name: Annotated[
        str, AfterValidator(clean_stem), Field(description="The file's name without suffix; folders are allowed.")
    ] = "picture",
    format: Annotated[Format, Field(description="PNG is lossless and carries the workflow.")] = "png",  # noqa: A002
    quality: Annotated[int, Field(ge=1, le=100, description="For JPEG and WebP."), Slider()] = 92,
) -> Files:
    """Save pictures with 8 bits a channel; those of a batch are numbered from 1."""
    from graphgen_nodes.imaging import pictures

    return pictures.save(context, image, name, format, quality)


@node(category="images", title="Resize picture", infer=resized("image"), aliases=("Scale image",))
def resize(
    image: Image,
    *,
    width: Annotated[Side, Field(description="Pixels.")] = 512,
    height: Annotated[Side, Field(description="Pixels.")] = 512,
    mode: Annotated[
        Mode,
        Field(
            description="stretch: ignore the shape; fit: the largest inside; fill: cut off what stands out; "
            "pad: fit, with a border."
        ),
    ] = "fill",
    method: Annotated[Method, Field(description="The filter; lanczos is sharp, area averages.")] = "lanczos",
    background: Annotated[str, Color(), Field(description="The border's colour, for pad.")] = "#000000",
) -> Image:
    """Make pictures larger or smaller."""
    from graphgen_nodes.imaging import pictures

    return pictures.resize(image, Size(width, height), mode, method, background)


@node(category="images", title="Crop picture", infer=cropped("image"))
def crop(
    image: Image,
    *,
    x: Annotated[Offset, Field(description="Pixels from the left.")] = 0,
    y: Annotated[Offset, Field(description="Pixels from the top.")] = 0,
    width: Annotated[Side, Field(description="Pixels.")] = 512,
    height: Annotated[Side, Field(description="Pixels.")] = 512,
) -> Image:
    """Cut a part out of pictures."""
    from graphgen_nodes.imaging import pictures

    return pictures.crop(image, x, y, Size(width, height))


def _batched_facts(known: Known) -> dict[str, Facts]:
    several = known.many.get("images", ())
    if not several:
        raise Refusal("a batch needs at least one picture", at="images", cure="wire a picture into images")
    sizes = [size for item in several if (size := size_of(item)) is not None]
    channels = [count for item in several if (count := count_of(item, "channels")) is not None]
    if len(set(sizes)) > 1:
        told = ", ".join(str(size) for size in dict.fromkeys(sizes))
        raise Refusal(f"pictures of {told}; a batch has one size", at="images", cure="put images.resize before")
    if len(set(channels)) > 1:
        cure = "put images.flatten before those with transparency"
        raise Refusal("some pictures have transparency and some do not", at="images", cure=cure)
    counts = [count_of(item, "batch") for item in several]
    total = sum(count for count in counts if count is not None) if None not in counts else None
    size = sizes[0] if sizes else None
    check_known_size(size, total, "images")
    return {"image": picture_facts(size, total, channels[0] if channels else None)}


@node(category="images", title="Batch pictures", infer=_batched_facts, aliases=("Batch images",))
def batch(*images: Image) -> Image:
    """Join pictures of one size into a batch, in the order of their wires."""
    from graphgen_nodes.imaging import pictures

    return pictures.batch(images)


def _picked_facts(known: Known) -> dict[str, Facts]:
    picture = known.inputs["image"]
    index, count = count_of(known.settings, "index"), count_of(known.settings, "count")
    there = count_of(picture, "batch")
    if index is not None and count is not None and there is not None and index + count > there:
        asked = f"{index} is" if count == 1 else f"{index} to {index + count - 1} are"
        raise Refusal(
            f"the batch has {there} picture(s), counted from 0, and {asked} asked for",
            at="index",
            allowed=f"0 to {max(there - count, 0)}",
            cure="take others, or fewer",
        )
    return {"image": picture_facts(size_of(picture), count, count_of(picture, "channels"))}


@node(category="images", title="Pick pictures from batch", infer=_picked_facts, aliases=("Image from batch",))
def pick(
    image: Image,
    *,
    index: Annotated[int, Field(ge=0, description="The first to take, counted from 0.")] = 0,
    count: Annotated[int, Field(ge=1, description="How many to take.")] = 1,
) -> Image:
    """Take pictures out of a batch."""
    from graphgen_nodes.imaging import pictures

    return pictures.pick(image, index, count)


@node(category="images", title="Plain colour", infer=plain("image", channels=3), aliases=("Empty image",))
def solid(
    *,
    width: Annotated[Side, Field(description="Pixels.")] = 512,
    height: Annotated[Side, Field(description="Pixels.")] = 512,
    color: Annotated[str, Color(), Field(description="As #rrggbb.")] = "#808080",
    batch: Annotated[int, Field(ge=1, le=4096, description="How many pictures.")] = 1,
) -> Image:
    """Make pictures of one colour."""
    from graphgen_nodes.imaging import pictures

    return pictures.solid(Size(width, height), color, batch)


def _composed_facts(known: Known) -> dict[str, Facts]:
    wired = {name: known.inputs[name] for name in ("image", "over", "mask") if name in known.inputs}
    check_alike(wired, "image")
    return {"image": joined_facts(*wired.values(), channels=count_of(known.inputs["over"], "channels"))}


@node(category="images", title="Composite pictures", infer=_composed_facts, aliases=("Paste image",))
def composite(
    image: Annotated[Image, Field(description="What is laid on top.")],
    over: Annotated[Image, Field(description="What lies below.")],
    mask: Annotated[Mask | None, Field(description="Where the upper picture is seen.")] = None,
) -> Image:
    """Lay pictures over others of the same size, by their alpha and a mask."""
    from graphgen_nodes.imaging import pictures

    return pictures.composite(image, over, mask)


@node(category="images", title="Remove transparency", infer=same_as("image", channels=3))
def flatten(
    image: Image, *, background: Annotated[str, Color(), Field(description="What shows where nothing is.")] = "#ffffff"
) -> Image:
    """Lay pictures with transparency over a colour."""
    from graphgen_nodes.imaging import pictures

    return pictures.flatten(image, background)


def _alpha_facts(known: Known) -> dict[str, Facts]:
    image, mask = known.inputs["image"], known.inputs["mask"]
    check_alike({"image": image, "mask": mask}, "mask")
    return {"image": joined_facts(image, mask, channels=4)}


@node(category="images", title="Add transparency", infer=_alpha_facts, aliases=("Join image with alpha",))
def with_alpha(image: Image, mask: Mask) -> Image:
    """Make pictures transparent where a mask is 0."""
    from graphgen_nodes.imaging import pictures

    return pictures.with_alpha(image, mask)


def _enlarged_facts(known: Known) -> dict[str, Facts]:
    picture, upscaler = known.inputs["image"], known.inputs["upscaler"]
    scale, channels = count_of(upscaler, "scale"), count_of(upscaler, "channels")
    if channels not in (None, 3):
        cure = "load an upscaler for RGB"
        raise Refusal(f"the upscaler takes {channels} channel(s), and pictures have 3", at="upscaler", cure=cure)
    size, count = size_of(picture), count_of(picture, "batch")
    larger = Size(size.width * scale, size.height * scale) if size is not None and scale is not None else None
    check_known_size(larger, count, "image", cure="make it smaller by images.resize before")
    return {"image": picture_facts(larger, count, count_of(picture, "channels"))}


@node(
    category="images", title="Upscale picture", device="gpu", infer=_enlarged_facts, aliases=("Upscale image", "ESRGAN")
)
def upscale(
    context: Context,
    upscaler: Upscaler,
    image: Image,
    *,
    tile: Annotated[
        int, Field(ge=0, le=4096, description="Pixels computed at a time, squared; 0 is all at once.")
    ] = 256,
) -> Image:
    """Enlarge pictures by a network that draws the missing detail."""
    from graphgen_nodes.imaging import pictures

    return pictures.enlarge_in_memory(context, upscaler, image, tile)


@node(category="images", title="Tone curves", infer=same_as("image"), aliases=("Levels",))
def curves(
    image: Image,
    *,
    curve: Annotated[Points, Curve(), Field(description="For all of it, after those of the channels.")] = STRAIGHT,
    red: Annotated[Points, Curve(), Field(description="For the red channel alone.")] = STRAIGHT,
    green: Annotated[Points, Curve(), Field(description="For the green channel alone.")] = STRAIGHT,
    blue: Annotated[Points, Curve(), Field(description="For the blue channel alone.")] = STRAIGHT,
    on: Annotated[
        Literal["channels", "luminance"],
        Field(description="channels: `curve` bends each channel; luminance: it bends how bright, and colours stay."),
    ] = "channels",
) -> Image:
    """Bend the tones of pictures along curves through given points `[x, y]`: what was x becomes y.

    Between the points a curve is smooth and never overshoots; beyond the first and the last it is level. Transparency
    stays.
    """
    from graphgen_nodes.imaging import curves as bending

    return bending.bend(image, bending.Curves(curve, red, green, blue), on)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute the image nodes."""
    pictures = (load, load_folder, save, resize, crop, batch, pick, solid, composite, flatten, with_alpha)
    return [*pictures, curves, upscale]
