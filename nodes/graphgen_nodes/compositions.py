"""Conditionings made of several: each acts with a strength, in a region of the picture, over a part of the schedule.

In: conditionings of one family. Out: a `Composition`, which is one too: whatever takes a conditioning takes it, and the
denoiser makes one prediction of those for its parts (`sampling.composing`), so that guiders need not know. Torch-free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphgen_nodes.sockets import Conditioning

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Region:
    """A box of a picture, in shares of its width and height, or how strongly each place of it is meant.

    `mask[batch, height, width]` is in 0..1 and stretched over the whole picture, whatever size that has. `alone` shows
    the denoiser nothing but the smallest box around the region, as if that were the picture.
    """

    left: float = 0.0
    top: float = 0.0
    right: float = 1.0
    bottom: float = 1.0
    mask: Tensor | None = None
    alone: bool = False


@dataclass(frozen=True)
class Part:
    """One conditioning of a composition: its strength, the regions whose intersection it is for, when it acts."""

    conditioning: Conditioning
    strength: float = 1.0
    regions: tuple[Region, ...] = ()
    start: float = 0.0
    end: float = 1.0

    @property
    def alone(self) -> bool:
        """Tell whether the denoiser is shown nothing but its region."""
        return any(region.alone for region in self.regions)

    def at(self, progress: float) -> Part | None:
        """Return what it is at a share of a schedule, acting always; None where it does not act."""
        if not self.start <= progress < self.end:
            return None
        return replace(self, conditioning=self.conditioning.at(progress), start=0.0, end=1.0)


@dataclass(frozen=True)
class Composition(Conditioning):
    """Several conditionings at once; each part's is of a plain kind, never a composition.

    The prediction is the mean of those for the parts, weighed at each place by strength times region.
    """

    parts: tuple[Part, ...]

    def at(self, progress: float) -> Conditioning:
        """Return the parts that act at a share of a schedule; the conditioning itself where one is left, everywhere.

        Raises:
            ValueError: none does.
        """
        acting = tuple(found for part in self.parts if (found := part.at(progress)) is not None)
        if not acting:
            raise ValueError(
                f"conditioning: says nothing at {progress:g} of the schedule, where none of its parts acts; give "
                "conditioning.between what is to act otherwise, or combine it with a prompt that always acts"
            )
        if len(acting) == 1 and not acting[0].regions:
            return acting[0].conditioning
        return replace(self, parts=acting)


def parts_of(conditioning: Conditioning) -> tuple[Part, ...]:
    """Return the parts of a conditioning: of one that is no composition, itself."""
    return conditioning.parts if isinstance(conditioning, Composition) else (Part(conditioning),)


def composed(family: str, parts: Sequence[Part]) -> Conditioning:
    """Return what parts are together: of one that acts fully, everywhere and always, its conditioning."""
    if len(parts) == 1 and parts[0] == Part(parts[0].conditioning):
        return parts[0].conditioning
    return Composition(family, tuple(parts))


def mapped(conditioning: Conditioning, change: Callable[[Conditioning], Conditioning]) -> Conditioning:
    """Return a conditioning with each plain one in it changed."""
    changed = [replace(part, conditioning=change(part.conditioning)) for part in parts_of(conditioning)]
    return composed(conditioning.family, changed)


def restricted(conditioning: Conditioning, region: Region, strength: float) -> Conditioning:
    """Return a conditioning for a region of where it was for, its strength multiplied."""
    parts = [
        replace(part, strength=part.strength * strength, regions=(*part.regions, region))
        for part in parts_of(conditioning)
    ]
    return composed(conditioning.family, parts)


def during(conditioning: Conditioning, start: float, end: float) -> tuple[Part, ...]:
    """Return the parts of a conditioning that act between two shares of a schedule, cut to them."""
    cut = (replace(part, start=max(part.start, start), end=min(part.end, end)) for part in parts_of(conditioning))
    return tuple(part for part in cut if part.start < part.end)
