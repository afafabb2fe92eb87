# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""DPM-Solver++(2M) (Lu et al. 2022, DPM-Solver++, algorithm 2)."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, transfer


@dataclass(frozen=True)
class DPMpp2MAlgorithm(Algorithm):
    """Extrapolate the denoised sample from the last two; second order, one evaluation a step.

    The first step and the step to sigma 0 are of first order. On a flow path so is the second one: seen from pure
    noise the ratio r is infinite.
    """

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        lambda_ = self.path.lambda_
        now = evaluate(self.path, denoise, state.x, s)
        denoised = now.denoised
        if state.history and t > 0:
            before = state.history[-1]
            r = (lambda_(s) - lambda_(before.sigma)) / (lambda_(t) - lambda_(s))
            denoised = (1 + 1 / (2 * r)) * now.denoised - 1 / (2 * r) * before.denoised
        return state.advance(transfer(self.path, now.x, s, denoised, t), now)
