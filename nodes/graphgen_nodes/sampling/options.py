"""Samplers and guiders as data: what travels along wires. Nothing here imports torch until a method is asked for.

A plugin adds a method the same way: a frozen subclass of `Sampler` that holds its options and returns its algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from graphgen_nodes.sockets import Conditioning, Denoiser, Guider, Sampler, Schedule

if TYPE_CHECKING:
    from graphgen_nodes.sampling.protocols import Guidance, SamplerAlgorithm


@dataclass(frozen=True)
class Euler(Sampler):
    """Euler's method."""

    local: ClassVar[bool] = True

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return Euler's method on a schedule."""
        from graphgen_nodes.sampling.samplers.euler import EulerAlgorithm

        return EulerAlgorithm(schedule)


@dataclass(frozen=True)
class EulerAncestral(Sampler):
    """Euler's method with fresh noise; eta 0 is without, 1 the reverse of the noising chain."""

    local: ClassVar[bool] = True
    eta: float = 1.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.ddim import DDIMAlgorithm

        return DDIMAlgorithm(schedule, self.eta)


@dataclass(frozen=True)
class Heun(Sampler):
    """Heun's second-order method."""

    local: ClassVar[bool] = True

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return Heun's method on a schedule."""
        from graphgen_nodes.sampling.samplers.heun import HeunAlgorithm

        return HeunAlgorithm(schedule)


@dataclass(frozen=True)
class DPMpp2M(Sampler):
    """DPM-Solver++(2M)."""

    local: ClassVar[bool] = True

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpmpp_2m import DPMpp2MAlgorithm

        return DPMpp2MAlgorithm(schedule)


@dataclass(frozen=True)
class DPMpp2MSDE(Sampler):
    """SDE-DPM-Solver++(2M); eta scales the noise: 0 is the ODE, 1 the reverse SDE."""

    local: ClassVar[bool] = True
    eta: float = 1.0
    solver: Literal["midpoint", "heun"] = "midpoint"

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpmpp_2m_sde import DPMpp2MSDEAlgorithm

        return DPMpp2MSDEAlgorithm(schedule, self.eta, self.solver)


@dataclass(frozen=True)
class DPMppSDE(Sampler):
    """DPM-Solver++ as a single-step SDE solver; `middle` is where it looks between two levels, in lambda."""

    local: ClassVar[bool] = True
    eta: float = 1.0
    middle: float = 0.5

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpmpp_sde import DPMppSDEAlgorithm

        return DPMppSDEAlgorithm(schedule, self.eta, self.middle)


@dataclass(frozen=True)
class LMS(Sampler):
    """Linear multistep of an order up to 4."""

    local: ClassVar[bool] = True
    order: int = 4

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.lms import LMSAlgorithm

        return LMSAlgorithm(schedule, self.order)


@dataclass(frozen=True)
class PNDM(Sampler):
    """Pseudo linear multistep (PLMS)."""

    local: ClassVar[bool] = True

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.pndm import PNDMAlgorithm

        return PNDMAlgorithm(schedule)


@dataclass(frozen=True)
class DDIM(Sampler):
    """DDIM; eta 0 adds no noise."""

    local: ClassVar[bool] = True
    eta: float = 0.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.ddim import DDIMAlgorithm

        return DDIMAlgorithm(schedule, self.eta)


@dataclass(frozen=True)
class DDPM(Sampler):
    """DDPM's ancestral sampling, with the smallest, the largest or the learned variance."""

    local: ClassVar[bool] = True
    variance: Literal["small", "large", "learned"] = "small"

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.ddpm import DDPMAlgorithm

        return DDPMAlgorithm(schedule, self.variance)


@dataclass(frozen=True)
class UniPC(Sampler):
    """UniPC of an order up to 3."""

    order: int = 2
    variant: Literal["bh1", "bh2"] = "bh2"

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.unipc import UniPCAlgorithm

        return UniPCAlgorithm(schedule, self.order, self.variant)


@dataclass(frozen=True)
class LCM(Sampler):
    """Consistency sampling for distilled networks."""

    local: ClassVar[bool] = True
    timestep_scaling: float = 10.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.lcm import LCMAlgorithm

        return LCMAlgorithm(schedule, self.timestep_scaling)


@dataclass(frozen=True)
class PredictorCorrector(Sampler):
    """Langevin steps at each level, then the reverse of the noising chain to the next."""

    local: ClassVar[bool] = True
    corrector_steps: int = 1
    snr: float = 0.15
    norms: Literal["image", "batch"] = "image"

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.predictor_corrector import PredictorCorrectorAlgorithm

        return PredictorCorrectorAlgorithm(schedule, self.corrector_steps, self.snr, self.norms)


@dataclass(frozen=True)
class AnnealedLangevin(Sampler):
    """Langevin steps at each level, and nothing else."""

    local: ClassVar[bool] = True
    inner_steps: int = 5
    step_size: float = 0.06

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.annealed_langevin import AnnealedLangevinAlgorithm

        return AnnealedLangevinAlgorithm(schedule, self.inner_steps, self.step_size)


SAMPLERS: tuple[type[Sampler], ...] = (
    Euler, EulerAncestral, Heun, DPMpp2M, DPMpp2MSDE, DPMppSDE, LMS, PNDM, DDIM, DDPM, UniPC, LCM, PredictorCorrector,
    AnnealedLangevin,
)  # fmt: skip
"""The built-in methods, in the order they are listed."""


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
