"""DDIM (Song et al. 2021, Denoising Diffusion Implicit Models) and Euler ancestral (Crowson 2022, k-diffusion).

In scaled coordinates the two are one method; they differ in what they are called and in the usual eta.
"""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, ancestral, evaluate, transfer


@dataclass(frozen=True)
class DDIMAlgorithm(Algorithm):
    """Keep part of the present noise and replace the rest (equation 12); one evaluation and one draw a step."""

    eta: float

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        kept, fresh = ancestral(self.path, s, t, self.eta)
        x = transfer(self.path, now.x, s, now.denoised, t, kept)
        if fresh > 0:
            x = x + fresh * noise.draw(state.draws)
        return state.advance(x, now, draws=1)
