"""DPM-Solver++(3M) as an SDE solver (Crowson 2022, k-diffusion; Lu et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, isfinite, sqrt

from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, Evaluation, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate


@dataclass(frozen=True)
class DPMpp3MSDEAlgorithm(Algorithm):
    """Solve the reverse SDE with the denoised sample extrapolated from the last three; one evaluation a step.

    The order rises over the first steps, and the step to sigma 0 is of first order. d1 and d2 estimate the first two
    derivatives in lambda; as in the release, d2 is the second divided difference, half of what third order asks for.
    A past point at pure noise (lambda = -inf) is left out.
    """

    eta: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        alpha, lambda_ = self.path.alpha, self.path.lambda_
        now = evaluate(self.path, denoise, state.x, s)
        decay = alpha(s) * t / (alpha(t) * s)
        x = t / s * decay**self.eta * now.x + alpha(t) * (1 - decay ** (1 + self.eta)) * now.denoised
        before = [past for past in state.history[::-1] if isfinite(lambda_(past.sigma))]
        if before and t > 0:
            h = lambda_(t) - lambda_(s)
            h_eta = h * (1 + self.eta)
            phi_2 = expm1(-h_eta) / h_eta + 1
            phi_3 = phi_2 / h_eta - 0.5
            d1, d2 = self._derivatives(now, before, h)
            x = x + alpha(t) * (phi_2 * d1 - phi_3 * d2)
        if t > 0 and self.eta > 0:
            x = x + t * sqrt(1 - decay ** (2 * self.eta)) * noise.brownian(s, t)
        return state.advance(x, now, keep=2)

    def _derivatives(self, now: Evaluation, before: list[Evaluation], h: float) -> tuple[Tensor, Tensor | float]:
        """Return d1 and d2 in units of h, from one point before, or from two."""
        points = [self.path.lambda_(seen.sigma) for seen in (now, *before)]
        r0 = (points[0] - points[1]) / h
        slope_0 = (now.denoised - before[0].denoised) / r0
        if len(before) == 1:
            return slope_0, 0.0
        r1 = (points[1] - points[2]) / h
        slope_1 = (before[0].denoised - before[1].denoised) / r1
        change = (slope_0 - slope_1) / (r0 + r1)
        return slope_0 + r0 * change, change
