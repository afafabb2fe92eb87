# ruff: noqa: ARG002  (every method has the same signature; this one draws no noise)
"""Heun++ (Hallatore 2023): slopes at this level and the next two, weighed by their share of the noise."""

from __future__ import annotations

from dataclasses import dataclass

from graphgen_nodes.sampling.protocols import Denoise, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate, slope


@dataclass(frozen=True)
class HeunPP2Algorithm(Algorithm):
    """Average slopes at up to three levels ahead; first order, three evaluations a step, two and one for the last.

    The weight of a slope ahead is its level over the first level of the schedule, divided by how many slopes there are.
    """

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i."""
        s, t = self.interval(i)
        now = evaluate(self.path, denoise, state.x, s)
        levels = [level for level in self.schedule.sigmas[i : i + 3] if level > 0]
        weights = [level / (len(levels) * self.schedule.sigmas[0]) for level in levels[1:]]
        seen, mean = now, (1 - sum(weights)) * slope(self.path, now)
        for weight, here, there in zip(weights, levels[:-1], levels[1:], strict=True):
            x = seen.x + (there - here) * slope(self.path, seen)
            seen = evaluate(self.path, denoise, x, there)
            mean = mean + weight * slope(self.path, seen)
        return state.advance(now.x + (t - s) * mean, now)
