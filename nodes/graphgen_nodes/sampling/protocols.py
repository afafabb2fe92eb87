"""What a network, a sampler and a guider must offer, and the data they hand each other.

Samplers work on `x` in the coordinates of the schedule's path, float32, on the network's device, with the batch first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

import torch
from torch import Tensor

from graphgen_nodes.sockets import Conditioning, SamplerState
from graphgen_nodes.sockets import Evaluation as Evaluation

State: TypeAlias = SamplerState


@dataclass(frozen=True)
class Prediction:
    """What a denoiser, or guidance, makes of x: the clean sample, and the variance channel where one was learned.

    `variance` is in -1..1: where between the smallest and the largest variance of the reverse step (in log) the
    network puts it (Nichol and Dhariwal 2021, equation 15). `attention[images, rows, columns]` is how much each place
    attended to words that a patch watches (`Watched`), in a grid of the network's own; guidance passes both on. It may
    add two more, shaped as the clean sample: `unguided` is the one whose noise samplers carry along, None for that of
    `denoised` itself, and `memory` is what the guidance is to be given at the next look.
    """

    denoised: Tensor
    variance: Tensor | None = None
    attention: Tensor | None = None
    unguided: Tensor | None = None
    memory: Tensor | None = None


@dataclass(frozen=True)
class Asked(Conditioning):
    """A conditioning that another denoiser of a guider is asked about: the one at `index` of its `denoisers`."""

    conditioning: Conditioning
    index: int


class Network(Protocol):
    """A family's denoising network behind one signature; family adapters implement it."""

    @property
    def device(self) -> torch.device:
        """Return where the weights are."""

    @property
    def dtype(self) -> torch.dtype:
        """Return the number format the network computes in."""

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the raw output for `x[batch, channels, ...]`, `timestep[batch]` (float32) and its conditioning."""


@runtime_checkable
class Watched(Protocol):
    """A network whose attention may be watched by a patch."""

    @property
    def attention(self) -> Tensor | None:
        """Return what was seen in the last call, as in `Prediction`; None where nothing was."""


class Denoise(Protocol):
    """The guided denoiser as samplers see it."""

    def __call__(self, x: Tensor, sigma: float) -> Prediction:
        """Predict the clean sample from `x[batch, channels, ...]` at noise level sigma."""


class Guided(Protocol):
    """The guided denoiser as the driver sees it, which hands on what the guidance remembers from look to look."""

    def __call__(self, x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        """Predict as `Denoise` does, after the look that left `memory`; None at the first."""


class StepNoise(Protocol):
    """The randomness of a run, reproducible per image and on the device of x."""

    def draw(self, index: int) -> Tensor:
        """Return standard normal draw `index` in the shape of x: 0 is the initial noise."""

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:
        """Return the Brownian path's increment between two noise levels, scaled to unit variance."""


class SamplerAlgorithm(Protocol):
    """A numerical method on one schedule."""

    def init(self, x: Tensor) -> State:
        """Return the state before the first step."""

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i of the schedule: from `sigmas[i]` to `sigmas[i + 1]`."""


class Guidance(Protocol):
    """Which conditionings to predict for, and how the predictions become one."""

    def conditionings(self, sigma: float) -> Sequence[Conditioning]:
        """Return what to predict for at a noise level; `Asked` where another denoiser than the first is meant."""

    def combine(
        self, x: Tensor, sigma: float, predictions: Sequence[Prediction], memory: Tensor | None = None
    ) -> Prediction:
        """Make one prediction of those for `conditionings(sigma)`, in that order.

        `memory` is that of the prediction before: guidance holds no state, a run's states hold it. One that remembers
        nothing ignores it; one around another hands it on.
        """
