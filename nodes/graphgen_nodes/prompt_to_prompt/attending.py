"""Attention of one image of a batch put in the place of another's (Hertz et al. 2022), and what it is, watched.

In: a `PromptEdit` and a denoising network. Out: what stands in for the network, and tells how much each image attends
to the words that the edit watches. The first image is never touched: what it gets is what the network's own attention
gives it, bit for bit.
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
from graphgen_nodes.sockets import Conditioning, TextConditioning


@contextmanager
def sharing(edit: PromptEdit, network: Any) -> Iterator[Sharing]:
    """Yield a network in which a batch's second image attends as the first does."""
    made = Sharing(network, edit)
    if any(edit.shares) or any(edit.watched):
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

    def __init__(self, network: Any, edit: PromptEdit) -> None:
        super().__init__(network)
        self.edit = edit
        self._maps: dict[int, list[Tensor]] = {}
        self._attention: Tensor | None = None

    @property
    def attention(self) -> Tensor | None:
        """Return how much each place of both images attended to the watched words in the last call.

        `[2, rows, columns]`, the mean over layers and heads of the sum over words; None where no words are watched, or
        none of the call's rows are of positive prompts.
        """
        return self._attention if any(self.edit.watched) else super().attention

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Return the network's output; only rows of positive prompts share attention.

        Raises:
            ValueError: the two images are not together in a call, are told of other prompts than the edit's, or the
                network has no cross-attention of the level that is watched.
        """
        self.rows = self._rows(conditioning, len(x))
        self._maps = {}
        output = super().__call__(x, timestep, conditioning)
        self._attention = self._watched(x.shape[-2], x.shape[-1]) if self.rows and any(self.edit.watched) else None
        return output

    def _rows(self, conditioning: Conditioning, count: int) -> tuple[int, int] | None:
        """Return which of so many rows are the source's and the edit's."""
        negative = conditioning.negative
        positive = list(range(count)) if negative is None else (~negative).nonzero().flatten().tolist()
        if len(positive) not in (0, 2):
            raise ValueError(
                f"prompt_to_prompt.edit: {len(positive)} images of its prompts go through the network at once, and it "
                "wants two; let the latent's batch be 2, and batch_limit 0 or an even number"
            )
        wanted = len(self.edit.shares)
        if positive and isinstance(conditioning, TextConditioning) and conditioning.embeddings.shape[1] != wanted:
            raise ValueError(
                f"prompt_to_prompt.edit: is to edit a prompt of {conditioning.embeddings.shape[1]} tokens, and maps "
                f"{wanted}; guide by the conditioning that it gives"
            )
        return (positive[0], positive[1]) if positive else None

    def _watched(self, rows: int, columns: int) -> Tensor:
        """Return what was seen by the layers before which the UNet halved a latent of so many cells `level` times."""
        for _ in range(self.edit.level):
            rows, columns = -(-rows // 2), -(-columns // 2)
        if (found := self._maps.get(rows * columns)) is None:
            there = ", ".join(str(count) for count in sorted(self._maps, reverse=True))
            raise ValueError(
                f"prompt_to_prompt.edit.level: is {self.edit.level}, where layers would attend from {columns} x {rows} "
                f"places, but this model's attend from {there} places; take a level at which they have so many"
            )
        return torch.stack(found).mean(dim=0).reshape(2, rows, columns)

    def watch(self, source: Tensor, edit: Tensor) -> None:
        """Take note of a layer's maps `[heads, queries, tokens]`, if words are watched."""
        if any(self.edit.watched):
            pairs = zip((source, edit), self.edit.watched, strict=True)
            summed = [maps[..., list(places)].sum(dim=-1).mean(dim=0) for maps, places in pairs]
            self._maps.setdefault(source.shape[-2], []).append(torch.stack(summed))


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
        change = self.kept * (taken - own)
        self.sharing.watch(theirs, own + change)
        return _moved(mixed, edit, change.to(value.dtype) @ value[edit])


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
