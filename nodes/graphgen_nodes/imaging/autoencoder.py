"""Pixels to latents and back through a family's autoencoder, in tiles where a picture is large.

In: an AutoencoderKL or AutoencoderTiny, and a `Latent` or an `Image`. Out: the other, in float32 on the CPU. Pictures
of a batch go through one by one, so that a batch needs no more memory than a picture and gives the same numbers.

Tiles overlap and are blended by weights that rise linearly over the overlap. A tiled picture differs a little from a
whole one: the networks normalise over, and attend to, all they see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from graphgen import Context
from graphgen_nodes.sockets import Image, Latent, LatentFormat
from graphgen_nodes.thrift import BLOCKS, Way, in_less_memory, smaller

OVERLAP = 0.25
"""The share of a tile that it has in common with its neighbour."""

SMALLER = (512, 256)
"""Tiles, in pixels, that are tried where memory runs out."""

T = TypeVar("T")

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Window:
    """A tile's place in latent cells: rows and columns, begin and end."""

    top: int
    bottom: int
    left: int
    right: int


def decode(module: nn.Module, latent: Latent, tile: int, progress: Progress) -> Image:
    """Decode latents to pixels in 0..1; pictures wider or higher than `tile` pixels in tiles (0: never).

    `progress(done, total)` is called after each tile and may raise to stop.
    """
    cells = _cells(tile, latent.format.downscale)
    raw = latent.samples / latent.format.scale + latent.format.shift
    windows = plan_tiles(raw.shape[-2], raw.shape[-1], cells)
    count = Counter(len(raw) * len(windows), progress)
    pictures = []
    for one in torch.split(raw, 1):
        pieces = (count(_decode_tile(module, _cut(one, window))) for window in windows)
        pictures.append(blend(pieces, windows, latent.format.downscale))
    return Image((torch.cat(pictures) / 2 + 0.5).clamp(0, 1))


