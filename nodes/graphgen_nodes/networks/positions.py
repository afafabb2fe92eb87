"""Positions of patches as sines and cosines (Vaswani et al. 2017), for transformers that do not store them."""

from __future__ import annotations

import torch
from torch import Tensor


def sincos_positions(width: int, side: int) -> Tensor:
    """Return `[1, side * side, width]` in float32, row by row: for the column, then for the row, sines and cosines.

    A quarter of the width are the frequencies 10000^(-4k / width), computed in double precision.
    """
    frequencies = 10000.0 ** (-torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    angles = torch.arange(side, dtype=torch.float64)[:, None] * frequencies
    line = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns, rows = line[None].expand(side, -1, -1), line[:, None].expand(-1, side, -1)
    return torch.cat([columns, rows], dim=2).reshape(1, side * side, width).float()
