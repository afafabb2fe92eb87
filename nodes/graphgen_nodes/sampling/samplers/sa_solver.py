"""SA-Solver (Xue et al. 2023): stochastic Adams methods, a predictor and a corrector, predicting the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, expm1, isfinite, sqrt

import numpy as np
from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, Evaluation, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate


@dataclass(frozen=True)
class SASolverAlgorithm(Algorithm):
    """Correct the last step with what is seen at its end, then predict the next; one evaluation and draw a step.

    `predictor` and `corrector` are orders, of which the corrector's counts what is seen at the end (0: none). Noise is
    added, as much as `tau` says, in steps from levels above which 1 - `high` and below which `low` of those of training
    lie. Orders rise over the first steps and fall over the last. With `pece`, the corrected x is looked at once more.
    """

    predictor: int
    corrector: int
    tau: float
    low: float
    high: float
    pece: bool

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i (equation 14)."""
        s, t = self.interval(i)
        alpha, q = self.path.alpha, self._tau(s) ** 2
        now = evaluate(self.path, denoise, state.x, s)
        if state.history and self.corrector:
            now = self._corrected(denoise, state, now, i)
        seen = (*state.history, now)
        decay = alpha(s) * t / (alpha(t) * s)
        x = t / s * decay**q * now.x + alpha(t) * self._integral(seen[-self._order(i, len(seen)) :], s, t)
        if t > 0 and q > 0:
            x = x + t * sqrt(1 - decay ** (2 * q)) * noise.draw(state.draws)
        return state.advance(x, now, keep=max(self.predictor, self.corrector - 1), draws=1)

    def _tau(self, sigma: float) -> float:
        """Return tau in a step that begins at a noise level: piecewise constant, as in the paper's experiments."""
        return self.tau if self.path.sigma_at_share(self.low) <= sigma <= self.path.sigma_at_share(self.high) else 0.0

    def _order(self, i: int, seen: int) -> int:
        """Return the predictor's order in step i."""
        return min(self.predictor, len(self.schedule.timesteps) - i, seen)

    def _corrected(self, denoise: Denoise, state: State, now: Evaluation, i: int) -> Evaluation:
        """Return what is seen at the end of step i - 1, with the x that the corrector (equation 17) makes of it.

        Predictor and corrector share all but their sums of samples, the noise too: so one sum is put in for the other.
        """
        seen, begin = state.history, state.history[-1].sigma
        order = min(self.corrector, len(self.schedule.timesteps) - i + 2, len(seen) + 1)
        predicted = self._integral(seen[-self._order(i - 1, len(seen)) :], begin, now.sigma)
        change = self._integral((*seen, now)[-order:], begin, now.sigma) - predicted
        if self.pece:
            return evaluate(self.path, denoise, state.x + self.path.alpha(now.sigma) * change, now.sigma)
        return replace(now, x=now.x + self.path.alpha(now.sigma) * change)

    def _integral(self, seen: Sequence[Evaluation], s: float, t: float) -> Tensor:
        """Return the integral of exp(-y) D(y) over y = (1 + tau^2) (lambda_t - lambda) from s to t.

        D is the polynomial through the samples seen, without one at pure noise (lambda = -inf) unless it is the only
        one. Of two, the slope counts (1 + tau^2) h^2 / 2, as in the release: the same up to order h^3.
        """
        lambda_, rate = self.path.lambda_, 1 + self._tau(s) ** 2
        points = [past for past in seen if isfinite(lambda_(past.sigma))] or list(seen)
        h = lambda_(t) - lambda_(s)
        whole = -expm1(-rate * h)
        if len(points) == 1:
            return whole * points[0].denoised
        if len(points) == 2:
            first, last = points
            slope = (last.denoised - first.denoised) / (lambda_(last.sigma) - lambda_(first.sigma))
            here = first if first.sigma == s else last
            return whole * here.denoised + rate * h**2 / 2 * slope
        weights = _weights([rate * (lambda_(t) - lambda_(past.sigma)) for past in points], rate * h)
        total = weights[0] * points[0].denoised
        for weight, past in zip(weights[1:], points[1:], strict=True):
            total = total + weight * past.denoised
        return total


def _weights(nodes: Sequence[float], end: float) -> list[float]:
    """Return the integrals of exp(-y) times the Lagrange polynomials through the nodes, over y from 0 to `end`."""
    moments = [-expm1(-end)]
    for k in range(1, len(nodes)):
        moments.append(k * moments[-1] - end**k * exp(-end))
    return [float(weight) for weight in np.linalg.solve(np.vander(nodes, increasing=True).T, np.array(moments))]
