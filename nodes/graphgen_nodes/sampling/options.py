"""Samplers and guiders as data: what travels along wires. Nothing here imports torch until a method is asked for.

A plugin adds a method the same way: a frozen subclass of `Sampler` that holds its options and returns its algorithm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from graphgen_nodes.sockets import Conditioning, Denoiser, Guider, Sampler, Schedule

if TYPE_CHECKING:
    from graphgen_nodes.sampling.protocols import Guidance, SamplerAlgorithm


@dataclass(frozen=True)
class Euler(Sampler):
    """Euler's method."""

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return Euler's method on a schedule."""
        from graphgen_nodes.sampling.samplers.euler import EulerAlgorithm

        return EulerAlgorithm(schedule)


@dataclass(frozen=True)
class EulerAncestral(Sampler):
    """Euler's method with fresh noise; eta 0 is without, 1 the reverse of the noising chain."""

    eta: float = 1.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.ddim import DDIMAlgorithm

        return DDIMAlgorithm(schedule, self.eta)


@dataclass(frozen=True)
class Heun(Sampler):
    """Heun's second-order method."""

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return Heun's method on a schedule."""
        from graphgen_nodes.sampling.samplers.heun import HeunAlgorithm

        return HeunAlgorithm(schedule)


@dataclass(frozen=True)
class DPMpp2M(Sampler):
    """DPM-Solver++(2M)."""

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpmpp_2m import DPMpp2MAlgorithm

        return DPMpp2MAlgorithm(schedule)


@dataclass(frozen=True)
class DPMpp2MSDE(Sampler):
    """SDE-DPM-Solver++(2M); eta scales the noise: 0 is the ODE, 1 the reverse SDE."""

    eta: float = 1.0
    solver: Literal["midpoint", "heun"] = "midpoint"

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpmpp_2m_sde import DPMpp2MSDEAlgorithm

        return DPMpp2MSDEAlgorithm(schedule, self.eta, self.solver)


@dataclass(frozen=True)
class DPMppSDE(Sampler):
    """DPM-Solver++ as a single-step SDE solver; `middle` is where it looks between two levels, in lambda."""

    eta: float = 1.0
    middle: float = 0.5

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpmpp_sde import DPMppSDEAlgorithm

        return DPMppSDEAlgorithm(schedule, self.eta, self.middle)


@dataclass(frozen=True)
class LMS(Sampler):
    """Linear multistep of an order up to 4."""

    order: int = 4

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.lms import LMSAlgorithm

        return LMSAlgorithm(schedule, self.order)


@dataclass(frozen=True)
class PNDM(Sampler):
    """Pseudo linear multistep (PLMS)."""

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.pndm import PNDMAlgorithm

        return PNDMAlgorithm(schedule)


@dataclass(frozen=True)
class DDIM(Sampler):
    """DDIM; eta 0 adds no noise."""

    eta: float = 0.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.ddim import DDIMAlgorithm

        return DDIMAlgorithm(schedule, self.eta)


@dataclass(frozen=True)
class DDPM(Sampler):
    """DDPM's ancestral sampling, with the smallest, the largest or the learned variance."""

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

    timestep_scaling: float = 10.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.lcm import LCMAlgorithm

        return LCMAlgorithm(schedule, self.timestep_scaling)


SAMPLERS: tuple[type[Sampler], ...] = (
    Euler, EulerAncestral, Heun, DPMpp2M, DPMpp2MSDE, DPMppSDE, LMS, PNDM, DDIM, DDPM, UniPC, LCM,
)  # fmt: skip
"""The built-in methods, in the order they are listed."""


@dataclass(frozen=True)
class ClassifierFreeGuidance(Guider):
    """Move the prediction away from the negative one by a scale (Ho and Salimans 2022); see `guidance`."""

    denoiser: Denoiser
    positive: Conditioning
    negative: Conditioning
    scale: float
    rescale: float = 0.0

    def guidance(self) -> Guidance:
        """Return the function that combines the two predictions."""
        from graphgen_nodes.sampling.guidance import ClassifierFree

        return ClassifierFree(self)


@dataclass(frozen=True)
class NoGuidance(Guider):
    """Predict for one conditioning and take it as it is."""

    denoiser: Denoiser
    positive: Conditioning

    def guidance(self) -> Guidance:
        """Return the function that passes the prediction on."""
        from graphgen_nodes.sampling.guidance import Single

        return Single(self)
