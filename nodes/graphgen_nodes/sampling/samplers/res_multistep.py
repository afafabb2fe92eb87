"""The multistep form of RES, the refined exponential solver (Zhang et al. 2023), and with noise."""

from __future__ import annotations

from dataclasses import dataclass
from math import expm1, isfinite

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, downward, evaluate, transfer


@dataclass(frozen=True)
class RESMultistepAlgorithm(Algorithm):
    """Integrate the line through the last two denoised samples, in lambda, exactly; second order, one evaluation.

    With eta it goes to a lower level first and adds fresh noise up to t. The first step and the step down to sigma 0
    are of first order, on a flow path the second one too: seen from pure noise there is no line. `phi_2` is
    h phi_2(-h) of the paper.
    """

    eta: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        lambda_ = self.path.lambda_
        u, scale, fresh = downward(self.path, s, t, self.eta)
        now = evaluate(self.path, denoise, state.x, s)
        x = transfer(self.path, now.x, s, now.denoised, u)
        before = state.history[-1] if state.history else None
        if before and u > 0 and isfinite(lambda_(before.sigma)):
            h = lambda_(u) - lambda_(s)
            phi_2 = 1 + expm1(-h) / h
            change = (now.denoised - before.denoised) / (lambda_(s) - lambda_(before.sigma))
            x = x + self.path.alpha(u) * phi_2 * h * change
        x = scale * x
        if fresh > 0:
            x = x + fresh * noise.draw(state.draws)
        return state.advance(x, now, draws=1)
