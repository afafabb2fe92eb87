"""One prediction for a composition of conditionings, of the predictions for its parts.

In: conditionings, and the latent that they are for. Out: `Piece`s, which the denoiser predicts for one by one or
together, and their weighted mean. As each part sees the whole latent, or its own window of it, no guider has to know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphgen_nodes.compositions import Composition, Part, Region
from graphgen_nodes.sampling.protocols import Prediction
from graphgen_nodes.sockets import Conditioning

LEAST = 1e-6
"""What counts as no weight at all: rounding leaves less where a region ends on a cell's border."""

UNIT = 2
"""Windows begin and end at multiples of so many cells, which transformers over patches need."""

Window = tuple[slice, slice]
"""Rows and columns of a latent."""


@dataclass(frozen=True)
class Piece:
    """One plain conditioning of those to predict for: in a window (None: everywhere), with a weight at each place.

    `weight[1 or batch, 1, rows, columns]` is the window's; None where there is no other piece.
    """

    conditioning: Conditioning
    window: Window | None = None
    weight: Tensor | None = None


def pieces_of(conditioning: Conditioning, x: Tensor) -> list[Piece]:
    """Return what to predict for in place of a conditioning, for the latent `x[batch, channels, ..., rows, columns]`.

    Raises:
        ValueError: there is a place of which nothing is said, or a mask is for another number of images.
    """
    if not isinstance(conditioning, Composition):
        return [Piece(conditioning)]
    weights = [_weight(part, x) for part in conditioning.parts]
    total = sum(weights, torch.zeros_like(weights[0]))
    if (bare := int((total <= LEAST).sum())) > 0:
        raise ValueError(
            f"conditioning: says nothing of {bare} of the latent's {total.numel()} cells, which none of its regions "
            "covers; combine it with a prompt for the whole picture, or for the rest of it"
        )
    pieces = []
    for part, weight in zip(conditioning.parts, weights, strict=True):
        window = _window(weight) if part.alone else None
        if window is None or window[0].start < window[0].stop:
            pieces.append(Piece(_seen(part.conditioning, window), window, cut(weight / total, window)))
    return pieces


def _seen(conditioning: Conditioning, window: Window | None) -> Conditioning:
    """Return a conditioning with what it shows beside the latent cut to a window."""
    if window is None or conditioning.beside is None:
        return conditioning
    return replace(conditioning, beside=cut(conditioning.beside, window))


def cut(value: Tensor, window: Window | None) -> Tensor:
    """Return the window of `value[..., rows, columns]`."""
    return value if window is None else value[(..., *window)]


def merged(pieces: Sequence[Piece], predictions: Sequence[Prediction], x: Tensor) -> Prediction:
    """Return the mean of predictions by the weights of their pieces; where there is one piece, its prediction."""
    if pieces[0].weight is None:
        return predictions[0]
    denoised = _sum(pieces, [prediction.denoised for prediction in predictions], x)
    variances = [prediction.variance for prediction in predictions if prediction.variance is not None]
    complete = len(variances) == len(predictions)
    return Prediction(denoised, _sum(pieces, variances, x) if complete else None)


def _sum(pieces: Sequence[Piece], values: Sequence[Tensor], x: Tensor) -> Tensor:
    total = torch.zeros_like(x)
    for piece, value in zip(pieces, values, strict=True):
        weight = value.new_ones(1) if piece.weight is None else piece.weight
        while 1 < weight.dim() < value.dim():  # a latent may have frames before its rows
            weight = weight.unsqueeze(2)
        cut(total, piece.window).add_(weight * value)
    return total


def _weight(part: Part, x: Tensor) -> Tensor:
    """Return a part's strength at each place, `[1 or batch, 1, rows, columns]`."""
    rows, columns = x.shape[-2:]
    weight = torch.full((1, 1, rows, columns), part.strength, device=x.device)
    for region in part.regions:
        weight = weight * _cover(region, len(x), rows, columns).to(x.device)
    return weight


def _cover(region: Region, batch: int, rows: int, columns: int) -> Tensor:
    box = _overlap(region.top, region.bottom, rows)[:, None] * _overlap(region.left, region.right, columns)
    cover = box.float()[None, None]
    if region.mask is None:
        return cover
    if len(region.mask) not in (1, batch):
        raise ValueError(
            f"conditioning: has a mask for {len(region.mask)} images; allowed are 1 or the latent's batch of {batch}"
        )
    return cover * torch.nn.functional.interpolate(region.mask[:, None], size=(rows, columns), mode="area")


def _overlap(low: float, high: float, cells: int) -> Tensor:
    """Return how much of each of so many cells side by side lies between two shares of their length, 0..1."""
    edges = torch.arange(cells + 1, dtype=torch.float64) / cells
    inside = torch.minimum(edges[1:], torch.tensor(high)) - torch.maximum(edges[:-1], torch.tensor(low))
    return (inside * cells).clamp(0, 1)


def _window(weight: Tensor) -> Window:
    """Return the smallest window, in whole units, around all places with a weight; an empty one where there is none."""
    there = (weight > LEAST).flatten(0, 1).any(dim=0)
    rows, columns = there.any(dim=1).nonzero().flatten().tolist(), there.any(dim=0).nonzero().flatten().tolist()
    if not rows:
        return slice(0, 0), slice(0, 0)
    return _whole(rows, there.shape[0]), _whole(columns, there.shape[1])


def _whole(places: Sequence[int], size: int) -> slice:
    return slice(places[0] // UNIT * UNIT, min(-(-(places[-1] + 1) // UNIT) * UNIT, size))
