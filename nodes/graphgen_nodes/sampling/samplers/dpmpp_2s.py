"""DPM-Solver++(2S) (Lu et al. 2022, algorithm 1), with fresh noise after each step (Crowson 2022, k-diffusion)."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, downward, evaluate, transfer


@dataclass(frozen=True)
class DPMpp2SAlgorithm(Algorithm):
    """Look half way in lambda and take the whole step by what is seen there; second order, two evaluations a step.

    With eta it goes to a lower level first and adds fresh noise up to t. Where lambda is infinite, from pure noise or
    to sigma 0, there is no half way and the step is of first order.
    """

    eta: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        u, scale, fresh = downward(self.path, s, t, self.eta)
        now = evaluate(self.path, denoise, state.x, s)
        denoised = now.denoised
        if u > 0 and self.path.alpha(s) > 0:
            m = self.path.sigma_at_lambda((self.path.lambda_(s) + self.path.lambda_(u)) / 2)
            denoised = evaluate(self.path, denoise, transfer(self.path, now.x, s, denoised, m), m).denoised
        x = scale * transfer(self.path, now.x, s, denoised, u)
        if fresh > 0:
            x = x + fresh * noise.draw(state.draws)
        return state.advance(x, now, draws=1)
