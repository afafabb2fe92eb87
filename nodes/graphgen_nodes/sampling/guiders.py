"""Guiders as data: what travels along wires. Nothing here imports torch until a guidance is asked for.

A plugin adds one the same way: a frozen subclass of `Guider` with its `denoiser`, that returns its guidance.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from graphgen_nodes.sockets import Conditioning, Denoiser, Guider, Patch

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
        _check_range("guiders.classifier_free.start", self.start, self.end)

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
class SurroundingGuidance(Guider):
    """What guiders share that change the prediction of another one and ask for nothing besides."""

    denoiser: Denoiser
    guider: Guider

    @property
    def denoisers(self) -> tuple[Denoiser, ...]:
        """Return those of the other guider."""
        return self.guider.denoisers

    @property
    def positive(self) -> Conditioning:
        """Return what the other guider follows."""
        return followed(self.guider)

    def at(self, progress: float) -> Guider:
        """Return this around what guides at a share of a schedule."""
        inner = self.guider.at(progress)
        return replace(self, denoiser=inner.denoiser, guider=inner)


@dataclass(frozen=True)
class ClippedGuidance(SurroundingGuidance):
    """Keep what another guider predicts within a range of values, such as that of pixels; `denoiser` is its own."""

    low: float = -1.0
    high: float = 1.0

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if not self.low < self.high:
            raise ValueError(f"guiders.clip.low: is {self.low:g}, which must be less than high ({self.high:g})")

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


def _check_range(place: str, start: float, end: float) -> None:
    if not 0 <= start < end <= 1:
        raise ValueError(
            f"{place}: is {start:g} and the end {end:g}; the start must be less than the end, both within 0 to 1; for "
            "no guidance at all use guiders.none"
        )


def followed(guider: Guider) -> Conditioning:
    """Return the conditioning that a guider follows.

    Raises:
        ValueError: it follows none of its own.
    """
    found = getattr(guider, "positive", None)
    if not isinstance(found, Conditioning):
        raise ValueError(
            f"guiders: a {type(guider).__name__} follows no conditioning of its own that a weaker denoiser could be "
            "asked about; put this guider inside it, around guiders.classifier_free or guiders.none"
        )
    return found


@dataclass(frozen=True)
class ThresholdedGuidance(SurroundingGuidance):
    """Draw what another guider predicts into its usual range, image by image; `denoiser` is its own."""

    ratio: float = 0.995
    most: float = 100.0

    def guidance(self) -> Guidance:
        """Return the function that draws in what the other one's makes."""
        from graphgen_nodes.sampling.guidance import Thresholded

        return Thresholded(self.guider.guidance(), self.ratio, self.most)


@dataclass(frozen=True)
class ProjectedGuidance(Guider):
    """Move the prediction away from the negative one mostly across itself; see `guidance.Projected`."""

    denoiser: Denoiser
    positive: Conditioning
    negative: Conditioning
    scale: float
    parallel: float = 0.0
    most: float = 0.0
    momentum: float = 0.0

    def at(self, progress: float) -> ProjectedGuidance:
        """Return this with what it predicts from at a share of a schedule."""
        positive, negative = self.positive.at(progress), self.negative.at(progress)
        return replace(self, denoiser=self.denoiser.at(progress), positive=positive, negative=negative)

    def guidance(self) -> Guidance:
        """Return the function that combines the two predictions."""
        from graphgen_nodes.sampling.guidance import Projected

        return Projected(self)


@dataclass(frozen=True)
class CFGPlusPlusGuidance(Guider):
    """Guide the clean sample, and carry the negative prediction's noise along; see `guidance.CFGPlusPlus`."""

    denoiser: Denoiser
    positive: Conditioning
    negative: Conditioning
    scale: float

    def at(self, progress: float) -> CFGPlusPlusGuidance:
        """Return this with what it predicts from at a share of a schedule."""
        positive, negative = self.positive.at(progress), self.negative.at(progress)
        return replace(self, denoiser=self.denoiser.at(progress), positive=positive, negative=negative)

    def guidance(self) -> Guidance:
        """Return the function that combines the two predictions."""
        from graphgen_nodes.sampling.guidance import CFGPlusPlus

        return CFGPlusPlus(self)


@dataclass(frozen=True)
class ZeroStarGuidance(Guider):
    """Guide from a negative output that is scaled to fit; steps that begin before `zero_until` stay where they are.

    `still` is what that comes to at one step.
    """

    denoiser: Denoiser
    positive: Conditioning
    negative: Conditioning
    scale: float
    zero_until: float = 0.0
    still: bool = False

    def at(self, progress: float) -> ZeroStarGuidance:
        """Return this with what it predicts from at a share of a schedule, and whether it moves there."""
        positive, negative = self.positive.at(progress), self.negative.at(progress)
        here = replace(self, denoiser=self.denoiser.at(progress), positive=positive, negative=negative)
        return replace(here, zero_until=0.0, still=progress < self.zero_until)

    def guidance(self) -> Guidance:
        """Return the function that combines the two predictions."""
        from graphgen_nodes.sampling.guidance import ZeroStar

        return ZeroStar(self)


@dataclass(frozen=True)
class PerpendicularGuidance(Guider):
    """Keep away from a negative prompt without losing what it shares with the positive one."""

    denoiser: Denoiser
    positive: Conditioning
    negative: Conditioning
    empty: Conditioning
    scale: float
    negative_scale: float

    def at(self, progress: float) -> PerpendicularGuidance:
        """Return this with what it predicts from at a share of a schedule."""
        positive, negative, empty = (prompt.at(progress) for prompt in (self.positive, self.negative, self.empty))
        return replace(self, denoiser=self.denoiser.at(progress), positive=positive, negative=negative, empty=empty)

    def guidance(self) -> Guidance:
        """Return the function that combines the three predictions."""
        from graphgen_nodes.sampling.guidance import Perpendicular

        return Perpendicular(self)


@dataclass(frozen=True)
class ContrastGuidance(Guider):
    """Move what another guider predicts away from what a weaker denoiser does; `denoiser` is the guider's own.

    The weaker denoiser is one with other weights (`weaker`), or the guider's own with one more patch (`patch`). It is
    asked at the steps that begin at the shares `start` up to `end` of a schedule.
    """

    denoiser: Denoiser
    guider: Guider
    scale: float
    weaker: Denoiser | None = None
    patch: Patch | None = None
    start: float = 0.0
    end: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a range without a step."""
        _check_range("guiders.start", self.start, self.end)

    @property
    def denoisers(self) -> tuple[Denoiser, ...]:
        """Return those of the other guider, and the weaker one last."""
        own = self.weaker or self.denoiser
        if self.patch is not None:
            own = replace(own, patches=(*own.patches, self.patch))
        return *self.guider.denoisers, own

    @property
    def positive(self) -> Conditioning:
        """Return what the other guider follows."""
        return followed(self.guider)

    def at(self, progress: float) -> Guider:
        """Return this around what guides at a share of a schedule; that alone outside the range and at scale 0."""
        inner = self.guider.at(progress)
        if self.scale == 0 or not self.start <= progress < self.end:
            return inner
        weaker = self.weaker and self.weaker.at(progress)
        return replace(self, denoiser=inner.denoiser, guider=inner, weaker=weaker, start=0.0, end=1.0)

    def guidance(self) -> Guidance:
        """Return the function that adds the contrast to what the other one's makes."""
        from graphgen_nodes.sampling.guidance import Contrast

        return Contrast(self, self.guider.guidance())