def encode(
    module: nn.Module, image: Image, target: LatentFormat, tile: int, progress: Progress, seed: int | None = None
) -> Latent:
    """Encode pixels in 0..1 to latents: the distribution's mode, or a draw from it where a seed is given.

    Picture i of a batch draws from a generator seeded with `seed + i`. An alpha channel is left out.

    Raises:
        ValueError: the picture's sides are no multiples of the autoencoder's downscaling.
    """
    height, width = image.pixels.shape[-2:]
    cell = target.downscale
    if height % cell or width % cell:
        raise ValueError(
            f"image: {width} x {height} pixels; both must be multiples of {cell} for this autoencoder: "
            f"resize to {width // cell * cell or cell} x {height // cell * cell or cell}"
        )
    windows = plan_tiles(height // cell, width // cell, _cells(tile, cell))
    count = Counter(len(image.pixels) * len(windows), progress)
    latents = []
    for index, one in enumerate(torch.split(image.pixels[:, :3] * 2 - 1, 1)):
        moments = (count(_encode_tile(module, _cut(one, window, cell))) for window in windows)
        mean, deviation = blend(moments, windows, 1).chunk(2, dim=1)
        if seed is not None:
            generator = torch.Generator().manual_seed(seed + index)
            mean = mean + deviation * torch.randn(mean.shape, generator=generator)
        latents.append((mean - target.shift) * target.scale)
    return Latent(torch.cat(latents), target)


def in_smaller_tiles(context: Context, work: Callable[[int, int | None], T], tile: int, longest: int) -> T:
    """Do `work(tile, room)` for a picture with a longest side, in smaller tiles where memory runs out."""
    sizes = smaller(SMALLER, tile, longest)
    ways: list[Way[T]] = [(f"in tiles of {size} pixels", partial(work, size, None)) for size in sizes]
    last = sizes[-1] if sizes else tile
    words = f"in tiles of {last} pixels, {BLOCKS}" if sizes else BLOCKS
    return in_less_memory(context, ("", partial(work, tile, None)), *ways, (words, partial(work, last, 0)))


def pixels_of(latent: Latent) -> Image:
    """Return the pictures that latents are, where a model works on pixels themselves; gray ones get three channels."""
    pixels = (latent.samples / latent.format.scale + latent.format.shift) / 2 + 0.5
    if pixels.shape[1] == 1:
        pixels = pixels.repeat(1, 3, 1, 1)
    return Image(pixels.clamp(0, 1))


def latent_of(image: Image, target: LatentFormat) -> Latent:
    """Return pictures as the latents of a model that works on pixels themselves.

    An alpha channel is left out; a gray model gets the mean of the colours.

    Raises:
        ValueError: the model works on neither one channel nor three.
    """
    pixels = image.pixels[:, :3]
    if target.channels == 1:
        pixels = pixels.mean(dim=1, keepdim=True)
    elif target.channels != 3:
        raise ValueError(f"image: is of 1 or 3 channels, and the model works on {target.channels}; give it no picture")
    return Latent((pixels * 2 - 1 - target.shift) * target.scale, target)


def check_format(given: LatentFormat, wanted: LatentFormat) -> None:
    """Check that a latent is in the format an autoencoder works on.

    Raises:
        ValueError: names what differs.
    """
    different = [name for name in vars(wanted) if getattr(given, name) != getattr(wanted, name)]
    if different:
        told = ", ".join(f"{name} {getattr(given, name)} instead of {getattr(wanted, name)}" for name in different)
        raise ValueError(
            f"latent: is in another format than the autoencoder's ({told}); decode it with the autoencoder of the "
            "model that made it"
        )


def plan_tiles(height: int, width: int, size: int) -> list[Window]:
    """Return overlapping windows of at most `size` x `size` cells that cover a picture; one window where it fits."""
    rows, columns = _spans(height, size), _spans(width, size)
    return [Window(top, bottom, left, right) for top, bottom in rows for left, right in columns]


def blend(pieces: Iterator[Tensor], windows: list[Window], scale: int) -> Tensor:
    """Put tiles together: each `[1, channels, rows * scale, columns * scale]`, weighted by its distance to its edge."""
    total: Tensor | None = None
    weights: Tensor | None = None
    for window, piece in zip(windows, pieces, strict=True):
        if len(windows) == 1:
            return piece
        if total is None or weights is None:
            height, width = max(w.bottom for w in windows) * scale, max(w.right for w in windows) * scale
            total = piece.new_zeros(1, piece.shape[1], height, width)
            weights = piece.new_zeros(1, 1, height, width)
        weight = _weights(piece.shape[-2])[:, None] * _weights(piece.shape[-1])
        rows = slice(window.top * scale, window.bottom * scale)
        columns = slice(window.left * scale, window.right * scale)
        total[..., rows, columns] += piece * weight
        weights[..., rows, columns] += weight
    if total is None or weights is None:
        raise ValueError("blend: there are no tiles")
    return total / weights


class Counter:
    """Counts tiles as they pass and reports each."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.done, self.total, self.progress = 0, total, progress
        progress(0, total)

    def __call__(self, tile: Tensor) -> Tensor:
        """Count one tile and pass it on."""
        self.done += 1
        self.progress(self.done, self.total)
        return tile


def _cells(tile: int, downscale: int) -> int:
    """Return the largest side of a tile in cells; 0 where pictures are never cut."""
    return max(tile // downscale, 8) if tile else 0


def _spans(length: int, size: int) -> list[tuple[int, int]]:
    """Spread spans of `size` evenly over a length, neighbours sharing at least OVERLAP of it."""
    if not size or length <= size:
        return [(0, length)]
    stride = size - int(size * OVERLAP)
    steps = -(-(length - size) // stride)
    starts = [round(step * (length - size) / steps) for step in range(steps + 1)]
    return [(start, start + size) for start in starts]


def _weights(length: int) -> Tensor:
    """Return weights that rise from each edge to 1 over the overlap; never 0, so that the picture's rim is covered."""
    distance = torch.arange(1, length + 1)
    return (torch.minimum(distance, distance.flip(0)) / max(length * OVERLAP, 1)).clamp(max=1)


def _cut(picture: Tensor, window: Window, scale: int = 1) -> Tensor:
    rows, columns = slice(window.top * scale, window.bottom * scale), slice(window.left * scale, window.right * scale)
    return picture[..., rows, columns]


@torch.no_grad()
def _decode_tile(module: Any, raw: Tensor) -> Tensor:
    weight = next(module.parameters())
    picture: Tensor = module.decode(raw.to(weight), return_dict=False)[0]
    return picture.float().cpu()


@torch.no_grad()
def _encode_tile(module: Any, pixels: Tensor) -> Tensor:
    """Return mean and standard deviation, one after the other along the channels; tiny networks find no deviation."""
    weight = next(module.parameters())
    found = module.encode(pixels.to(weight))
    spread = getattr(found, "latent_dist", None)
    mean, deviation = (spread.mean, spread.std) if spread else (found.latents, torch.zeros_like(found.latents))
    return torch.cat([mean, deviation], dim=1).float().cpu()
