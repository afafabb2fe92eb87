"""ER-SDE solvers (Cui et al. 2023, Elucidating the Solution Space of Extended Reverse-Time SDE), orders 1 to 3."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isfinite, log, sqrt

import numpy as np
from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, Evaluation, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate

NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)


def noise_scale(rho: float) -> float:
    """Return phi(rho) = rho (exp(rho^0.3) + 10), the function the authors recommend (equation 20, ER-SDE 5)."""
    return rho * (exp(rho**0.3) + 10)


@dataclass(frozen=True)
class ERSDEAlgorithm(Algorithm):
    """Solve an extended reverse SDE, whose noise phi sets, with a Taylor polynomial in rho = sigma / alpha.

    One evaluation and one draw a step. The order rises over the first steps; the step to sigma 0 is of first order, and
    so is the one after pure noise (rho infinite). `r` is phi(rho_t) / phi(rho_s).
    """

    order: int

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        alpha_s, alpha_t = self.path.alpha(s), self.path.alpha(t)
        now = evaluate(self.path, denoise, state.x, s)
        if t == 0:
            return state.advance(alpha_t * now.denoised, now, keep=2, draws=1)
        if alpha_s == 0:  # nothing is known of the sample but its mean, and nothing of the noise is kept
            return state.advance(alpha_t * now.denoised + t * noise.draw(state.draws), now, keep=2, draws=1)
        rho_s, rho_t = s / alpha_s, t / alpha_t
        r = noise_scale(rho_t) / noise_scale(rho_s)
        x = alpha_t * (r * now.x / alpha_s + (1 - r) * now.denoised)
        x = x + alpha_t * self._taylor(now, state, rho_s, rho_t)
        x = x + alpha_t * sqrt(max(rho_t**2 - (r * rho_s) ** 2, 0.0)) * noise.draw(state.draws)
        return state.advance(x, now, keep=2, draws=1)

    def _taylor(self, now: Evaluation, state: State, rho_s: float, rho_t: float) -> Tensor | float:
        """Return what the first two derivatives of the denoised sample in rho add (algorithms 4 and 5)."""
        finite = [past for past in state.history[::-1] if isfinite(self.path.lambda_(past.sigma))]
        before = [(past.sigma / self.path.alpha(past.sigma), past.denoised) for past in finite[: self.order - 1]]
        if not before:
            return 0.0
        step = rho_t - rho_s
        first = (now.denoised - before[0][1]) / (rho_s - before[0][0])
        zeroth, once = self._integrals(rho_s, rho_t)
        added = (step + zeroth) * first
        if len(before) > 1:
            earlier = (before[0][1] - before[1][1]) / (before[0][0] - before[1][0])
            second = 2 * (first - earlier) / (rho_s - before[1][0])
            added = added + (step**2 / 2 + once) * second
        return added

    @staticmethod
    def _integrals(rho_s: float, rho_t: float) -> tuple[float, float]:
        """Return phi(rho_t) times the integrals from rho_t to rho_s of 1 / phi and of (rho - rho_s) / phi.

        Gauss points in log rho, over which the integrands are smooth.
        """
        middle, half = (log(rho_s) + log(rho_t)) / 2, (log(rho_s) - log(rho_t)) / 2
        zeroth = once = 0.0
        for node, weight in zip(NODES, WEIGHTS, strict=True):
            rho = exp(middle + half * float(node))
            share = float(weight) * half * rho / noise_scale(rho)
            zeroth, once = zeroth + share, once + share * (rho - rho_s)
        return noise_scale(rho_t) * zeroth, noise_scale(rho_t) * once
