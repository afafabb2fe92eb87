"""What image nodes do: functions from pictures to pictures, `pixels[batch, channels, height, width]` in 0..1."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from graphgen import Context, Files, OutputFile
from graphgen_nodes.imaging.files import Format, read_picture, write_picture
from graphgen_nodes.imaging.geometry import (
    Mode,
    Size,
    check_crop,
    check_size,
    covering,
    fitted,
)
from graphgen_nodes.imaging.names import clean_stem, numbered
from graphgen_nodes.imaging.previews import preview_of
from graphgen_nodes.imaging.resampling import Method, resample
from graphgen_nodes.networks.upscale import UpscaleNetwork, upscale
from graphgen_nodes.sockets import Image, Mask, Upscaler
from graphgen_nodes.thrift import in_less_memory, smaller

SMALLER = (512, 128, 64)
"""Tiles, in pixels, by which pictures are enlarged where memory runs out."""

SUFFIXES: dict[Format, str] = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}


def load(path: Path) -> tuple[Image, Mask]:
    """Read a picture file as RGB of batch 1, and a mask of where it is opaque.

    Raises:
        ValueError: the file is no picture that can be read.
    """
    picture = read_picture(path)
    return Image(picture.pixels[None]), Mask(picture.alpha[None])


def save(context: Context, image: Image, name: str, form: Format, quality: int) -> Files:
    """Write each picture of a batch as a file, showing it to whoever watches.

    Raises:
        ValueError: the name cannot be a file's, or a picture cannot be written.
    """
    stems = list(numbered(clean_stem(name), len(image.pixels)))
    files: list[OutputFile] = []
    context.progress(0, len(stems))
    for stem, pixels in zip(stems, image.pixels, strict=True):
        files.append(OutputFile(stem, SUFFIXES[form], write_picture(pixels, form, quality)))
        context.progress(len(files), len(stems), preview=partial(preview_of, pixels))
    return Files(tuple(files))


def size_of(image: Image) -> Size:
    """Return a batch's picture size."""
    return Size(image.pixels.shape[3], image.pixels.shape[2])


def resize(image: Image, into: Size, mode: Mode, method: Method, background: str) -> Image:
    """Resize a batch to a size, or into it.

    `stretch` ignores the shape; `fit` keeps it and gives the largest picture inside; `fill` cuts off what stands out;
    `pad` adds `background` around. Colours weigh by their alpha, so that hidden ones do not bleed in.
    """
    size = size_of(image)
    check_size(into, len(image.pixels))
    box = covering(size, into) if mode == "fill" else None
    target = fitted(size, into) if mode in ("fit", "pad") else into
    resized = _weighed(image.pixels, lambda planes: resample(planes, target, method, box))
    return Image(_padded(resized, into, background) if mode == "pad" else resized)


def crop(image: Image, x: int, y: int, part: Size) -> Image:
    """Cut a part out of every picture; `x`, `y` is its upper left corner.

    Raises:
        ValueError: the part leaves the picture.
    """
    check_crop(size_of(image), x, y, part)
    return Image(image.pixels[..., y : y + part.height, x : x + part.width].contiguous())


def batch(images: Sequence[Image]) -> Image:
    """Join batches of pictures of one size into one batch.

    Raises:
        ValueError: there is none, or their sizes or channels differ.
    """
    if not images:
        raise ValueError("a batch needs at least one picture; wire one into images")
    kinds = [tuple(image.pixels.shape[1:]) for image in images]
    different = next((index for index, kind in enumerate(kinds) if kind != kinds[0]), None)
    if different is not None:
        raise ValueError(
            f"picture {different + 1} is {_kind(kinds[different])} and the first is {_kind(kinds[0])}; a batch has one "
            "size and one number of channels: put images.resize before it, or images.flatten for transparency"
        )
    check_size(size_of(images[0]), sum(len(image.pixels) for image in images))
    return Image(torch.cat([image.pixels for image in images]))


def pick(image: Image, index: int, count: int) -> Image:
    """Take `count` pictures of a batch from `index` on, counted from 0.

    Raises:
        ValueError: the batch has fewer.
    """
    if index + count > len(image.pixels):
        raise ValueError(
            f"pictures {index} to {index + count - 1} of a batch of {len(image.pixels)}; they are counted from 0"
        )
    return Image(image.pixels[index : index + count].clone())


def solid(size: Size, color: str, count: int) -> Image:
    """Make `count` pictures of one colour, given as `#rrggbb`."""
    check_size(size, count)
    return Image(_rgb(color).reshape(1, 3, 1, 1).expand(count, 3, size.height, size.width).contiguous())


def composite(image: Image, over: Image, mask: Mask | None) -> Image:
    """Lay a picture over another, seen where its alpha and the mask are 1; one stands for a whole batch.

    Raises:
        ValueError: sizes or batches differ.
    """
    sizes = {"image": size_of(image), "over": size_of(over)}
    counts = {"image": len(image.pixels), "over": len(over.pixels)}
    if mask is not None:
        sizes["mask"], counts["mask"] = Size(mask.values.shape[2], mask.values.shape[1]), len(mask.values)
    check_same(sizes, counts)
    cover = image.pixels[:, 3:] if image.pixels.shape[1] == 4 else torch.ones(1, 1, 1, 1)
    cover = cover if mask is None else cover * mask.values[:, None]
    below = over.pixels[:, :3]
    mixed = below + cover * (image.pixels[:, :3] - below)
    if over.pixels.shape[1] == 3:
        return Image(mixed.clamp(0, 1))
    return Image(_over_transparent(image.pixels[:, :3], cover, over.pixels).clamp(0, 1))


