# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""UniPC (Zhao et al. 2023, a Unified Predictor-Corrector): UniC and UniP of the B(h) kind, predicting the sample."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import expm1, factorial, isfinite
from typing import Literal

import numpy as np
from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, Evaluation, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, transfer


@dataclass(frozen=True)
class UniPCAlgorithm(Algorithm):
    """Correct the last step with what is seen at its end, then predict the next; one evaluation a step.

    The order rises over the first steps and falls over the last. History holds the corrected x. A past point at pure
    noise (lambda = -inf, the first of a flow path) cannot take part in a polynomial in lambda and is left out.
    """

    order: int
    variant: Literal["bh1", "bh2"]

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        if state.history:
            seen = state.history[-self._order(i - 1, len(state.history)) :]
            corrected = self._update(seen, s, now.denoised)
            now = replace(now, x=corrected if now.x is state.x else corrected + (now.x - state.x))
        history = (*state.history, now)
        seen = history[-self._order(i, len(history)) :]
        return state.advance(self._update(seen, t, None), now, keep=self.order)

    def _order(self, i: int, seen: int) -> int:
        return min(self.order, len(self.schedule.timesteps) - i, seen)

    def _update(self, seen: Sequence[Evaluation], t: float, there: Tensor | None) -> Tensor:
        """Return x at t: UniP from the evaluations seen, or UniC where the denoised sample at t is known too."""
        *past, now = seen
        lambda_ = self.path.lambda_
        x = transfer(self.path, now.x, now.sigma, now.denoised, t)
        h = lambda_(t) - lambda_(now.sigma)
        points = [
            ((lambda_(before.sigma) - lambda_(now.sigma)) / h, before.denoised)
            for before in reversed(past)
            if isfinite(lambda_(before.sigma))
        ]
        if there is not None:
            points.append((1.0, there))
        if not points:
            return x
        base = -h if self.variant == "bh1" and isfinite(h) else expm1(-h)
        weights = self._weights([r for r, _ in points], h, base)
        for weight, (r, denoised) in zip(weights, points, strict=True):
            x = x - self.path.alpha(t) * base * weight / r * (denoised - now.denoised)
        return x

    @staticmethod
    def _weights(ratios: Sequence[float], h: float, base: float) -> Sequence[float]:
        """Solve sum_k a_k r_k^(n-1) = n! phi_(n+1)(-h) (-h) / B(h) (theorem 3.1); one point has the weight 1/2."""
        if len(ratios) == 1:
            return [0.5]
        phi, sides = expm1(-h) / -h - 1, []
        for n in range(1, len(ratios) + 1):
            sides.append(factorial(n) * phi / base)
            phi = phi / -h - 1 / factorial(n + 1)
        matrix = np.vander(ratios, increasing=True).T
        return [float(weight) for weight in np.linalg.solve(matrix, np.array(sides))]
