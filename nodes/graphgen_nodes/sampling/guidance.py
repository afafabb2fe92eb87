# ruff: noqa: ARG002  (every guidance has the same signature; some ignore sigma or memory)
"""How predictions for several conditionings become one, and the guided denoiser that samplers call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from graphgen_nodes.conditionings import same_prompt, told_apart
from graphgen_nodes.sampling.denoiser import preconditioning
from graphgen_nodes.sampling.guiders import (
    CFGPlusPlusGuidance,
    ClassifierFreeGuidance,
    ContrastGuidance,
    NoGuidance,
    PerpendicularGuidance,
    ProjectedGuidance,
    ZeroStarGuidance,
)
from graphgen_nodes.sampling.protocols import Asked, Guidance, Guided, Prediction
from graphgen_nodes.sockets import Conditioning

Predict = Callable[[Tensor, float, Sequence[Conditioning]], Sequence[Prediction]]
"""A denoiser: predictions from x and sigma for several conditionings, such as `NetworkDenoiser`."""


def guided(denoiser: Predict, guidance: Guidance) -> Guided:
    """Return the function that is called at each look: predict for what the guidance asks, then combine."""

    def denoise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        return guidance.combine(x, sigma, denoiser(x, sigma, guidance.conditionings(sigma)), memory)

    return denoise


def together(denoisers: Sequence[Predict]) -> Predict:
    """Return several denoisers as one, which asks each for the conditionings that are meant for it."""

    def predict(x: Tensor, sigma: float, conditionings: Sequence[Conditioning]) -> list[Prediction]:
        indices = [asked.index if isinstance(asked, Asked) else 0 for asked in conditionings]
        plain = [asked.conditioning if isinstance(asked, Asked) else asked for asked in conditionings]
        found: dict[int, Prediction] = {}
        for index in dict.fromkeys(indices):
            places = [place for place, wanted in enumerate(indices) if wanted == index]
            found |= zip(places, denoisers[index](x, sigma, [plain[place] for place in places]), strict=True)
        return [found[place] for place in range(len(plain))]

    return predict


@dataclass(frozen=True)
class Single:
    """No guidance: one conditioning, its prediction as it is."""

    guider: NoGuidance

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the one conditioning."""
        return (self.guider.positive,)

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Return the one prediction."""
        return predictions[0]


@dataclass(frozen=True)
class Paired:
    """What guidances by a positive and a negative conditioning share: the two, told apart."""

    guider: ClassifierFreeGuidance | CFGPlusPlusGuidance | ProjectedGuidance | ZeroStarGuidance | PerpendicularGuidance

    @cached_property
    def both(self) -> tuple[Conditioning, Conditioning]:
        """Return the two conditionings, which say of themselves which they are."""
        return told_apart(self.guider.positive, self.guider.negative)


@dataclass(frozen=True)
class ClassifierFree(Paired):
    """Classifier-free guidance (Ho and Salimans 2022), in the form negative + scale * (positive - negative).

    Scale 1 is the positive prediction, and the negative one is not asked for. `rescale` is phi of Lin et al. 2024,
    section 3.4: how far the guided output's standard deviation, per image, is drawn back to the positive one's, in
    the network's own parametrisation. Channels that are not guided are the positive prediction's.
    """

    guider: ClassifierFreeGuidance

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the positive conditioning, and the negative one where it matters."""
        return (self.guider.positive,) if self.guider.scale == 1 else self.both

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
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

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Clip what the other guidance makes of the predictions."""
        found = self.inner.combine(x, sigma, predictions, memory)
        return replace(found, denoised=found.denoised.clamp(self.low, self.high))


@dataclass(frozen=True)
class Thresholded:
    """Another guidance, whose denoised sample is drawn into its range per image (Saharia et al. 2022, section 2.3).

    The range is the quantile `ratio` of absolute values, at least 1 and at most `most`; what lies outside is clipped,
    and the whole divided by it.
    """

    inner: Guidance
    ratio: float
    most: float

    def conditionings(self, sigma: float) -> Sequence[Conditioning]:
        """Return those of the other guidance."""
        return self.inner.conditionings(sigma)

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Draw what the other guidance makes of the predictions into its range."""
        found = self.inner.combine(x, sigma, predictions, memory)
        reach = torch.quantile(found.denoised.abs().flatten(1), self.ratio, dim=1).clamp(1, self.most)
        reach = reach.reshape(-1, *[1] * (x.dim() - 1))
        return replace(found, denoised=found.denoised.clamp(-reach, reach) / reach)


@dataclass(frozen=True)
class Projected(Paired):
    """Adaptive projected guidance (Sadat et al. 2024, algorithm 1).

    What separates the two predictions is added to `momentum` times what it came to at the look before. Of that,
    shortened to the length `most` (0: any), the part along the positive one, which oversaturates, counts only by
    `parallel`. Lengths are those of whole images.
    """

    guider: ProjectedGuidance

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the positive conditioning and the negative one."""
        return self.both

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Move the positive prediction mostly across itself."""
        positive, negative = (prediction.denoised for prediction in predictions)
        change = positive - negative
        if self.guider.momentum and memory is not None:
            change = change + self.guider.momentum * memory
        remembered = change if self.guider.momentum else None
        if self.guider.most > 0:
            change = change * (self.guider.most / _norm(change)).clamp(max=1)
        along = _along(change, positive)
        change = change - along + self.guider.parallel * along
        return replace(predictions[0], denoised=positive + (self.guider.scale - 1) * change, memory=remembered)


