"""An upscaler's file as a handle: what its header says, read without torch."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from graphgen_nodes.checkpoints.header import CheckpointError, read_header
from graphgen_nodes.checkpoints.identity import identity, remember_place
from graphgen_nodes.sockets import Precision, Upscaler, Weights

PART = "upscaler"


class Enlargement(NamedTuple):
    """How much larger an upscaler makes a picture, and how many channels it takes and gives."""

    scale: int
    channels: int


def upscaler_handle(path: Path, precision: Precision = "auto") -> Upscaler:
    """Return a handle to the upscaler in a safetensors file.

    Raises:
        CheckpointError: the file is damaged, or holds no upscaler that graphgen knows.
    """
    found = enlargement(path)
    digest = identity(path)
    remember_place(digest, path)
    return Upscaler(Weights(digest, str(path), PART, "original"), found.scale, precision)


def enlargement(path: Path) -> Enlargement:
    """Read an upscaler's scale and channels from its file's header.

    Raises:
        CheckpointError: the file is damaged, or holds no upscaler that graphgen knows.
    """
    shapes = {name: info.shape for name, info in read_header(path).tensors.items()}
    found = _of_shapes(shapes)
    if found is None:
        raise CheckpointError(
            f"{path.name}: holds no upscaler that graphgen knows; give a Real-ESRGAN file with the tensors "
            "body.0.weight, ... (SRVGGNetCompact) or conv_first.weight, ... (RRDBNet)"
        )
    return found


def _of_shapes(shapes: Mapping[str, Sequence[int]]) -> Enlargement | None:
    """Tell the enlargement from tensor shapes; `networks.upscale.detect` checks all of them when the file is loaded."""
    if len(shapes.get("conv_first.weight", ())) == 4 and len(shapes.get("conv_last.weight", ())) == 4:
        channels = shapes["conv_last.weight"][0]
        scale = {channels: 4, channels * 4: 2, channels * 16: 1}.get(shapes["conv_first.weight"][1])
        return Enlargement(scale, channels) if scale and channels else None
    layers = [int(match[1]) for name in shapes if (match := re.fullmatch(r"body\.(\d{1,4})\.weight", name))]
    if len(shapes.get("body.0.weight", ())) != 4 or not layers:
        return None
    channels, pixels = shapes["body.0.weight"][1], shapes[f"body.{max(layers)}.weight"][0]
    scale = math.isqrt(pixels // channels) if channels else 0
    return Enlargement(scale, channels) if scale and scale * scale * channels == pixels else None
