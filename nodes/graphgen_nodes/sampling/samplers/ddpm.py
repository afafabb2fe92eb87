"""DDPM's ancestral sampling (Ho et al. 2020), with fixed or learned variance (Nichol and Dhariwal 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate


@dataclass(frozen=True)
class DDPMAlgorithm(Algorithm):
    """Draw from q(x_t | x_s, denoised), one evaluation and one draw a step; the last step adds no noise."""

    variance: Literal["small", "large", "learned"]

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        alpha_st = self.path.alpha(s) / self.path.alpha(t)
        variance_st = s**2 - (alpha_st * t) ** 2
        x = alpha_st * t**2 / s**2 * now.x + self.path.alpha(t) * variance_st / s**2 * now.denoised
        if t > 0:
            small, large = t / s * sqrt(variance_st), self._large(s, t)
            x = x + self._deviation(small, large, now.variance) * noise.draw(state.draws)
        return state.advance(x, now, draws=1)

    def _large(self, s: float, t: float) -> float:
        """Return sqrt(beta): the noise the chain adds between t and s in the network's coordinates, here in ours."""
        scale_s, scale_t = self.path.input_scale(s), self.path.input_scale(t)
        alpha_st = scale_s * self.path.alpha(s) / (scale_t * self.path.alpha(t))
        return sqrt((scale_s * s) ** 2 - (alpha_st * scale_t * t) ** 2) / scale_t

    def _deviation(self, small: float, large: float, learned: Tensor | None) -> Tensor | float:
        if self.variance != "learned":
            return small if self.variance == "small" else large
        if learned is None:
            raise ValueError(
                "samplers.ddpm.variance: is 'learned', but this model did not learn one; use 'small' or 'large'"
            )
        share = (learned + 1) / 2
        return large**share * small ** (1 - share)
