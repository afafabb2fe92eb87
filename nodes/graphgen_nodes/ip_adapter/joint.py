"""Attention to pictures in transformers that attend to picture and text jointly: Flux and Stable Diffusion 3.

Flux (XLabs 2024): what the picture's queries find in another picture, before they are turned by their positions, is
added to what a double block puts out. Stable Diffusion 3 (InstantX 2024): the picture's tokens attend to themselves and
to another picture's, whose tokens change with the time, and what they find is added before the output matrix.
Both are done by hooks on a patch's own modules, so that attention processors stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from graphgen_nodes.ip_adapter.looking import Look, Reach, in_heads
from graphgen_nodes.ip_adapter.network import TimedAdapterNetwork
from graphgen_nodes.ip_adapter.patch import ImagePrompt


def add_to_block(layer: Any, look: Look) -> None:
    """Have a double block of Flux, given by its attention, look at pictures."""
    queries: list[Tensor] = []

    def keep(_: nn.Module, __: object, query: Tensor) -> None:
        queries[:] = [query.transpose(1, 2)]  # [batch, heads, tokens, width]

    def add(_: nn.Module, __: object, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        picture, text, *before = output
        beside = look.found(queries[0]).transpose(1, 2).flatten(2)
        return (picture, text, beside + before[0] if before else beside)

    layer.norm_q.register_forward_hook(keep)
    layer.register_forward_hook(add)


class Timed:
    """An adapter's tokens at the time of a call: `tokens[2 * pictures, tokens, context]`, those of nothing last."""

    def __init__(self, prompt: ImagePrompt, adapter: TimedAdapterNetwork) -> None:
        self.adapter = adapter
        blank = prompt.blank.expand(len(prompt.pictures), -1, -1)
        self.read = torch.cat([prompt.pictures, blank]).to(next(adapter.parameters()))
        self.tokens = self.embedding = torch.empty(0)

    @torch.no_grad()
    def __call__(self, timestep: Tensor) -> None:
        """Make the tokens for a timestep, which all rows of a call share."""
        self.tokens, self.embedding = self.adapter.at(self.read, timestep[:1].expand(len(self.read)))

    def answers(self, index: int) -> tuple[Tensor, Tensor]:
        """Return the keys and values of layer `index`, both `[2 * pictures, tokens, width]`."""
        return self.adapter.answers(index, self.tokens, self.embedding)


@dataclass
class JointLook:
    """Attention of layer `index` of Stable Diffusion 3 to its own picture and to some of others."""

    reach: Reach
    timed: Timed
    index: int
    pictures: slice
    kept: dict[str, Tensor] = field(default_factory=dict)

    def attach(self, layer: Any) -> None:
        """Have a layer (diffusers' Attention) of a patch's own network look at pictures."""
        for name in ("to_q", "to_k", "to_v"):
            getattr(layer, name).register_forward_hook(partial(self._keep, name))
        layer.to_out[0].register_forward_pre_hook(partial(self._add, layer.heads))

    def _keep(self, name: str, _: nn.Module, __: object, states: Tensor) -> None:
        self.kept[name] = states

    @torch.no_grad()
    def _add(self, heads: int, _: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        """Add what is found to what goes into the output matrix, `[batch, tokens, width]`."""
        (mixed,), adapter, index = given, self.timed.adapter, self.index
        query, key, value = (_split(self.kept.pop(name), heads) for name in ("to_q", "to_k", "to_v"))
        rows, pictures = self.reach.rows(query), len(self.timed.read) // 2
        keys, values = (
            in_heads(states.reshape(2, pictures, *states.shape[1:])[:, self.pictures], heads)[rows]
            for states in self.timed.answers(index)
        )
        query, key, keys = adapter.norm_q[index](query), adapter.norm_k[index](key), adapter.norm_ip_k[index](keys)
        key, value = (torch.cat(pair, dim=2).to(mixed.dtype) for pair in ((key, keys), (value, values)))
        found = self.reach.weighed(scaled_dot_product_attention(query.to(mixed.dtype), key, value))
        return (mixed + found.transpose(1, 2).flatten(2),)


def _split(states: Tensor, heads: int) -> Tensor:
    return states.view(len(states), -1, heads, states.shape[-1] // heads).transpose(1, 2)
