"""The midpoint method of Karras et al. 2022 in log sigma, with or without noise (Crowson 2022, k-diffusion: DPM2)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, downward, evaluate, slope


@dataclass(frozen=True)
class DPM2Algorithm(Algorithm):
    """Take the slope half way, in log sigma, for the whole step; second order, two evaluations a step.

    With eta it goes to a lower level first and adds fresh noise up to t. A step down to sigma 0 is Euler's.
    """

    eta: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        u, scale, fresh = downward(self.path, s, t, self.eta)
        now = evaluate(self.path, denoise, state.x, s)
        here = slope(self.path, now)
        if u > 0:
            m = sqrt(s * u)
            here = slope(self.path, evaluate(self.path, denoise, now.x + (m - s) * here, m))
        x = scale * (now.x + (u - s) * here)
        if fresh > 0:
            x = x + fresh * noise.draw(state.draws)
        return state.advance(x, now, draws=1)
