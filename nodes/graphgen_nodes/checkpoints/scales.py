"""Weights in eight bits with scales beside them, as ComfyUI and others write them: which scale is which weight's.

In: a part. Out: its tensors without the scales, and the name of each weight's scale. A weight is what is stored times
its scale, one number or one for each row; scales of what comes in are for computing in eight bits, and are left.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from graphgen_nodes.checkpoints.files import file_header
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.keys import Shape
from graphgen_nodes.checkpoints.parts import Part

OF_WEIGHTS = ("scale_weight", "weight_scale")
LEFT = ("scaled_fp8", "scale_input", "input_scale", "comfy_quant")
"""Tensors that tell how to compute in eight bits, which graphgen does not."""

EIGHT_BITS = ("F8_E4M3", "F8_E5M2")


@dataclass(frozen=True)
class Scaled:
    """A part's tensors by name, without what scales them, and the name of the scale by the weight's."""

    shapes: Mapping[str, Shape]
    scales: Mapping[str, str]


def scaled(part: Part) -> Scaled:
    """Return a part's tensors and their scales.

    Raises:
        CheckpointError: there are scales of a kind that graphgen does not know, or of nothing.
    """
    shapes: dict[str, Shape] = {}
    scales: dict[str, str] = {}
    for name, shape in part.shapes.items():
        owner, _, kind = name.rpartition(".")
        if kind in OF_WEIGHTS:
            _check(part, f"{owner}.weight", name)
            scales[f"{owner}.weight"] = name
        elif kind not in LEFT:
            shapes[name] = shape
    return Scaled(shapes, scales)


def _check(part: Part, weight: str, scale: str) -> None:
    """Check that a scale is one number or one for each row, and its weight in float8."""
    given, shape = part.shapes.get(weight), part.shapes[scale]
    path, full = part.places.get(weight, (part.path, ""))
    info = file_header(path).tensors.get(full)
    if given and info is not None and info.dtype in EIGHT_BITS and shape in ((), (1,), given[:1], (given[0], 1)):
        return
    raise CheckpointError(
        f"{part}: {scale!r} of shape {shape} scales {weight!r}, which is of shape {given} in "
        f"{info.dtype if info else 'nothing'}; graphgen can read float8 with one scale for each weight or row: get the "
        "model so, or in bfloat16 or float16"
    )
