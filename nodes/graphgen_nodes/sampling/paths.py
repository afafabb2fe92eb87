# ruff: noqa: ARG002  (every path answers the same questions; some answers are constant)
"""Noising paths: how much of the sample and how much noise make up x at a noise level.

In: a noise level `sigma` or a network's timestep, as plain floats. Out: the path's coefficients there. Everything a
sampler needs to know of a model's noise process is in these classes; a plugin adds a process by subclassing `Path`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise
from operator import mul
from typing import Literal

BetaSchedule = Literal["linear", "scaled_linear", "cosine"]


class Path(ABC):
    """The noising path `x = alpha(sigma) * sample + sigma * noise` a network was trained on.

    Subclasses are frozen data. `sigma_min` and `sigma_max` are the least and the greatest noise level the network
    was trained for; sigma 0 is the clean sample.
    """

    @property
    @abstractmethod
    def sigma_min(self) -> float:
        """Return the least noise level the network was trained for, greater than 0."""

    @property
    @abstractmethod
    def sigma_max(self) -> float:
        """Return the greatest noise level the network was trained for."""

    @abstractmethod
    def alpha(self, sigma: float) -> float:
        """Return the sample's coefficient at a noise level, in 0..1."""

    @abstractmethod
    def alpha_slope(self, sigma: float) -> float:
        """Return the derivative of `alpha` with respect to sigma."""

    @abstractmethod
    def sigma_at_lambda(self, lambda_: float) -> float:
        """Return the noise level whose half log signal-to-noise ratio is `lambda_`: the inverse of `lambda_`."""

    @abstractmethod
    def timestep(self, sigma: float) -> float:
        """Return what the network is told at a noise level; between trained levels it is interpolated."""

    @abstractmethod
    def sigma_at(self, timestep: float) -> float:
        """Return the noise level of a timestep: the inverse of `timestep` within the trained range."""

    @abstractmethod
    def sigma_at_share(self, share: float) -> float:
        """Return the noise level below which a share (0..1) of the levels seen in training lie."""

    def lambda_(self, sigma: float) -> float:
        """Return log(alpha / sigma), the half log signal-to-noise ratio: -inf at pure noise, +inf at sigma 0."""
        alpha = self.alpha(sigma)
        if sigma == 0:
            return math.inf
        return math.log(alpha / sigma) if alpha > 0 else -math.inf

    def input_scale(self, sigma: float) -> float:
        """Return what x is multiplied by before the network sees it: from these coordinates to its own."""
        return 1.0

    def noise_scale(self, sigma: float) -> float:
        """Return the standard deviation to begin sampling with at a noise level, where nothing but noise is known."""
        return sigma

    def sized(self, cells: int | None) -> Path:
        """Return the path as latents of so many cells (None: not known) are noised along: for most the same for all."""
        return self