@dataclass(frozen=True)
class CFGPlusPlus(Paired):
    """CFG++ (Chung et al. 2024, algorithm 2): guide the clean sample, and let the noise be the negative prediction's.

    The clean sample is negative + scale * (positive - negative), with a scale in 0..1 to stay between the two.
    """

    guider: CFGPlusPlusGuidance

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the positive conditioning and the negative one."""
        return self.both

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Interpolate the clean samples, and name the negative one as that whose noise is carried along."""
        positive, negative = predictions
        denoised = negative.denoised + self.guider.scale * (positive.denoised - negative.denoised)
        return replace(positive, denoised=denoised, unguided=negative.denoised)


@dataclass(frozen=True)
class ZeroStar(Paired):
    """CFG-Zero* (Fan et al. 2025): the negative output is scaled to fit the positive one best, per image.

    Outputs are the network's own. While `still`, the output is 0: on flow paths x stays where it is.
    """

    guider: ZeroStarGuidance

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the positive conditioning and the negative one, which does not matter while still."""
        return self.both[: 1 if self.guider.still else 2]

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Extrapolate from the scaled negative output to the positive one and beyond."""
        handle = self.guider.denoiser
        c_skip, c_out = preconditioning(handle.prediction, handle.path, sigma)
        if self.guider.still:
            return replace(predictions[0], denoised=c_skip * x)
        positive, negative = ((prediction.denoised - c_skip * x) / c_out for prediction in predictions)
        fitted = _along(positive, negative)
        output = fitted + self.guider.scale * (positive - fitted)
        return replace(predictions[0], denoised=c_skip * x + c_out * output)


@dataclass(frozen=True)
class Perpendicular(Paired):
    """Perp-Neg (Armandpour et al. 2023): of what the negative prompt adds, only what is across the positive counts."""

    guider: PerpendicularGuidance

    @cached_property
    def empty(self) -> Conditioning:
        """Return the conditioning of the empty prompt, which is a negative one too."""
        return told_apart(self.guider.positive, self.guider.empty)[1]

    def conditionings(self, sigma: float) -> tuple[Conditioning, ...]:
        """Return the positive conditioning, the negative one, and that of an empty prompt."""
        return *self.both, self.empty

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Go from the empty prediction towards the positive one and away from what is across it."""
        positive, negative, empty = (prediction.denoised for prediction in predictions)
        wanted, unwanted = positive - empty, negative - empty
        across = unwanted - _along(unwanted, wanted)
        denoised = empty + self.guider.scale * (wanted - self.guider.negative_scale * across)
        return replace(predictions[0], denoised=denoised)


@dataclass(frozen=True)
class Contrast:
    """Another guidance, moved away from what a weaker denoiser predicts of the positive conditioning.

    `inner + scale * (positive - weaker)`: the form of perturbed-attention (Ahn et al. 2024) and skip-layer guidance,
    and with `scale` one less than theirs of autoguidance (Karras et al. 2024).
    """

    guider: ContrastGuidance
    inner: Guidance

    def conditionings(self, sigma: float) -> Sequence[Conditioning]:
        """Return those of the other guidance, the positive one if it is not among them, and that for the weaker."""
        asked = tuple(self.inner.conditionings(sigma))
        place = self._place(asked)
        positive = asked[place] if place < len(asked) else self.guider.positive
        more = () if place < len(asked) else (positive,)
        return *asked, *more, Asked(positive.family, positive, len(self.guider.denoisers) - 1)

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Add what separates the denoiser from the weaker one to the other guidance."""
        asked = tuple(self.inner.conditionings(sigma))
        found = self.inner.combine(x, sigma, predictions[: len(asked)], memory)
        positive, weaker = predictions[self._place(asked)], predictions[-1]
        return replace(found, denoised=found.denoised + self.guider.scale * (positive.denoised - weaker.denoised))

    def _place(self, asked: Sequence[Conditioning]) -> int:
        places = [place for place, item in enumerate(asked) if same_prompt(item, self.guider.positive)]
        return places[0] if places else len(asked)


def _norm(value: Tensor) -> Tensor:
    """Return the length of each image as a vector, with as many axes as the images."""
    norms: Tensor = torch.linalg.vector_norm(value.flatten(1), dim=1)
    return norms.reshape(-1, *[1] * (value.dim() - 1))


def _along(value: Tensor, direction: Tensor) -> Tensor:
    """Return the part of each image that is parallel to another; nothing where that one is 0."""
    unit = direction / _norm(direction).clamp(min=torch.finfo(direction.dtype).tiny)
    return (value * unit).flatten(1).sum(dim=1).reshape(-1, *[1] * (value.dim() - 1)) * unit
