"""What mask nodes do: functions over `values[batch, height, width]` in 0..1."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from graphgen_nodes.imaging.geometry import Mode, Size, check_crop, check_size, covering, fitted
from graphgen_nodes.imaging.pictures import check_same
from graphgen_nodes.imaging.resampling import Method, resample
from graphgen_nodes.sockets import Image, Latent, Mask

Channel = Literal["luminance", "alpha", "red", "green", "blue"]
Operation = Literal["union", "intersection", "difference", "exclusion"]


class Border(NamedTuple):
    """Pixels to add to each side of a picture."""

    left: int
    top: int
    right: int
    bottom: int


LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])
"""What red, green and blue add to luminance, by ITU-R BT.709, on the values as they are stored."""
_CHANNELS = {"red": 0, "green": 1, "blue": 2}


def from_image(image: Image, channel: Channel) -> Mask:
    """Take one channel of pictures as masks; alpha is 1 where pictures have none."""
    pixels = image.pixels
    if channel == "luminance":
        return Mask(torch.einsum("bchw,c->bhw", pixels[:, :3], LUMINANCE).clamp(0, 1))
    if channel == "alpha":
        return Mask(pixels[:, 3].clone() if pixels.shape[1] == 4 else torch.ones_like(pixels[:, 0]))
    return Mask(pixels[:, _CHANNELS[channel]].clone())


def from_painting(picture: Image, opaque: Mask, into: Size | None) -> Mask:
    """Take what was painted as a mask, of a size where there is one: white is marked, what is transparent is not."""
    mask = Mask(from_image(picture, "luminance").values * opaque.values)
    return mask if into is None or into == size_of(mask) else resize(mask, into, "stretch", "bilinear")


def to_image(mask: Mask) -> Image:
    """Show masks as grey pictures: 0 is black, 1 white."""
    return Image(mask.values[:, None].repeat(1, 3, 1, 1))


def solid(size: Size, value: float, count: int) -> Mask:
    """Make masks of one value."""
    check_size(size, count)
    return Mask(torch.full((count, size.height, size.width), value))


def invert(mask: Mask) -> Mask:
    """Swap what is marked and what is not."""
    return Mask(1 - mask.values)


def combine(first: Mask, second: Mask, operation: Operation) -> Mask:
    """Combine masks as fuzzy sets (Zadeh 1965): union is the larger, intersection the smaller value.

    Raises:
        ValueError: sizes or batches differ; a batch of 1 serves for all.
    """
    check_same(
        {"first": size_of(first), "second": size_of(second)}, {"first": len(first.values), "second": len(second.values)}
    )
    a, b = first.values, second.values
    if operation == "union":
        return Mask(torch.maximum(a, b))
    if operation == "intersection":
        return Mask(torch.minimum(a, b))
    if operation == "difference":
        return Mask(torch.minimum(a, 1 - b))
    return Mask((a - b).abs())


def grow(mask: Mask, pixels: int) -> Mask:
    """Let what is marked grow by so many pixels to all sides, diagonals included; below 0 it shrinks."""
    if pixels == 0:
        return mask
    values = mask.values if pixels > 0 else -mask.values
    reach = abs(pixels)
    values = functional.max_pool2d(values[:, None], (2 * reach + 1, 1), stride=1, padding=(reach, 0))
    values = functional.max_pool2d(values, (1, 2 * reach + 1), stride=1, padding=(0, reach))[:, 0]
    return Mask(values if pixels > 0 else -values)


def blur(mask: Mask, radius: float) -> Mask:
    """Soften edges by a Gaussian of standard deviation `radius` in pixels; the border's values go on outside."""
    if radius == 0:
        return mask
    reach = math.ceil(3 * radius)
    steps = torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (steps / radius) ** 2)
    kernel = (weights / weights.sum()).float()
    values = _convolve(mask.values[:, None], kernel.reshape(1, 1, -1, 1), (0, 0, reach, reach))
    return Mask(_convolve(values, kernel.reshape(1, 1, 1, -1), (reach, reach, 0, 0))[:, 0].clamp(0, 1))


def resize(mask: Mask, into: Size, mode: Mode, method: Method) -> Mask:
    """Resize masks as pictures are, so that both stay together; what `pad` adds is 0."""
    check_size(into, len(mask.values))
    size = size_of(mask)
    box = covering(size, into) if mode == "fill" else None
    target = fitted(size, into) if mode in ("fit", "pad") else into
    values = resample(mask.values, target, method, box)
    if mode != "pad" or target == into:
        return Mask(values)
    padded = torch.zeros(len(values), into.height, into.width)
    top, left = (into.height - target.height) // 2, (into.width - target.width) // 2
    padded[:, top : top + target.height, left : left + target.width] = values
    return Mask(padded)