@dataclass(frozen=True)
class VariancePreserving(Path):
    """DDPM's discrete chain (Ho et al. 2020): `betas` from beta_start to beta_end over `timesteps` steps.

    Or those of Nichol and Dhariwal (2021, equation 17) where the schedule is `cosine`, which has no ends of its own.

    Samplers see it in the scaled coordinates of Karras et al. 2022, where alpha is 1 and
    sigma = sqrt((1 - alpha_bar) / alpha_bar); the denoiser rescales its input by 1 / sqrt(1 + sigma^2).
    `zero_terminal_snr` rescales the chain so that it ends at pure noise (Lin et al. 2024, algorithm 1), for networks
    that predict v and were trained so.
    """

    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: BetaSchedule = "scaled_linear"
    timesteps: int = 1000
    zero_terminal_snr: bool = False

    @property
    def sigmas(self) -> tuple[float, ...]:
        """Return the trained noise levels by timestep, increasing."""
        return _chain_sigmas(self)

    @property
    def sigma_min(self) -> float:
        """Return the noise level of timestep 0."""
        return self.sigmas[0]

    @property
    def sigma_max(self) -> float:
        """Return the noise level of the last timestep."""
        return self.sigmas[-1]

    def alpha(self, sigma: float) -> float:
        """Return 1: the coordinates are scaled so."""
        return 1.0

    def alpha_slope(self, sigma: float) -> float:
        """Return 0: alpha is constant."""
        return 0.0

    def sigma_at_lambda(self, lambda_: float) -> float:
        """Return exp(-lambda)."""
        return math.exp(-lambda_)

    def timestep(self, sigma: float) -> float:
        """Return the timestep in 0..timesteps - 1, linear in log sigma between trained levels, clamped outside."""
        table = self.sigmas
        if sigma <= table[0]:
            return 0.0
        if sigma >= table[-1]:
            return float(len(table) - 1)
        high = bisect_left(table, sigma)
        if table[high] == sigma:
            return float(high)
        low = high - 1
        return low + math.log(sigma / table[low]) / math.log(table[high] / table[low])

    def sigma_at(self, timestep: float) -> float:
        """Return the noise level of a timestep, linear in log sigma between whole ones, clamped to the range."""
        table = self.sigmas
        timestep = min(max(timestep, 0.0), len(table) - 1.0)
        low = min(int(timestep), len(table) - 2)
        part = timestep - low
        if part in (0.0, 1.0):
            return table[low + int(part)]
        return math.exp((1 - part) * math.log(table[low]) + part * math.log(table[low + 1]))

    def sigma_at_share(self, share: float) -> float:
        """Return the noise level that ends a share of the chain: its timesteps are equally likely in training."""
        return self.sigma_at(share * self.timesteps - 1)

    def input_scale(self, sigma: float) -> float:
        """Return sqrt(alpha_bar) = 1 / sqrt(1 + sigma^2): the network sees x at unit variance."""
        return 1 / math.sqrt(1 + sigma**2)

    def noise_scale(self, sigma: float) -> float:
        """Return sqrt(1 + sigma^2): unit variance in the network's own coordinates, whatever is left of the sample."""
        return math.sqrt(1 + sigma**2)


@dataclass(frozen=True)
class VarianceExploding(Path):
    """Score SDE's VE process (Song et al. 2021): alpha is 1, the timestep is sigma itself."""

    sigma_min: float = 0.01
    sigma_max: float = 50.0

    def alpha(self, sigma: float) -> float:
        """Return 1."""
        return 1.0

    def alpha_slope(self, sigma: float) -> float:
        """Return 0."""
        return 0.0

    def sigma_at_lambda(self, lambda_: float) -> float:
        """Return exp(-lambda)."""
        return math.exp(-lambda_)

    def timestep(self, sigma: float) -> float:
        """Return sigma: it is what the network is told."""
        return sigma

    def sigma_at(self, timestep: float) -> float:
        """Return the timestep: it is sigma."""
        return timestep

    def sigma_at_share(self, share: float) -> float:
        """Return the geometric mean of the range's ends weighted by the share."""
        return float(self.sigma_min ** (1 - share) * self.sigma_max**share)


