"""A part's tensors, read from its mapped files as the table of names says: cut out, turned, and with their scales.

In: a part, and sources that speak of its tensors. Out: torch's tensors. Nothing is read before it is asked for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

from graphgen_nodes.checkpoints.files import GGUF
from graphgen_nodes.checkpoints.keys import Source
from graphgen_nodes.checkpoints.parts import Part
from graphgen_nodes.quantised import GGUFTensors


class StoredTensors:
    """The mapped files of a part; what comes out of them is on a device."""

    def __init__(self, part: Part, device: torch.device | str = "cpu") -> None:
        self._part = part
        self._device = str(device)
        self._files: dict[Path, Any] = {}
        self._last: tuple[str, Tensor] | None = None

    def read(self, source: Source) -> tuple[Tensor, float]:
        """Return what a source speaks of in the format it is stored in, and the number that it is to be multiplied by.

        The tensor may share memory with the file.
        """
        last = self._last
        if last is None or last[0] != source.name:  # pieces of one tensor follow each other: it is read once for all
            last = self._last = (source.name, self._stored(source.name))
        tensor = last[1]
        if source.scale is None:
            return made_of(tensor, source), 1.0
        scale = self._stored(source.scale).float()
        if scale.numel() == 1:
            return made_of(tensor, source), float(scale)
        return made_of(tensor.float() * scale.reshape(-1, *[1] * (tensor.ndim - 1)), source), 1.0

    def values(self, source: Source, dtype: torch.dtype) -> Tensor:
        """Return what a source speaks of, in a number format."""
        tensor, factor = self.read(source)
        return times(tensor.to(dtype), factor)

    def _stored(self, name: str) -> Tensor:
        path, full = self._part.places[name]
        if path not in self._files:
            gguf = path.suffix.lower() == GGUF
            self._files[path] = (
                GGUFTensors(path, self._device) if gguf else safe_open(path, framework="pt", device=self._device)
            )
        found: Tensor = self._files[path].get_tensor(full)
        return found


def times(value: Tensor, factor: float) -> Tensor:
    """Return a tensor multiplied by a number, or itself where that changes nothing."""
    return value if factor == 1 else value * factor


def made_of(tensor: Tensor, source: Source) -> Tensor:
    """Return what a source makes of a stored tensor."""
    if source.pieces > 1:
        rows = len(tensor) // (source.pieces * source.groups)
        grouped = tensor.reshape(source.groups, source.pieces * rows, *tensor.shape[1:])
        tensor = grouped.narrow(1, source.piece * rows, source.span * rows).flatten(0, 1)
    if source.swap:
        first, second = tensor.chunk(2)
        tensor = torch.cat([second, first])
    if source.transpose:
        tensor = tensor.T.contiguous()
    return tensor.reshape(source.shape)
