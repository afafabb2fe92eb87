"""The attention of diffusers' UNets, opened up for patches: what is asked, what answers, and what comes of it.

`open_attention(layer)` puts an `OpenAttention` in the place of the layer's processor. It gives the same numbers, to the
last bit, until changes are added to it; each takes what attention made of the values and returns what takes its place,
so that several patches can act on one layer, in the order in which they were made.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from graphgen import ResourceError

KNOWN = ("AttnProcessor2_0", "AttnProcessor")
"""The processors of diffusers whose place can be taken."""


class Change(Protocol):
    """What a patch makes of one layer's attention."""

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, mixed: Tensor) -> Tensor:
        """Return what takes the place of `mixed[batch, heads, queries, width]`, the values mixed by attention.

        `query` has the same shape; `key` and `value` are `[batch, heads, keys, width]`.
        """


class OpenAttention:
    """diffusers' AttnProcessor2_0 with a list of changes between attention and the output matrix."""

    def __init__(self) -> None:
        self.changes: list[Change] = []

    def __call__(
        self,
        layer: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **_: object,
    ) -> Tensor:
        """Return what a layer makes of `hidden_states[batch, queries, width]`."""
        read = hidden_states if encoder_hidden_states is None else encoder_hidden_states
        query, key, value = (_heads(layer, states) for states in (
            layer.to_q(hidden_states), layer.to_k(read), layer.to_v(read)
        ))  # fmt: skip
        if attention_mask is not None:
            attention_mask = layer.prepare_attention_mask(attention_mask, read.shape[1], len(read))
            attention_mask = attention_mask.view(len(read), layer.heads, -1, attention_mask.shape[-1])
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        for change in self.changes:
            mixed = change(query, key, value, mixed)
        joined = mixed.transpose(1, 2).reshape(len(hidden_states), -1, layer.heads * mixed.shape[-1])
        output: Tensor = layer.to_out[1](layer.to_out[0](joined.to(query.dtype)))
        if layer.residual_connection:
            output = output + hidden_states
        scaled: Tensor = output / layer.rescale_output_factor
        return scaled


def open_attention(layer: Any) -> OpenAttention:
    """Return the open attention of a layer (diffusers' Attention) of a patch's own network.

    Raises:
        ResourceError: another patch has changed how the layer attends.
    """
    found = layer.processor
    if isinstance(found, OpenAttention):
        return found
    if type(found).__name__ not in KNOWN:
        raise ResourceError(
            f"the network attends by a {type(found).__name__}, which cannot be changed; put patches that set "
            "processors of their own after those that change attention"
        )
    layer.processor = made = OpenAttention()
    return made


def attentions(network: nn.Module, kind: str) -> dict[str, Any]:
    """Return a UNet's layers of self-attention (`attn1`) or cross-attention (`attn2`) by name, in diffusers' order."""
    return {name: layer for name, layer in network.named_modules() if name.rpartition(".")[2] == kind}


def explicit_attention(query: Tensor, key: Tensor) -> Tensor:
    """Return how much each query takes of each value, `[..., queries, keys]`, which sums to 1 (Vaswani et al. 2017)."""
    weights = (query.float() @ key.float().transpose(-1, -2)) * query.shape[-1] ** -0.5
    return torch.softmax(weights, dim=-1)


def grid_of(queries: int, rows: int, columns: int) -> tuple[int, int]:
    """Return the rows and columns of a layer's queries, where a UNet halves a latent, rounding up, several times.

    Raises:
        ValueError: no halving has so many.
    """
    height, width = rows, columns
    while height * width > queries and height * width > 1:
        height, width = -(-height // 2), -(-width // 2)
    if height * width != queries:
        raise ValueError(f"attention: {queries} queries are no halving of a latent of {columns} x {rows} cells")
    return height, width


def _heads(layer: Any, states: Tensor) -> Tensor:
    return states.view(len(states), -1, layer.heads, states.shape[-1] // layer.heads).transpose(1, 2)
