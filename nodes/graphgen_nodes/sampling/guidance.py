# ruff: noqa: ARG002  (every guidance has the same signature; some ignore sigma)
"""How predictions for several conditionings become one, and the guided denoiser that samplers call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from graphgen_nodes.conditionings import told_apart
from graphgen_nodes.sampling.denoiser import preconditioning
from graphgen_nodes.sampling.guiders import ClassifierFreeGuidance, NoGuidance
from graphgen_nodes.sampling.protocols import Denoise, Guidance, Prediction
from graphgen_nodes.sockets import Conditioning

Predict = Callable[[Tensor, float, Sequence[Conditioning]], Sequence[Prediction]]
"""A denoiser: predictions from x and sigma for several conditionings, such as `NetworkDenoiser`."""


def guided(denoiser: Predict, guidance: Guidance) -> Denoise:
    """Return the function samplers call: predict for what the guidance asks, then combine."""

    def denoise(x: Tensor, sigma: float) -> Prediction:
        return guidance.combine(x, sigma, denoiser(x, sigma, guidance.conditionings(sigma)))

    return denoise


@dataclass(frozen=True)
class Single:
    """No guidance: one conditioning, its prediction as it is."""

    guider: NoGuidance

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the one conditioning."""
        return (self.guider.positive,)

    def combine(self, x: Tensor, sigma: float, predictions: Sequence[Prediction]) -> Prediction:
        """Return the one prediction."""
        return predictions[0]


@dataclass(frozen=True)
class ClassifierFree:
    """Classifier-free guidance (Ho and Salimans 2022), in the form negative + scale * (positive - negative).

    Scale 1 is the positive prediction, and the negative one is not asked for. `rescale` is phi of Lin et al. 2024,
    section 3.4: how far the guided output's standard deviation, per image, is drawn back to the positive one's, in
    the network's own parametrisation. Channels that are not guided are the positive prediction's.
    """

    guider: ClassifierFreeGuidance

    @cached_property
    def both(self) -> tuple[Conditioning, Conditioning]:
        """Return the two conditionings, which say of themselves which they are."""
        return told_apart(self.guider.positive, self.guider.negative)

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the positive conditioning, and the negative one where it matters."""
        return (self.guider.positive,) if self.guider.scale == 1 else self.both

    def combine(self, x: Tensor, sigma: float, predictions: Sequence[Prediction]) -> Prediction:
        """Extrapolate from the negative to the positive prediction and beyond."""
        if len(predictions) == 1:
            return predictions[0]
        positive, negative = predictions
        denoised = negative.denoised + self.guider.scale * (positive.denoised - negative.denoised)
        if self.guider.rescale > 0:
            denoised = self._rescaled(x, sigma, denoised, positive.denoised)
        if self.guider.channels:
            denoised = torch.cat([denoised[:, : self.guider.channels], positive.denoised[:, self.guider.channels :]], 1)
        return replace(positive, denoised=denoised)

    def _rescaled(self, x: Tensor, sigma: float, guided: Tensor, positive: Tensor) -> Tensor:
        handle, phi = self.guider.denoiser, self.guider.rescale
        c_skip, c_out = preconditioning(handle.prediction, handle.path, sigma)
        output = (guided - c_skip * x) / c_out
        axes = tuple(range(1, x.dim()))
        wanted = ((positive - c_skip * x) / c_out).std(dim=axes, keepdim=True)
        rescaled = output * (wanted / output.std(dim=axes, keepdim=True))
        return c_skip * x + c_out * (phi * rescaled + (1 - phi) * output)


@dataclass(frozen=True)
class Clipped:
    """Another guidance, whose denoised sample is kept within low..high (Ho et al. 2020 clip to the range of pixels)."""

    inner: Guidance
    low: float
    high: float

    def conditionings(self, sigma: float) -> Sequence[Conditioning]:
        """Return those of the other guidance."""
        return self.inner.conditionings(sigma)

    def combine(self, x: Tensor, sigma: float, predictions: Sequence[Prediction]) -> Prediction:
        """Clip what the other guidance makes of the predictions."""
        found = self.inner.combine(x, sigma, predictions)
        return replace(found, denoised=found.denoised.clamp(self.low, self.high))
