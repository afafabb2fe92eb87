"""Independent references for sampling: diffusers' schedulers driven by a bare loop, and Gaussians in closed form."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import torch
from torch import Tensor

from graphgen_nodes.families.family import told
from graphgen_nodes.sampling.denoiser import NetworkDenoiser
from graphgen_nodes.sampling.driver import sample
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.protocols import Guided, Prediction, State
from graphgen_nodes.sockets import (
    Conditioning,
    Denoiser,
    Flow,
    LatentFormat,
    Noise,
    Path,
    Sampler,
    Schedule,
    TextConditioning,
    VarianceExploding,
    VariancePreserving,
    Weights,
)
from graphgen_nodes.sockets import Prediction as Parametrisation

torch.set_num_threads(1)

SHAPE = (1, 4, 8, 8)
FORMAT = LatentFormat("tiny", channels=4, scale=0.18215)
WORDS = TextConditioning("tiny", torch.zeros(1, 3, 8))
PATHS: dict[str, Path] = {
    "exploding": VarianceExploding(sigma_min=0.01, sigma_max=20.0),
    "preserving": VariancePreserving(),
    "flow": Flow(shift=1.0),
}


class RandomNetwork:
    """A smooth network without meaning: mixes channels, bends, and listens to timestep and words."""

    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, seed: int = 0, channels: int = 4, out: int = 4) -> None:
        self.mix = torch.randn(out, channels, generator=torch.Generator().manual_seed(seed)) / 2
        self.calls: list[tuple[Tensor, float]] = []

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning = WORDS) -> Tensor:
        self.calls.append((x, float(timestep.flatten()[0])))
        time = torch.cos(timestep.float().reshape(-1, 1, 1, 1) / 300)
        words = told(conditioning, TextConditioning).embeddings.mean(dim=(1, 2)).reshape(-1, 1, 1, 1)
        return torch.tanh(torch.einsum("oc,bchw->bohw", self.mix, x) + time + words)


def handle(path: Path, prediction: Parametrisation = "epsilon", **changes: Any) -> Denoiser:
    """Return a handle to no weights."""
    return Denoiser("tiny", Weights("0", "none", "unet", "diffusers"), prediction, path, FORMAT, **changes)


def run_ours(
    network: RandomNetwork,
    sampler: Sampler,
    schedule: Schedule,
    prediction: Parametrisation = "epsilon",
    *,
    seed: int = 0,
    source: Callable[..., NoiseSource] = NoiseSource,
    shape: tuple[int, ...] = SHAPE,
) -> Tensor:
    """Return the clean latent in the network's coordinates."""
    denoiser = NetworkDenoiser(network, handle(schedule.path, prediction), schedule)
    noise = source(Noise(seed), shape, schedule.path)
    end = sample(unguided(denoiser), sampler, schedule, noise, torch.zeros(shape))
    return end.x * schedule.path.input_scale(schedule.sigmas[end.step])


def unguided(denoiser: NetworkDenoiser) -> Guided:
    def denoise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        return denoiser(x, sigma, [WORDS])[0]

    return denoise


def run_diffusers(scheduler: Any, steps: int, network: RandomNetwork, *, seed: int = 0, noisy: bool = False) -> Tensor:
    """Return what a bare loop over a diffusers scheduler makes of the same network and the same seed."""
    generator = torch.Generator().manual_seed(seed)
    scheduler.set_timesteps(steps)
    x = torch.randn(SHAPE, generator=generator) * getattr(scheduler, "init_noise_sigma", 1.0)
    options = {"generator": generator} if noisy else {}
    for timestep in scheduler.timesteps:
        seen = scheduler.scale_model_input(x, timestep) if hasattr(scheduler, "scale_model_input") else x
        x = scheduler.step(network(seen, timestep), timestep, x, return_dict=False, **options)[0]
    return x


class DrawsForSDE(NoiseSource):
    """Hands SDE samplers plain draws in order, as diffusers does, instead of a Brownian path."""

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:  # noqa: ARG002
        return self.draw(self._drawn)


class RoundedBrownian(NoiseSource):
    """Looks at the Brownian path at rounded levels: a path is rough, and diffusers' levels are single precision."""

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        return super().brownian(float(f"{sigma:.4g}"), float(f"{sigma_next:.4g}"))


def gaussian_denoiser(path: Path, mean: float, variance: float) -> Guided:
    """Return the exact posterior mean of a sample from N(mean, variance), for any x and sigma."""

    def denoise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        alpha = path.alpha(sigma)
        return Prediction((alpha * variance * x + sigma**2 * mean) / (alpha**2 * variance + sigma**2))

    return denoise


def gaussian_flow(path: Path, mean: float, variance: float, x: Tensor, s: float, t: float) -> Tensor:
    """Solve the probability-flow ODE from s to t in closed form: the standardised x stays the same."""

    def deviation(sigma: float) -> float:
        return sqrt(path.alpha(sigma) ** 2 * variance + sigma**2)

    return path.alpha(t) * mean + deviation(t) / deviation(s) * (x - path.alpha(s) * mean)


def consistency_function(path: Path, mean: float, variance: float) -> Guided:
    """Return the exact end of the flow from any point: what a consistency network learns."""

    def denoise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        return Prediction(gaussian_flow(path, mean, variance, x, sigma, 0.0))

    return denoise


def relative(ours: Tensor, reference: Tensor) -> float:
    """Return the largest difference over the largest value."""
    return float((ours - reference).abs().max() / reference.abs().max())


def same_state(one: State, other: State) -> bool:
    """Tell whether two states are bit for bit the same."""

    def numbers(state: State) -> list[Tensor]:
        seen = [tensor for past in state.history for tensor in (past.x, past.denoised)]
        return [state.x, *seen, *([] if state.memory is None else [state.memory])]

    return (
        (one.step, one.draws, len(one.history)) == (other.step, other.draws, len(other.history))
        and (one.memory is None) == (other.memory is None)
        and [past.sigma for past in one.history] == [past.sigma for past in other.history]
        and all(torch.equal(a, b) for a, b in zip(numbers(one), numbers(other), strict=True))
    )
