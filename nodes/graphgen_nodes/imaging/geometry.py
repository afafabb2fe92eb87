"""Sizes of pictures, without the pictures: what resizing and cropping give, and what is refused. Torch-free.

Nodes' `infer` functions use it before anything runs, the functions over tensors when it does.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Mode = Literal["stretch", "fit", "fill", "pad"]

MOST_PIXELS = 2**26
"""The most pixels one picture may have: 8192 x 8192, 805 MB as RGB in float32."""
MOST_PIXELS_IN_BATCH = 2**28
"""The most pixels all pictures of a batch may have together: 3.2 GB as RGB in float32."""


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int

    def __str__(self) -> str:
        """Write it as `640 x 480`."""
        return f"{self.width} x {self.height}"


class Box(NamedTuple):
    """A part of a picture, in pixels from its upper left corner; fractions of pixels are allowed."""

    left: float
    top: float
    right: float
    bottom: float


def check_size(size: Size, batch: int = 1) -> None:
    """Refuse a batch of pictures that is empty or too large to be computed.

    Raises:
        ValueError: a side is below 1, or there are too many pixels; names what is allowed.
    """
    if size.width < 1 or size.height < 1 or batch < 1:
        raise ValueError(f"{batch} picture(s) of {size} pixels hold nothing; sides and counts begin at 1")
    pixels = size.width * size.height
    if pixels > MOST_PIXELS:
        raise ValueError(f"a picture of {size} has {pixels} pixels; at most {MOST_PIXELS} are allowed (8192 x 8192)")
    if pixels * batch > MOST_PIXELS_IN_BATCH:
        raise ValueError(
            f"{batch} pictures of {size} have {pixels * batch} pixels; at most {MOST_PIXELS_IN_BATCH} are allowed "
            f"together, which is {MOST_PIXELS_IN_BATCH // pixels} of this size"
        )


def fitted(size: Size, into: Size) -> Size:
    """Return the largest size of the same shape that fits into another, each side at least 1."""
    if size.width * into.height >= size.height * into.width:
        return Size(into.width, max(1, round(size.height * into.width / size.width)))
    return Size(max(1, round(size.width * into.height / size.height)), into.height)


def covering(size: Size, into: Size) -> Box:
    """Return the central part of a picture that has the shape of `into` and is as large as can be."""
    width, height = float(size.width), float(size.height)
    if size.width * into.height >= size.height * into.width:
        width = size.height * into.width / into.height
    else:
        height = size.width * into.height / into.width
    left, top = (size.width - width) / 2, (size.height - height) / 2
    return Box(left, top, left + width, top + height)


def check_crop(size: Size, x: int, y: int, part: Size) -> None:
    """Refuse a crop that leaves the picture.

    Raises:
        ValueError: names the largest values allowed.
    """
    if x + part.width > size.width or y + part.height > size.height:
        raise ValueError(
            f"a part of {part} at x {x}, y {y} leaves the picture of {size}; "
            f"allowed there: width up to {max(size.width - x, 0)}, height up to {max(size.height - y, 0)}"
        )
