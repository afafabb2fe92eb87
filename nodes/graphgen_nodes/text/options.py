"""How a prompt is read: the choices that checking a workflow and running it have in common. Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from graphgen_nodes.sockets import EmptyPrompt

Weighting = Literal["interpolate", "normalise", "multiply", "off"]


@dataclass(frozen=True)
class ReadingOptions:
    """How to read a prompt.

    `weighting` is what the weights of words do; off reads the signs for them as typed. `chunks` is how many chunks CLIP
    reads, 0 as many as are needed; `skip` how many layers before the usual one its states are from. `length` is how
    many tokens T5 reads, 0 as usual. `empty` is what becomes of no words at all.
    """

    weighting: Weighting = "interpolate"
    chunks: int = 0
    skip: int = 0
    length: int = 0
    empty: EmptyPrompt = "encoded"


USUAL = ReadingOptions()
AS_TYPED = ReadingOptions(weighting="off", chunks=1)
"""How diffusers' pipelines read."""
