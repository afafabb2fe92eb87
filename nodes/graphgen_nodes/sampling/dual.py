# ruff: noqa: ARG002  (every guidance has the same signature; this one ignores all but the predictions)
"""Guidance of two strengths, as InstructPix2Pix is guided by its words and by its picture. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from graphgen_nodes.sockets import Conditioning, Denoiser, Guider

if TYPE_CHECKING:
    from torch import Tensor

    from graphgen_nodes.sampling.protocols import Guidance, Prediction


@dataclass(frozen=True)
class DualGuidance(Guider):
    """Move the prediction away from the negative one by two scales (Brooks et al. 2023, section 3.2.1).

    The prediction is negative + middle_scale * (middle - negative) + scale * (positive - middle). With InstructPix2Pix
    the middle shows the picture without words, and the negative neither.
    """

    denoiser: Denoiser
    positive: Conditioning
    middle: Conditioning
    negative: Conditioning
    scale: float
    middle_scale: float

    def at(self, progress: float) -> DualGuidance:
        """Return this with what it predicts from at a share of a schedule."""
        return replace(
            self,
            denoiser=self.denoiser.at(progress),
            positive=self.positive.at(progress),
            middle=self.middle.at(progress),
            negative=self.negative.at(progress),
        )

    def guidance(self) -> Guidance:
        """Return the function that combines the three predictions."""
        return Dual(self)


@dataclass(frozen=True)
class Dual:
    """Combine three predictions, and ask for those alone whose shares are not zero."""

    guider: DualGuidance

    @property
    def shares(self) -> tuple[tuple[Conditioning, float], ...]:
        """Return each conditioning and the share of its prediction; the shares add up to 1."""
        guider = self.guider
        scales = (guider.scale, guider.middle_scale - guider.scale, 1 - guider.middle_scale)
        return tuple((prompt, share) for prompt, share in zip(self._all, scales, strict=True) if share != 0)

    @cached_property
    def _all(self) -> tuple[Conditioning, ...]:
        """Return the three, of which the positive one alone is what the picture should be (as to IP-Adapters)."""
        from graphgen_nodes.conditionings import told_apart

        positive, middle = told_apart(self.guider.positive, self.guider.middle)
        return positive, middle, told_apart(self.guider.positive, self.guider.negative)[1]

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the conditionings that count."""
        return tuple(conditioning for conditioning, _ in self.shares)

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Return the sum of the predictions by their shares; a learned variance is the first one's."""
        first, *others = predictions
        (_, share), *shares = self.shares
        denoised = first.denoised if share == 1 else share * first.denoised
        for prediction, (_, part) in zip(others, shares, strict=True):
            denoised = denoised + part * prediction.denoised
        return replace(first, denoised=denoised)
