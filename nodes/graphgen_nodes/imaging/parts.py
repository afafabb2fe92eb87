"""Parts of pictures cut out around a mask, and put back: functions over `pixels[batch, channels, height, width]`."""

from __future__ import annotations

import torch

from graphgen_nodes.imaging import masks, pictures
from graphgen_nodes.imaging.cutouts import Cutout, cutout_around
from graphgen_nodes.imaging.geometry import Size, check_crop
from graphgen_nodes.sockets import Image, Mask


def cut_out(image: Image, mask: Mask, context: float, into: Size) -> tuple[Image, Mask, Cutout]:
    """Cut out what a mask marks with some of what is around it, and bring it to a size; say where it was.

    All pictures of a batch are cut at one place.

    Raises:
        ValueError: sizes or batches differ, or nothing is marked.
    """
    size = pictures.size_of(image)
    counts = {"image": len(image.pixels), "mask": len(mask.values)}
    pictures.check_same({"image": size, "mask": masks.size_of(mask)}, counts)
    place = cutout_around(_marked(mask), size, context, into)
    part = Size(place.width, place.height)
    pixels = pictures.resize(pictures.crop(image, place.x, place.y, part), into, "stretch", "lanczos", "#000000")
    return pixels, masks.resize(masks.crop(mask, place.x, place.y, part), into, "stretch", "bilinear"), place


def stitch(image: Image, over: Image, place: Cutout, mask: Mask) -> Image:
    """Put a part back where it was cut out, seen where the whole picture's mask is 1; the rest stays as it was.

    Raises:
        ValueError: the place leaves the picture, or sizes or batches differ.
    """
    part = Size(place.width, place.height)
    check_crop(pictures.size_of(over), place.x, place.y, part)
    fitted = pictures.resize(image, part, "stretch", "lanczos", "#000000").pixels
    count = max(len(fitted), len(over.pixels))
    laid = over.pixels.expand(count, -1, -1, -1).clone()
    laid[:, :3, place.y : place.y + part.height, place.x : place.x + part.width] = fitted[:, :3]
    return pictures.composite(Image(laid[:, :3]), over, mask)


def _marked(mask: Mask) -> Cutout:
    """Return the smallest box around all that the masks of a batch mark."""
    marked = (mask.values > 0).any(dim=0)
    if not bool(marked.any()):
        raise ValueError("mask: marks nothing to cut out; make it white where to work")
    rows, columns = (torch.nonzero(marked.any(dim=axis))[:, 0] for axis in (1, 0))
    top, bottom, left, right = (int(end) for end in (rows[0], rows[-1], columns[0], columns[-1]))
    return Cutout(left, top, right - left + 1, bottom - top + 1)
