"""DPM-Solver++ as a single-step SDE solver with a midpoint (Crowson 2022, k-diffusion; Lu et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, Evaluation, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, ancestral, evaluate, transfer


@dataclass(frozen=True)
class DPMppSDEAlgorithm(Algorithm):
    """Look at a point between in lambda, then take the whole step; two evaluations, one where lambda is infinite.

    Both moves see the same Brownian path. `middle` is where the point lies between s and t, in lambda.
    """

    eta: float
    middle: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        denoised = now.denoised
        if t > 0 and self.path.alpha(s) > 0:
            lambda_s, lambda_t = self.path.lambda_(s), self.path.lambda_(t)
            m = self.path.sigma_at_lambda(lambda_s + self.middle * (lambda_t - lambda_s))
            between = evaluate(self.path, denoise, self._move(now, now.denoised, m, noise), m)
            part = 1 / (2 * self.middle)
            denoised = (1 - part) * now.denoised + part * between.denoised
        return state.advance(self._move(now, denoised, t, noise), now)

    def _move(self, now: Evaluation, denoised: Tensor, t: float, noise: StepNoise) -> Tensor:
        kept, fresh = ancestral(self.path, now.sigma, t, self.eta)
        x = transfer(self.path, now.x, now.sigma, denoised, t, kept)
        return x + fresh * noise.brownian(now.sigma, t) if fresh > 0 else x
