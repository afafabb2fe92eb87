"""Attention to pictures beside attention to the prompt: `attention(text) + strength * attention(pictures)`.

In: an `ImagePrompt`, a denoising network and leases. Out: what stands in for the network. The adapter is needed only
while a lease begins: keys and values of pictures are the same in all steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, scaled_dot_product_attention

from graphgen import Lease
from graphgen_nodes.attention import attentions, grid_of, open_attention
from graphgen_nodes.ip_adapter.network import AdapterNetwork
from graphgen_nodes.ip_adapter.patch import ImagePrompt
from graphgen_nodes.lora.blocks import weight_of
from graphgen_nodes.sampling.standing_in import StandIn
from graphgen_nodes.sockets import Conditioning


@contextmanager
def seeing(prompt: ImagePrompt, network: Any, lease: Lease) -> Iterator[Seeing]:
    """Yield a network that sees pictures."""
    made = Seeing(network)
    with lease(prompt.adapter) as adapter:
        _add(prompt, made, adapter)  # type: ignore[arg-type]
    yield made


class Seeing(StandIn):
    """A network that sees pictures, as sampling knows it; rows of negative prompts see a picture of nothing."""

    negative: Tensor | None = None
    cells = (0, 0)

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the network's output."""
        self.negative, self.cells = conditioning.negative, (x.shape[-2], x.shape[-1])
        return super().__call__(x, timestep, conditioning)


@dataclass
class Look:
    """Attention of one layer to pictures: a change of `attention.OpenAttention`.

    `key` and `value` are `[2, heads, tokens, width]`, for positive and for negative rows.
    """

    seeing: Seeing
    key: Tensor
    value: Tensor
    strength: float
    mask: Tensor | None
    fitted: dict[tuple[int, int], Tensor] = field(default_factory=dict)

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, mixed: Tensor) -> Tensor:  # noqa: ARG002
        """Add what the queries find in the pictures."""
        negative = self.seeing.negative
        rows = torch.zeros(len(query), dtype=torch.long, device=query.device) if negative is None else negative.long()
        found = scaled_dot_product_attention(query, self.key[rows], self.value[rows])
        return mixed + self.strength * (found if self.mask is None else found * self._where(query))

    def _where(self, query: Tensor) -> Tensor:
        """Return the mask at the queries, `[1, 1, queries, 1]`."""
        assert self.mask is not None  # noqa: S101 - the caller looked
        grid = grid_of(query.shape[2], *self.seeing.cells)
        if grid not in self.fitted:
            fitted = adaptive_avg_pool2d(self.mask[None, None].to(query.device, torch.float32), grid)
            self.fitted[grid] = fitted.reshape(1, 1, -1, 1).to(query.dtype)
        return self.fitted[grid]


@torch.no_grad()
def _add(prompt: ImagePrompt, made: Seeing, adapter: AdapterNetwork) -> None:
    reference = next(adapter.parameters())
    seen = adapter(prompt.pictures.to(reference))
    nothing = adapter(prompt.blank.to(reference)).expand(len(seen), -1, -1)
    tokens = torch.stack([seen, nothing])  # [2, pictures, tokens, context]
    for index, (name, layer) in enumerate(attentions(made.module, "attn2").items()):
        strength = prompt.strength * weight_of(prompt.blocks, name)
        if not strength:
            continue
        key, value = (matrix(tokens).to(made.dtype) for matrix in (adapter.to_k[index], adapter.to_v[index]))
        for pictures, mask in _groups(len(seen), prompt.masks):
            keys, values = (_heads(states[:, pictures], layer.heads) for states in (key, value))
            open_attention(layer).changes.append(Look(made, keys, values, strength, mask))


def _groups(pictures: int, masks: Tensor | None) -> Sequence[tuple[slice, Tensor | None]]:
    """Return which pictures are looked at together, and where: each alone where each has its mask."""
    if masks is None or len(masks) == 1:
        return [(slice(None), None if masks is None else masks[0])]
    return [(slice(index, index + 1), masks[index]) for index in range(pictures)]


def _heads(states: Tensor, heads: int) -> Tensor:
    """Lay pictures' tokens in a row: `[2, pictures, tokens, width]` to `[2, heads, all tokens, width / heads]`."""
    return states.reshape(2, -1, heads, states.shape[-1] // heads).transpose(1, 2)
