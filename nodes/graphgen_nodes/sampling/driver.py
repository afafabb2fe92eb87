"""The one loop that runs every sampler.

In: a guided denoiser, a method, a schedule, noise and a latent. Out: the states it passes through. A run is nothing
but its states: it stops, resumes or branches at any of them, with the same or another method, guider or noise.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import torch
from torch import Tensor

from graphgen_nodes.sampling.protocols import Guided, Prediction, State, StepNoise
from graphgen_nodes.sockets import Sampler, Schedule

OnStep = Callable[[State, int, int], None]
"""Called after each step with the state, the steps done and all steps; what it raises stops the run."""


def begin(sampler: Sampler, schedule: Schedule, noise: StepNoise, latent: Tensor, *, add_noise: bool = True) -> State:
    """Return the state before the first step.

    A full run begins at the latent with the schedule's initial noise, a slice at the latent noised to the slice's
    first level. Without `add_noise` the latent holds that level's noise already, as the slice before left it.
    `latent[batch, channels, ...]` is float32 in the network's coordinates, on the device to sample on.
    """
    path, sigma = schedule.path, schedule.sigmas[schedule.start]
    if not add_noise:
        state = sampler.algorithm(schedule).init(latent / path.input_scale(sigma))
        return replace(state, draws=1 + schedule.start)
    scale = sigma
    if schedule.full:
        scale = path.noise_scale(sigma) if schedule.noise_scale is None else schedule.noise_scale
    return sampler.algorithm(schedule).init(path.alpha(sigma) * latent + scale * noise.draw(0))


def trajectory(
    denoise: Guided, sampler: Sampler, schedule: Schedule, noise: StepNoise, state: State
) -> Iterator[State]:
    """Yield the state after each step still to take, from `state.step` to the schedule's stop.

    A state taken from here resumes the run bit for bit: call again with it.
    """
    algorithm = sampler.algorithm(schedule)
    for i in range(state.step, schedule.steps.stop):
        looks = _Looks(denoise, state.memory)
        with torch.no_grad():
            state = replace(algorithm.step(looks, state, i, noise), memory=looks.memory)
        yield state


class _Looks:
    """The looks of one step at a guided denoiser: each gives the guidance what it remembers of the one before."""

    def __init__(self, denoise: Guided, memory: Tensor | None) -> None:
        self.memory = memory
        self._denoise = denoise

    def __call__(self, x: Tensor, sigma: float) -> Prediction:
        found = self._denoise(x, sigma, self.memory)
        self.memory = found.memory
        return found


def sample(
    denoise: Guided,
    sampler: Sampler,
    schedule: Schedule,
    noise: StepNoise,
    latent: Tensor,
    *,
    add_noise: bool = True,
    state: State | None = None,
    on_step: OnStep | None = None,
) -> State:
    """Run a method to the schedule's end, or to the end of its slice, and return the last state.

    `state` resumes or branches a run from there; the latent is then not looked at.
    """
    if state is None:
        state = begin(sampler, schedule, noise, latent, add_noise=add_noise)
    for now in trajectory(denoise, sampler, schedule, noise, state):
        state = now
        if on_step:
            on_step(state, state.step - schedule.start, len(schedule.steps))
    return state


def result(schedule: Schedule, state: State) -> tuple[Tensor, Tensor]:
    """Return a state's latent and its last denoised prediction, in the network's coordinates.

    At sigma 0 they are the coordinates of clean latents; a latent that still holds noise is handed to the next slice.
    """
    sigma = schedule.sigmas[state.step]
    denoised = state.history[-1].denoised if state.history else state.x
    return state.x * schedule.path.input_scale(sigma), denoised