@dataclass(frozen=True)
class Flow(Path):
    """Rectified flow (Liu et al. 2022): alpha = 1 - sigma, sigma in 0..1; `shift` is the schedule's own time shift.

    At sigma 1 alpha is 0 and lambda is -inf: x is noise and nothing else. The timestep is `timesteps * sigma`.
    """

    shift: float = 1.0
    timesteps: int = 1000

    @property
    def sigma_min(self) -> float:
        """Return the noise level of the first trained timestep."""
        return self.shifted(1 / self.timesteps)

    @property
    def sigma_max(self) -> float:
        """Return 1: pure noise."""
        return 1.0

    def sized(self, cells: int | None) -> Flow:
        """Return the flow with the shift that it has for a latent of so many cells (None: not known)."""
        return self

    def shifted(self, sigma: float, shift: float | None = None) -> float:
        """Return a uniform noise level moved by a shift (Esser et al. 2024, equation 23), by default the path's."""
        shift = self.shift if shift is None else shift
        return shift * sigma / (1 + (shift - 1) * sigma)

    def alpha(self, sigma: float) -> float:
        """Return 1 - sigma."""
        return 1 - sigma

    def alpha_slope(self, sigma: float) -> float:
        """Return -1."""
        return -1.0

    def sigma_at_lambda(self, lambda_: float) -> float:
        """Return 1 / (1 + exp(lambda))."""
        return 1 / (1 + math.exp(lambda_))

    def timestep(self, sigma: float) -> float:
        """Return sigma times the number of timesteps."""
        return sigma * self.timesteps

    def sigma_at(self, timestep: float) -> float:
        """Return the timestep as a share of all timesteps."""
        return timestep / self.timesteps

    def sigma_at_share(self, share: float) -> float:
        """Return the share moved by the path's shift: before it, training levels are uniform."""
        return self.shifted(share)


@dataclass(frozen=True)
class SizedFlow(Flow):
    """Rectified flow whose time shift follows the size of the picture (Esser et al. 2024, section 5.3.2), as Flux's.

    The shift is exp(mu), where mu is a line through `base_mu` at `base_tokens` and `most_mu` at `most_tokens`; a token
    is `cells` cells of a latent.
    """

    base_mu: float = 0.5
    most_mu: float = 1.15
    base_tokens: int = 256
    most_tokens: int = 4096
    cells: int = 4

    def sized(self, cells: int | None) -> Flow:
        """Return the flow with its shift for a latent of so many cells.

        Raises:
            ValueError: the size is not given.
        """
        if cells is None:
            raise ValueError(
                "the model's time shift follows the size of the picture, which is not known here; wire the latent that "
                "is sampled into the schedule too"
            )
        slope = (self.most_mu - self.base_mu) / (self.most_tokens - self.base_tokens)
        return Flow(math.exp(self.base_mu + slope * (cells / self.cells - self.base_tokens)), self.timesteps)


MOST_BETA = 0.999
"""The most that the cosine schedule lets a step take away (Nichol and Dhariwal 2021)."""

LEAST_ALPHA_BAR = 2**-24
"""What stands for an alpha_bar of 0, whose sigma would be infinite; sigma is 4096."""


@lru_cache(maxsize=64)
def _chain_sigmas(path: VariancePreserving) -> tuple[float, ...]:
    """Return sqrt((1 - alpha_bar) / alpha_bar) for each timestep, in double precision."""
    alpha_bars = list(accumulate((1 - beta for beta in _betas(path)), mul))
    if path.zero_terminal_snr:
        most, least = math.sqrt(alpha_bars[0]), math.sqrt(alpha_bars[-1])
        rescaled = ((math.sqrt(alpha_bar) - least) * most / (most - least) for alpha_bar in alpha_bars)
        alpha_bars = [max(alpha**2, LEAST_ALPHA_BAR) for alpha in rescaled]
    return tuple(math.sqrt((1 - alpha_bar) / alpha_bar) for alpha_bar in alpha_bars)


def _betas(path: VariancePreserving) -> Iterator[float]:
    """Yield the share of the variance that each step replaces by noise."""
    count = path.timesteps
    if path.beta_schedule == "cosine":
        levels = [math.cos((k / count + 0.008) / 1.008 * math.pi / 2) ** 2 for k in range(count + 1)]
        yield from (min(1 - after / before, MOST_BETA) for before, after in pairwise(levels))
        return
    power = {"linear": 1, "scaled_linear": 2}[path.beta_schedule]
    first, last = path.beta_start ** (1 / power), path.beta_end ** (1 / power)
    yield from ((first + (last - first) * k / (count - 1)) ** power for k in range(count))