def crop(mask: Mask, x: int, y: int, part: Size) -> Mask:
    """Cut a part out of every mask; `x`, `y` is its upper left corner.

    Raises:
        ValueError: the part leaves the mask.
    """
    check_crop(size_of(mask), x, y, part)
    return Mask(mask.values[:, y : y + part.height, x : x + part.width].contiguous())


def erase(image: Image, mask: Mask, value: float = 0.5) -> Image:
    """Make pictures grey, or of another value, where a mask is 0.5 or more; one mask stands for a whole batch.

    Raises:
        ValueError: sizes or batches differ.
    """
    size = Size(image.pixels.shape[3], image.pixels.shape[2])
    check_same({"image": size, "mask": size_of(mask)}, {"image": len(image.pixels), "mask": len(mask.values)})
    return Image(torch.where(mask.values[:, None] < 0.5, image.pixels[:, :3], value))


def painted(mask: Mask, latent: Latent) -> Tensor:
    """Return `[batch, 1, height, width]`, 1 where a mask of a latent's picture is 0.5 or more and else 0.

    Raises:
        ValueError: sizes or batches differ.
    """
    _check_pictured(mask, latent)
    return (mask.values[:, None] >= 0.5).float()


def kept_cells(mask: Mask, rows: int, columns: int) -> Tensor:
    """Return `[batch, 1, rows, columns]`: 1 where a mask is below 0.5 in the first pixel of a cell, and else 0."""
    return functional.interpolate((mask.values[:, None] < 0.5).float(), size=(rows, columns))


def of_cells(mask: Mask, latent: Latent) -> Tensor:
    """Return `[batch, 1, rows, columns]`: the mean of a mask of a latent's picture over each of its cells.

    Raises:
        ValueError: sizes or batches differ.
    """
    _check_pictured(mask, latent)
    return functional.interpolate(mask.values[:, None], size=latent.samples.shape[-2:], mode="area")


def depths(mask: Mask, rows: int, columns: int) -> Tensor:
    """Return `[batch, 1, rows, columns]`: a map brought to cells, from -1 at its least to 1 at its greatest."""
    cells = functional.interpolate(mask.values[:, None], size=(rows, columns), mode="bicubic", align_corners=False)
    low, high = cells.amin(dim=(1, 2, 3), keepdim=True), cells.amax(dim=(1, 2, 3), keepdim=True)
    return 2 * (cells - low) / (high - low).clamp(min=1e-6) - 1


def extend(image: Image, border: Border, feather: int) -> tuple[Image, Mask]:
    """Add a border to pictures, in the colours of their edges; return them and a mask of what is new.

    The mask falls from 1 at the old edges to 0 over `feather` pixels inside, on the sides that were extended.
    """
    left, top, right, bottom = border
    count, _, height, width = image.pixels.shape
    check_size(Size(width + left + right, height + top + bottom), count)
    pixels = functional.pad(image.pixels[:, :3], (left, right, top, bottom), mode="replicate")
    across = _ramp(width, feather, left, right)
    down = _ramp(height, feather, top, bottom)
    new = functional.pad(torch.maximum(down[:, None], across), (left, right, top, bottom), value=1.0)
    return Image(pixels), Mask(new.expand(count, -1, -1).contiguous())


def size_of(mask: Mask) -> Size:
    """Return a batch's mask size."""
    return Size(mask.values.shape[2], mask.values.shape[1])


def _check_pictured(mask: Mask, latent: Latent) -> None:
    rows, columns = latent.samples.shape[-2:]
    cell = latent.format.downscale
    sizes = {"latent": Size(columns * cell, rows * cell), "mask": size_of(mask)}
    check_same(sizes, {"latent": len(latent.samples), "mask": len(mask.values)})


def _ramp(length: int, feather: int, before: int, after: int) -> Tensor:
    """Return what of a row is painted: from nearly 1 at the ends that are extended to 0, `feather` pixels inside."""
    place = torch.arange(1, length + 1)
    begin = (1 - place / (feather + 1)).clamp(min=0) * bool(before)
    end = (1 - place.flip(0) / (feather + 1)).clamp(min=0) * bool(after)
    return torch.maximum(begin, end)


def _convolve(values: Tensor, kernel: Tensor, margin: tuple[int, int, int, int]) -> Tensor:
    return functional.conv2d(functional.pad(values, margin, mode="replicate"), kernel)
