"""Attention of one image of a batch put in the place of another's (Hertz et al. 2022).

In: a `PromptEdit` and a denoising network. Out: what stands in for the network. The first image is never touched: what
it gets is what the network's own attention gives it, bit for bit.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from graphgen_nodes.attention import attentions, explicit_attention, open_attention
from graphgen_nodes.prompt_to_prompt.patch import SELF_CELLS, PromptEdit
from graphgen_nodes.sampling.standing_in import StandIn
from graphgen_nodes.sockets import Conditioning


@contextmanager
def sharing(edit: PromptEdit, network: Any) -> Iterator[Sharing]:
    """Yield a network in which a batch's second image attends as the first does."""
    made = Sharing(network)
    if any(edit.shares):
        change = CrossChange(made, *_tensors(edit, made))
        for layer in attentions(made.module, "attn2").values():
            open_attention(layer).changes.append(change)
    if edit.self_share:
        for layer in attentions(made.module, "attn1").values():
            open_attention(layer).changes.append(SelfChange(made))
    yield made


class Sharing(StandIn):
    """A network whose images share attention; it knows which rows of a call are the source's and the edit's."""

    rows: tuple[int, int] | None = None

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the network's output; only rows of positive prompts share attention.

        Raises:
            ValueError: the two images are not together in a call.
        """
        negative = conditioning.negative
        positive = list(range(len(x))) if negative is None else (~negative).nonzero().flatten().tolist()
        if len(positive) not in (0, 2):
            raise ValueError(
                f"prompt_to_prompt.edit: {len(positive)} images of its prompts go through the network at once, and it "
                "wants two; let the latent's batch be 2, and batch_limit 0 or an even number"
            )
        self.rows = (positive[0], positive[1]) if positive else None
        return super().__call__(x, timestep, conditioning)


@dataclass(frozen=True)
class CrossChange:
    """A change of cross-attention: `mapper[source tokens, target tokens]`, what of it counts, and what it is scaled by.

    `kept[target tokens]` is 0 where a token has its own attention.
    """

    sharing: Sharing
    mapper: Tensor
    kept: Tensor
    scales: Tensor

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, mixed: Tensor) -> Tensor:
        """Mix the edit's values by the source's attention."""
        if self.sharing.rows is None:
            return mixed
        source, edit = self.sharing.rows
        theirs, own = (explicit_attention(query[row], key[row]) for row in (source, edit))
        mapped = self.mapper.any(dim=0).to(own.dtype)  # tokens that are new have nothing to take
        taken = (theirs @ self.mapper + (1 - mapped) * own) * self.scales
        return _moved(mixed, edit, (self.kept * (taken - own)).to(value.dtype) @ value[edit])


@dataclass(frozen=True)
class SelfChange:
    """A change of self-attention: the edit's values, where the source's queries look."""

    sharing: Sharing

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, mixed: Tensor) -> Tensor:
        """Mix the edit's values by the source's attention."""
        if self.sharing.rows is None or query.shape[2] > SELF_CELLS:
            return mixed
        source, edit = self.sharing.rows
        theirs, own = (
            scaled_dot_product_attention(query[row, None], key[row, None], value[edit, None]) for row in (source, edit)
        )
        return _moved(mixed, edit, (theirs - own)[0])


def _moved(mixed: Tensor, row: int, change: Tensor) -> Tensor:
    """Add to one row, so that what patches before made of it stays, such as what an IP-Adapter has it see."""
    changed = mixed.clone()
    changed[row] += change
    return changed


def _tensors(edit: PromptEdit, network: Sharing) -> tuple[Tensor, Tensor, Tensor]:
    """Return the mapper, what counts of it and the scales, for attention that is computed in float32."""
    count = len(edit.shares)
    mapper = torch.zeros(count, count)
    for i, j, weight in edit.entries:
        mapper[i, j] = weight
    kept, scales = (torch.tensor(edit.shares) > 0).float(), torch.tensor(edit.scales)
    return mapper.to(network.device), kept.to(network.device), scales.to(network.device)
