"""Any method within a mask: what is known of the picture is put back after each step, with the noise of that level.

The noise is the run's own initial noise, draw 0, so that a resumed run puts back the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphgen_nodes.sampling.protocols import Denoise, Prediction, SamplerAlgorithm, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm


@dataclass(frozen=True)
class MaskedAlgorithm(Algorithm):
    """Take another method's steps, and keep `latent` where `painted[1 or batch, 1, rows, columns]` is 0.

    Between 0 and 1 the two are blended (Avrahami et al. 2023, blended latent diffusion), or, where `gradual`, a place
    of value m is kept until the share 1 - m of the schedule and painted from there on (Levin and Fried 2023,
    differential diffusion): m is the strength of image-to-image there.
    """

    inner: SamplerAlgorithm
    latent: Tensor
    painted: Tensor
    gradual: bool = False

    def init(self, x: Tensor) -> State:
        """Return the other method's state before the first step."""
        return self.inner.init(x)

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i, and put back what is known.

        Raises:
            ValueError: the latent to keep has another size than what is sampled.
        """
        x = state.x
        if self.latent.shape[1:] != x.shape[1:] or len(self.latent) not in (1, len(x)):
            raise ValueError(
                f"editing.inpaint.latent: is {tuple(self.latent.shape)}, but {tuple(x.shape)} is sampled; sample a "
                "latent of its size, for one image or for as many"
            )
        latent, painted = self.latent.to(x), self.painted.to(x)

        def within(x: Tensor, sigma: float) -> Prediction:
            found = denoise(x, sigma)
            return replace(found, denoised=torch.where(painted > 0, found.denoised, latent))

        after = self.inner.step(within, state, i, noise)
        share = self._share(painted, i + 1)
        return replace(after, x=share * after.x + (1 - share) * self._known(latent, i + 1, noise))

    def _known(self, latent: Tensor, step: int, noise: StepNoise) -> Tensor:
        """Return the known picture at a step's noise level; clean where the schedule ends."""
        sigma = self.schedule.sigmas[step]
        if step == len(self.schedule.timesteps):
            return latent / self.path.input_scale(sigma)
        return self.path.alpha(sigma) * latent + sigma * noise.draw(0)

    def _share(self, painted: Tensor, step: int) -> Tensor:
        """Return how much of each place is painted in the state before a step."""
        if not self.gradual:
            return painted
        return ((painted > 0) & (painted >= 1 - step / len(self.schedule.timesteps))).to(painted)
