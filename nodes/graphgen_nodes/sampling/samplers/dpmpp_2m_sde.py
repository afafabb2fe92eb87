"""SDE-DPM-Solver++(2M) (Lu et al. 2022, DPM-Solver++, equation 18), with an amount of noise eta (Crowson 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, sqrt
from typing import Literal

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate


@dataclass(frozen=True)
class DPMpp2MSDEAlgorithm(Algorithm):
    """Solve the reverse SDE with the denoised sample extrapolated from the last two; one evaluation a step.

    `decay` is exp(-h) = alpha_s sigma_t / (alpha_t sigma_s), which is 0 from pure noise and to sigma 0.
    """

    eta: float
    solver: Literal["midpoint", "heun"]

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        alpha, lambda_ = self.path.alpha, self.path.lambda_
        now = evaluate(self.path, denoise, state.x, s)
        decay = alpha(s) * t / (alpha(t) * s)
        share = 1 - decay ** (1 + self.eta)
        x = t / s * decay**self.eta * now.x + alpha(t) * share * now.denoised
        if state.history and t > 0:
            before = state.history[-1]
            h = lambda_(t) - lambda_(s)
            r = (lambda_(s) - lambda_(before.sigma)) / h
            change = (now.denoised - before.denoised) / r
            curve = share / 2
            if self.solver == "heun":
                curve = 1 + expm1(-h * (1 + self.eta)) / (h * (1 + self.eta))
            x = x + alpha(t) * curve * change
        if t > 0 and self.eta > 0:
            x = x + t * sqrt(1 - decay ** (2 * self.eta)) * noise.brownian(s, t)
        return state.advance(x, now)
