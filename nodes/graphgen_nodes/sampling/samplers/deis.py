# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""DEIS (Zhang and Chen 2023, Fast Sampling of Diffusion Models with Exponential Integrator), in log rho."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite, log

import numpy as np

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, transfer


@dataclass(frozen=True)
class DEISAlgorithm(Algorithm):
    """Integrate the polynomial through the last predicted noises over rho = sigma / alpha; one evaluation a step.

    d(x / alpha) = noise d(rho), exactly; the polynomial is in log rho = -lambda. The order rises over the first steps.
    A past point at pure noise (rho infinite) is left out, and from there the step is of first order.
    """

    order: int

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        alpha, lambda_ = self.path.alpha, self.path.lambda_
        now = evaluate(self.path, denoise, state.x, s)
        x = transfer(self.path, now.x, s, now.denoised, t)
        seen = [past for past in (*state.history, now)[-self.order :] if isfinite(lambda_(past.sigma))]
        if len(seen) > 1:
            rho = s / alpha(s)
            weights = weights_in_log([log(past.sigma / alpha(past.sigma) / rho) for past in seen], t / alpha(t) / rho)
            here = (now.x - alpha(s) * now.denoised) / s
            for weight, past in zip(weights, seen, strict=True):
                change = (past.x - alpha(past.sigma) * past.denoised) / past.sigma - here
                x = x + alpha(t) * rho * weight * change
        return state.advance(x, now, keep=max(self.order - 1, 1))


def weights_in_log(nodes: Sequence[float], end: float) -> list[float]:
    """Return the integrals from 1 to `end`, over r, of the Lagrange polynomials in log r through nodes of log r.

    The integral of (log r)^k is r (log r)^k less k times that of (log r)^(k-1); at r = 0 the first part is 0.
    """
    moments = [end - 1]
    for k in range(1, len(nodes)):
        moments.append((end * log(end) ** k if end > 0 else 0.0) - k * moments[-1])
    matrix = np.vander(nodes, increasing=True).T
    return [float(weight) for weight in np.linalg.solve(matrix, np.array(moments))]
