"""Local blending (Hertz et al. 2022, section 4, "local editing"): an edit confined to where its words are.

In: what another method makes of the two images, and how much they attend to words. Out: the same, with the first image
in the second one's place outside a mask. It acts on the state after each step, because the network must see there, at
every step, what it sees of the first image; an edited prediction alone would leave what the steps before had changed.
It acts on the predictions too: so methods that look several times in a step, or back at former steps, never see what is
not kept, and previews show what is. Rows are taken over, not computed, so the first image is never touched.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from graphgen_nodes.prompt_to_prompt.local import LocalState
from graphgen_nodes.sampling.protocols import Denoise, Prediction, SamplerAlgorithm, State, StepNoise
from graphgen_nodes.sampling.samplers.algorithm import Algorithm


@dataclass(frozen=True)
class LocalAlgorithm(Algorithm):
    """Take another method's steps; from the share `start` of the schedule on, keep the first image outside the mask."""

    inner: SamplerAlgorithm
    threshold: float
    start: float

    def init(self, x: Tensor) -> State:
        """Return the other method's state before the first step."""
        return self.inner.init(x)

    def step(self, denoise: Denoise, state: State, i: int, noise: StepNoise) -> State:
        """Take step i, with the attention of all looks so far.

        Raises:
            ValueError: no attention is watched.
        """
        acts = i / len(self.schedule.timesteps) >= self.start
        total = state.attention if isinstance(state, LocalState) else None

        def within(x: Tensor, sigma: float) -> Prediction:
            nonlocal total
            found = denoise(x, sigma)
            if found.attention is None:
                raise ValueError(
                    "prompt_to_prompt.local: the denoiser watches no words; guide by the denoiser of "
                    "prompt_to_prompt.edit, and name words in its setting local"
                )
            total = found.attention if total is None else total.to(found.attention) + found.attention
            if not acts:
                return found
            unguided = None if found.unguided is None else self._blended(found.unguided, total)
            return replace(found, denoised=self._blended(found.denoised, total), unguided=unguided)

        after = self.inner.step(within, state, i, noise)
        x = self._blended(after.x, total) if acts and total is not None else after.x
        return LocalState(x, after.step, after.history, after.draws, attention=total)

    def _blended(self, images: Tensor, attention: Tensor) -> Tensor:
        """Return `images[2, channels, rows, columns]`, the second of them the first outside the mask."""
        inside = words_mask(attention, (images.shape[-2], images.shape[-1]), self.threshold)
        return torch.stack([images[0], torch.where(inside, images[1], images[0])])


def words_mask(attention: Tensor, size: tuple[int, int], threshold: float) -> Tensor:
    """Return where either image attends to its words, `[rows, columns]`, of `attention[images, rows, columns]`.

    That is where the largest attention of a place and its neighbours is more than `threshold` times the image's largest
    (the published `LocalBlend`); nowhere in an image without words.
    """
    pooled = interpolate(max_pool2d(attention[:, None], 3, stride=1, padding=1), size=size)[:, 0]
    return (pooled > threshold * pooled.amax(dim=(1, 2), keepdim=True)).any(dim=0)
