"""Samplers as data: what travels along wires. Nothing here imports torch until a method is asked for.

A plugin adds a method the same way: a frozen subclass of `Sampler` that holds its options and returns its algorithm.
They stand in one module, though it is longer than the house likes, because it is a table with an entry for each method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from graphgen_nodes.sockets import Sampler, Schedule

if TYPE_CHECKING:
    from graphgen_nodes.sampling.protocols import SamplerAlgorithm


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


@dataclass(frozen=True)
class DPM2(Sampler):
    """Karras et al.'s midpoint method; eta 0 adds no noise, 1 as much as the noising chain."""

    local: ClassVar[bool] = True
    eta: float = 0.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpm_2 import DPM2Algorithm

        return DPM2Algorithm(schedule, self.eta)


@dataclass(frozen=True)
class DPMpp2S(Sampler):
    """DPM-Solver++(2S); eta 0 adds no noise."""

    local: ClassVar[bool] = True
    eta: float = 1.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpmpp_2s import DPMpp2SAlgorithm

        return DPMpp2SAlgorithm(schedule, self.eta)


@dataclass(frozen=True)
class DPMpp3MSDE(Sampler):
    """DPM-Solver++(3M) as an SDE solver; eta 0 is the ODE."""

    local: ClassVar[bool] = True
    eta: float = 1.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.dpmpp_3m_sde import DPMpp3MSDEAlgorithm

        return DPMpp3MSDEAlgorithm(schedule, self.eta)


@dataclass(frozen=True)
class DEIS(Sampler):
    """DEIS with polynomials in log rho, of an order up to 3."""

    local: ClassVar[bool] = True
    order: int = 3

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.deis import DEISAlgorithm

        return DEISAlgorithm(schedule, self.order)


@dataclass(frozen=True)
class IPNDM(Sampler):
    """Improved PNDM of an order up to 4."""

    local: ClassVar[bool] = True
    order: int = 4

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.ipndm import IPNDMAlgorithm

        return IPNDMAlgorithm(schedule, self.order)


@dataclass(frozen=True)
class RESMultistep(Sampler):
    """The refined exponential solver's multistep form; eta 0 adds no noise."""

    local: ClassVar[bool] = True
    eta: float = 0.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.res_multistep import RESMultistepAlgorithm

        return RESMultistepAlgorithm(schedule, self.eta)


@dataclass(frozen=True)
class ERSDE(Sampler):
    """ER-SDE solver of an order up to 3."""

    local: ClassVar[bool] = True
    order: int = 3

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.er_sde import ERSDEAlgorithm

        return ERSDEAlgorithm(schedule, self.order)


@dataclass(frozen=True)
class GradientEstimation(Sampler):
    """Gradient estimation; gamma 1 is Euler's method."""

    local: ClassVar[bool] = True
    gamma: float = 2.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.gradient_estimation import GradientEstimationAlgorithm

        return GradientEstimationAlgorithm(schedule, self.gamma)


@dataclass(frozen=True)
class HeunPP2(Sampler):
    """Heun++."""

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.heunpp2 import HeunPP2Algorithm

        return HeunPP2Algorithm(schedule)


@dataclass(frozen=True)
class Restart(Sampler):
    """Heun's method with restarts between two levels of sigma / alpha."""

    low: float = 0.1
    high: float = 2.0
    times: int = 1
    inner_steps: int = 8

    def __post_init__(self) -> None:
        """Refuse to go back to a level that is not noisier."""
        if not 0 < self.low < self.high:
            raise ValueError(
                f"samplers.restart.low: is {self.low:g}, which must be above 0 and below high ({self.high:g})"
            )

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.restart import RestartAlgorithm

        return RestartAlgorithm(schedule, self.low, self.high, self.times, self.inner_steps)


@dataclass(frozen=True)
class SASolver(Sampler):
    """SA-Solver: stochastic Adams methods of an order up to 3, corrected by one of an order up to 4."""

    predictor: int = 2
    corrector: int = 2
    tau: float = 1.0
    low: float = 0.2
    high: float = 0.8
    pece: bool = False

    def __post_init__(self) -> None:
        """Refuse an empty range."""
        if not 0 < self.low < self.high <= 1:
            raise ValueError(
                f"samplers.sa_solver.low: is {self.low:g}, which must be above 0 and below high ({self.high:g}); "
                "for no noise at all set tau to 0"
            )

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.sa_solver import SASolverAlgorithm

        return SASolverAlgorithm(schedule, self.predictor, self.corrector, self.tau, self.low, self.high, self.pece)


@dataclass(frozen=True)
class SEEDS2(Sampler):
    """SEEDS-2; eta 0 adds no noise, `middle` is where it looks between two levels, in lambda."""

    local: ClassVar[bool] = True
    eta: float = 1.0
    middle: float = 0.5
    solver: Literal["phi_1", "phi_2"] = "phi_1"

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.seeds import SEEDSAlgorithm

        return SEEDSAlgorithm(schedule, self.eta, (self.middle,), self.solver)


@dataclass(frozen=True)
class SEEDS3(Sampler):
    """SEEDS-3; eta 0 adds no noise."""

    local: ClassVar[bool] = True
    eta: float = 1.0

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.seeds import SEEDSAlgorithm

        return SEEDSAlgorithm(schedule, self.eta, (1 / 3, 2 / 3))


@dataclass(frozen=True)
class TCD(Sampler):
    """Strategic stochastic sampling for networks distilled by trajectory consistency."""

    local: ClassVar[bool] = True
    gamma: float = 0.3

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method on a schedule."""
        from graphgen_nodes.sampling.samplers.tcd import TCDAlgorithm

        return TCDAlgorithm(schedule, self.gamma)


SAMPLERS: tuple[type[Sampler], ...] = (
    Euler, EulerAncestral, Heun, HeunPP2, DPM2, DPMpp2S, DPMpp2M, DPMpp2MSDE, DPMpp3MSDE, DPMppSDE, LMS, PNDM, IPNDM,
    DEIS, UniPC, RESMultistep, ERSDE, SASolver, SEEDS2, SEEDS3, GradientEstimation, Restart, DDIM, DDPM, LCM, TCD,
    PredictorCorrector, AnnealedLangevin,
)  # fmt: skip
"""The built-in methods, in the order they are listed."""
