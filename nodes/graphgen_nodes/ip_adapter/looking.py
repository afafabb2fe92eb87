"""What a network does that sees pictures: which rows see which, how strongly, and where."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, scaled_dot_product_attention

from graphgen_nodes.attention import grid_of
from graphgen_nodes.sampling.standing_in import StandIn
from graphgen_nodes.sockets import Conditioning


class Seeing(StandIn):
    """A network that sees pictures, as sampling knows it; rows of negative prompts see a picture of nothing."""

    negative: Tensor | None = None
    cells = (0, 0)
    prepare: Callable[[Tensor], None] | None = None
    """What is done before each call, given the timestep of each row."""

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the network's output."""
        self.negative, self.cells = conditioning.negative, (x.shape[-2], x.shape[-1])
        if self.prepare is not None:
            self.prepare(timestep)
        return super().__call__(x, timestep, conditioning)


@dataclass
class Reach:
    """How far a picture reaches: into which rows of a batch, how strongly, and where in what is drawn."""

    seeing: Seeing
    strength: float
    mask: Tensor | None
    fitted: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def rows(self, query: Tensor) -> Tensor:
        """Return for each row of a batch of queries whether it is one of a negative prompt, as 0 or 1."""
        negative = self.seeing.negative
        if negative is None:
            return torch.zeros(len(query), dtype=torch.long, device=query.device)
        return negative.long()

    def weighed(self, found: Tensor) -> Tensor:
        """Return what queries found by its strength, where the mask is, `[batch, heads, queries, width]`."""
        return self.strength * (found if self.mask is None else found * self._where(self.mask, found))

    def _where(self, mask: Tensor, found: Tensor) -> Tensor:
        """Return the mask at the queries, `[1, 1, queries, 1]`."""
        grid = grid_of(found.shape[2], *self.seeing.cells)
        if grid not in self.fitted:
            fitted = adaptive_avg_pool2d(mask[None, None].to(found.device, torch.float32), grid)
            self.fitted[grid] = fitted.reshape(1, 1, -1, 1).to(found.dtype)
        return self.fitted[grid]


@dataclass
class Look:
    """Attention of one layer to pictures; called, it is a change of `attention.OpenAttention`.

    `key` and `value` are `[2, heads, tokens, width]`, for positive and for negative rows.
    """

    reach: Reach
    key: Tensor
    value: Tensor

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, mixed: Tensor) -> Tensor:  # noqa: ARG002
        """Add what the queries find in the pictures."""
        return mixed + self.found(query)

    def found(self, query: Tensor) -> Tensor:
        """Return what the queries find in the pictures, `[batch, heads, queries, width]`."""
        rows = self.reach.rows(query)
        return self.reach.weighed(scaled_dot_product_attention(query, self.key[rows], self.value[rows]))


def groups(pictures: int, masks: Tensor | None) -> Sequence[tuple[slice, Tensor | None]]:
    """Return which pictures are looked at together, and where: each alone where each has its mask."""
    if masks is None or len(masks) == 1:
        return [(slice(None), None if masks is None else masks[0])]
    return [(slice(index, index + 1), masks[index]) for index in range(pictures)]


def in_heads(states: Tensor, heads: int) -> Tensor:
    """Lay pictures' tokens in a row: `[2, pictures, tokens, width]` to `[2, heads, all tokens, width / heads]`."""
    return states.reshape(2, -1, heads, states.shape[-1] // heads).transpose(1, 2)
