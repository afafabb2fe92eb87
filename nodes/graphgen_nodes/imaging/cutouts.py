"""A part of a picture that is worked on by itself, and put back. Torch-free: where it lies; pixels are elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.imaging.geometry import Size


@dataclass(frozen=True)
class Cutout:
    """Where a part was cut out of a picture: its upper left corner and its size, in whole pixels."""

    x: int
    y: int
    width: int
    height: int


def cutout_around(marked: Cutout, picture: Size, context: float, shape: Size) -> Cutout:
    """Return a part of a picture around what is marked, with `context` times its longer side of margin.

    It has the shape of `shape`, as far as the picture is large enough, and lies within the picture.
    """
    margin = round(context * max(marked.width, marked.height))
    width, height = marked.width + 2 * margin, marked.height + 2 * margin
    width, height = (
        max(width, round(height * shape.width / shape.height)),
        max(height, round(width * shape.height / shape.width)),
    )
    x, width = _within(marked.x + marked.width / 2, width, picture.width)
    y, height = _within(marked.y + marked.height / 2, height, picture.height)
    return Cutout(x, y, width, height)


def _within(middle: float, length: int, most: int) -> tuple[int, int]:
    """Return begin and length of a stretch around a middle, moved into 0 to `most`."""
    length = min(length, most)
    return min(max(round(middle - length / 2), 0), most - length), length
