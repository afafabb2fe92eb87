"""Guiders as data: what travels along wires. Nothing here imports torch until a guidance is asked for.

A plugin adds one the same way: a frozen subclass of `Guider` with its `denoiser`, that returns its guidance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphgen_nodes.sockets import Conditioning, Denoiser, Guider

if TYPE_CHECKING:
    from graphgen_nodes.sampling.protocols import Guidance


@dataclass(frozen=True)
class ClassifierFreeGuidance(Guider):
    """Move the prediction away from the negative one by a scale (Ho and Salimans 2022); see `guidance`.

    It acts on the steps that begin at the shares `start` up to `end` of a schedule; the others follow the positive
    prediction as it is (Kynkäänniemi et al. 2024). Of the latent's channels it guides the first `channels`; 0: all.
    """

    denoiser: Denoiser
    positive: Conditioning
    negative: Conditioning
    scale: float
    rescale: float = 0.0
    start: float = 0.0
    end: float = 1.0
    channels: int = 0

    def __post_init__(self) -> None:
        """Refuse a range without a step."""
        if not 0 <= self.start < self.end <= 1:
            raise ValueError(
                f"guiders.classifier_free.start: is {self.start:g} and the end {self.end:g}; the start must be less "
                "than the end, both within 0 to 1; for no guidance at all use guiders.none"
            )

    def at(self, progress: float) -> Guider:
        """Return guidance without a range, or none outside the range and at scale 1."""
        denoiser, positive = self.denoiser.at(progress), self.positive.at(progress)
        if self.scale == 1 or not self.start <= progress < self.end:
            return NoGuidance(denoiser, positive)
        negative = self.negative.at(progress)
        return replace(self, denoiser=denoiser, positive=positive, negative=negative, start=0.0, end=1.0)

    def guidance(self) -> Guidance:
        """Return the function that combines the two predictions."""
        from graphgen_nodes.sampling.guidance import ClassifierFree

        return ClassifierFree(self)


@dataclass(frozen=True)
class NoGuidance(Guider):
    """Predict for one conditioning and take it as it is."""

    denoiser: Denoiser
    positive: Conditioning

    def at(self, progress: float) -> NoGuidance:
        """Return this with what it predicts from at a share of a schedule."""
        return NoGuidance(self.denoiser.at(progress), self.positive.at(progress))

    def guidance(self) -> Guidance:
        """Return the function that passes the prediction on."""
        from graphgen_nodes.sampling.guidance import Single

        return Single(self)


@dataclass(frozen=True)
class ClippedGuidance(Guider):
    """Keep what another guider predicts within a range of values, such as that of pixels; `denoiser` is its own."""

    denoiser: Denoiser
    guider: Guider
    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if not self.low < self.high:
            raise ValueError(f"guiders.clip.low: is {self.low:g}, which must be less than high ({self.high:g})")

    def at(self, progress: float) -> Guider:
        """Return this around what guides at a share of a schedule."""
        inner = self.guider.at(progress)
        return replace(self, denoiser=inner.denoiser, guider=inner)

    def guidance(self) -> Guidance:
        """Return the function that clips what the other one's makes."""
        from graphgen_nodes.sampling.guidance import Clipped

        return Clipped(self.guider.guidance(), self.low, self.high)


@dataclass(frozen=True)
class SwitchedGuidance(Guider):
    """Guide the steps before a share of a schedule by one guider, and those from there on by another.

    `denoiser` is the first one's; the two may differ, in latents of one format.
    """

    denoiser: Denoiser
    first: Guider
    then: Guider
    share: float

    def at(self, progress: float) -> Guider:
        """Return the one of the two whose turn it is."""
        return (self.first if progress < self.share else self.then).at(progress)

    def guidance(self) -> Guidance:
        """Return that of the beginning: sampling asks `at` for the others."""
        return self.at(0.0).guidance()