def flatten(image: Image, background: str) -> Image:
    """Lay pictures with transparency over a colour; those without stay as they are."""
    if image.pixels.shape[1] == 3:
        return image
    alpha = image.pixels[:, 3:]
    return Image(image.pixels[:, :3] * alpha + _rgb(background).reshape(1, 3, 1, 1) * (1 - alpha))


def with_alpha(image: Image, mask: Mask) -> Image:
    """Give a picture transparency: opaque where the mask is 1. One mask stands for a whole batch.

    Raises:
        ValueError: sizes or batches differ.
    """
    sizes = {"image": size_of(image), "mask": Size(mask.values.shape[2], mask.values.shape[1])}
    check_same(sizes, {"image": len(image.pixels), "mask": len(mask.values)})
    count = max(len(image.pixels), len(mask.values))
    colours = image.pixels[:, :3].expand(count, -1, -1, -1)
    return Image(torch.cat([colours, mask.values[:, None].expand(count, -1, -1, -1)], dim=1))


def enlarge(network: object, image: Image, tile: int, on_tile: Callable[[int, int], None]) -> Image:
    """Enlarge pictures by an upscaling network, tile by tile; transparency is enlarged by Lanczos.

    Raises:
        TypeError: the network is no upscaler of graphgen's.
        ValueError: the result would have too many pixels.
    """
    if not isinstance(network, UpscaleNetwork):
        raise TypeError(f"a {type(network).__name__} cannot enlarge pictures; allowed: an UpscaleNetwork")
    size = size_of(image)
    larger = Size(size.width * network.scale, size.height * network.scale)
    check_size(larger, len(image.pixels))
    pixels = upscale(network, image.pixels[:, :3], tile=tile, on_tile=on_tile)
    if image.pixels.shape[1] == 4:
        pixels = torch.cat([pixels, resample(image.pixels[:, 3:], larger, "lanczos")], dim=1)
    return Image(pixels)


def enlarge_in_memory(context: Context, upscaler: Upscaler, image: Image, tile: int) -> Image:
    """Enlarge pictures as `enlarge` does, in smaller tiles where memory runs out."""

    def enlarged(size: int) -> Image:
        with context.resource(upscaler) as network:
            return enlarge(network, image, size, context.progress)

    sizes = smaller(SMALLER, tile, max(image.pixels.shape[-2:]))
    ways = [(f"in tiles of {size} pixels", partial(enlarged, size)) for size in sizes]
    return in_less_memory(context, ("", partial(enlarged, tile)), *ways)


def check_same(sizes: dict[str, Size], counts: dict[str, int]) -> None:
    """Refuse inputs of different sizes, or of different batches unless one is 1.

    Raises:
        ValueError: names each and the cure.
    """
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"{name} is {size}" for name, size in sizes.items())
        raise ValueError(f"{told}; they must have one size: put images.resize or masks.resize before")
    if len(set(counts.values()) - {1}) > 1:
        told = ", ".join(f"{name} has {count}" for name, count in counts.items())
        raise ValueError(f"{told} pictures; batches must be equally long, or 1: take one by images.pick")


def _weighed(pixels: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    if pixels.shape[1] == 3:
        return change(pixels)
    alpha = pixels[:, 3:]
    changed = change(torch.cat([pixels[:, :3] * alpha, alpha], dim=1))
    colours, alpha = changed[:, :3], changed[:, 3:]
    return torch.cat([torch.where(alpha > 0, colours / alpha.clamp_min(1e-6), colours).clamp(0, 1), alpha], dim=1)


def _padded(pixels: Tensor, into: Size, background: str) -> Tensor:
    count, channels, height, width = pixels.shape
    colour = torch.ones(channels)
    colour[:3] = _rgb(background)
    padded = colour.reshape(1, channels, 1, 1).repeat(count, 1, into.height, into.width)
    top, left = (into.height - height) // 2, (into.width - width) // 2
    padded[..., top : top + height, left : left + width] = pixels
    return padded


def _over_transparent(colours: Tensor, cover: Tensor, over: Tensor) -> Tensor:
    """Porter and Duff's `over` (1984, "Compositing Digital Images") for colours that are not multiplied by alpha."""
    rest = over[:, 3:] * (1 - cover)
    alpha = cover + rest
    mixed = (colours * cover + over[:, :3] * rest) / alpha.clamp_min(1e-6)
    return torch.cat([mixed, alpha.expand(mixed.shape[0], -1, -1, -1)], dim=1)


def _rgb(color: str) -> Tensor:
    return torch.tensor([int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)])


def _kind(shape: tuple[int, ...]) -> str:
    channels, height, width = shape
    return f"{Size(width, height)} with {channels} channels"
