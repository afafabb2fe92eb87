"""SEEDS-2 and SEEDS-3 (Gonzalez et al. 2023): exponential Runge-Kutta methods for the reverse SDE, in the sample."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, sqrt
from typing import Literal

from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, Evaluation, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate


@dataclass(frozen=True)
class SEEDSAlgorithm(Algorithm):
    """Look at points between in lambda, each reached by what was seen before, then take the whole step.

    `stages` are where the points lie, as shares of the step. The noise of a stage is carried on into the next, and each
    adds its own draw. The steps from pure noise and to sigma 0, where lambda is infinite, look once.
    """

    eta: float
    stages: tuple[float, ...]
    solver: Literal["phi_1", "phi_2"] = "phi_2"

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        alpha, lambda_ = self.path.alpha, self.path.lambda_
        x = state.x
        now = last = evaluate(self.path, denoise, x, s)
        carried: Tensor | float = 0.0
        level, share = s, 0.0
        stages = self.stages if t > 0 and alpha(s) > 0 else ()
        for k, r in enumerate((*stages, 1.0)):
            u = t if r == 1 else self.path.sigma_at_lambda(lambda_(s) + r * (lambda_(t) - lambda_(s)))
            x = self._without_noise(now, last, share, r, u, t)
            if u > 0 and self.eta > 0:
                decay = (alpha(level) * u / (alpha(u) * level)) ** self.eta
                carried = decay * carried + sqrt(1 - decay**2) * noise.draw(state.draws + k)
                x = x + u * carried
            if k < len(stages):
                last, level, share = evaluate(self.path, denoise, x, u), u, r
        return state.advance(x, now, draws=len(self.stages) + 1)

    def _without_noise(self, now: Evaluation, last: Evaluation, share: float, r: float, u: float, t: float) -> Tensor:
        """Return x at level u, at a share r of the step to t, by a slope from what was last seen, at another share."""
        alpha, s = self.path.alpha, now.sigma
        decay = alpha(s) * u / (alpha(u) * s)
        x: Tensor = u / s * decay**self.eta * now.x + alpha(u) * (1 - decay ** (1 + self.eta)) * now.denoised
        if share == 0:
            return x
        h = (1 + self.eta) * (self.path.lambda_(t) - self.path.lambda_(s))
        weight = (r * h + expm1(-r * h)) / (share * h)
        if self.solver == "phi_1":
            weight = -expm1(-h) / (2 * share)
        return x + alpha(u) * weight * (last.denoised - now.denoised)
