"""Tone curves: smooth functions through points, applied to pictures.

In: points `[x, y]` in 0..1, x rising, and `pixels[batch, 3 or 4, height, width]` in 0..1. Out: the same pictures, bent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from graphgen_nodes.imaging.masks import LUMINANCE
from graphgen_nodes.sockets import Image

Points = Sequence[Sequence[float]]


class Curves(NamedTuple):
    """A curve for all channels, and one for each."""

    whole: Points
    red: Points
    green: Points
    blue: Points


def bend(image: Image, curves: Curves, on: Literal["channels", "luminance"]) -> Image:
    """Bend each channel along its curve, then all of them, or the luminance, along the one for the whole."""
    planes = zip(image.pixels[:, :3].unbind(1), (curves.red, curves.green, curves.blue), strict=True)
    colours = torch.stack([along(plane, points) for plane, points in planes], dim=1)
    if on == "channels":
        colours = along(colours, curves.whole)
    else:
        colours = with_luminance(colours, along(luminance(colours), curves.whole))
    return Image(torch.cat([colours, image.pixels[:, 3:]], dim=1))


def along(values: Tensor, points: Points) -> Tensor:
    """Return what a curve makes of values: monotone cubic interpolation, level beyond the first and the last point.

    Between two points it is the cubic of Hermite with `slopes` at its ends, so that it rises only where they do and
    overshoots nowhere (Fritsch and Carlson 1980).
    """
    if [list(point) for point in points] == [[0, 0], [1, 1]]:
        return values
    x, y = torch.tensor([list(point) for point in points], dtype=torch.float64).T.contiguous()
    m = slopes(x, y)
    given = values.double().clamp(x[0], x[-1])
    k = (torch.searchsorted(x, given, right=True) - 1).clamp(0, len(x) - 2)
    h = (x[1:] - x[:-1])[k]
    t = (given - x[k]) / h
    start, end = y[k] * (1 + 2 * t) + h * m[k] * t, y[k + 1] * (3 - 2 * t) - h * m[k + 1] * (1 - t)
    return torch.clamp(start * (1 - t) ** 2 + end * t**2, 0, 1).to(values.dtype)


def slopes(x: Tensor, y: Tensor) -> Tensor:
    """Return the slope of a monotone cubic curve at each of its points.

    Inside it is the weighted harmonic mean of the slopes to both sides, 0 where these differ in sign (Fritsch and
    Butland 1984); at the ends that of the parabola through three points, held back where it would overshoot (Moler,
    Numerical Computing with MATLAB, 3.4).
    """
    h = x[1:] - x[:-1]
    d = (y[1:] - y[:-1]) / h
    if len(d) == 1:
        return torch.cat([d, d])
    before, after = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    turning = d[:-1] * d[1:] <= 0
    left, right = d[:-1].where(~turning, 1.0), d[1:].where(~turning, 1.0)
    inside = ((before + after) / (before / left + after / right)).where(~turning, 0.0)
    first, last = _end(h[0], h[1], d[0], d[1]), _end(h[-1], h[-2], d[-1], d[-2])
    return torch.cat([first[None], inside, last[None]])


def _end(h: Tensor, following: Tensor, d: Tensor, next_d: Tensor) -> Tensor:
    """Return the slope at an end: `h` and `d` are the width and slope of the stretch there, the others of the next."""
    slope = ((2 * h + following) * d - h * next_d) / (h + following)
    if slope.sign() != d.sign():
        return torch.zeros_like(d)
    if d.sign() != next_d.sign() and slope.abs() > 3 * d.abs():
        return 3 * d
    return slope


def luminance(colours: Tensor) -> Tensor:
    """Return the luminance `[batch, height, width]` of colours `[batch, 3, height, width]`, as masks take it."""
    return torch.einsum("bchw,c->bhw", colours, LUMINANCE)


def with_luminance(colours: Tensor, wanted: Tensor) -> Tensor:
    """Give colours another luminance and keep their hue, less saturated where they would leave 0..1.

    It is SetLum of the W3C's "Compositing and Blending Level 1", with the luminance of ITU-R BT.709.
    """
    grey = wanted[:, None]
    shifted = colours - luminance(colours)[:, None] + grey
    low, high = shifted.amin(dim=1, keepdim=True), shifted.amax(dim=1, keepdim=True)
    tiny = torch.finfo(colours.dtype).tiny
    down = torch.where(low < 0, grey / (grey - low).clamp(min=tiny), 1.0)
    up = torch.where(high > 1, (1 - grey) / (high - grey).clamp(min=tiny), 1.0)
    return (grey + (shifted - grey) * torch.minimum(down, up)).clamp(0, 1)
