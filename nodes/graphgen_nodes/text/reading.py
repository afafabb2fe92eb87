"""What text encoders say of the chunks of a prompt, and how its words' weights change that.

In: a loaded encoder and `Chunk`s. Out: a `Reading`: states of all chunks side by side, and the pooled one of the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from graphgen_nodes.families.family import Slot
from graphgen_nodes.text.chunks import Chunk
from graphgen_nodes.text.options import Weighting

NO_VECTORS: Mapping[str, Tensor] = MappingProxyType({})

TABLES = ("token_embedding", "embed_tokens", "shared")
"""What CLIP and T5 call the module that makes vectors of token ids."""


@dataclass(frozen=True)
class Reading:
    """What one text encoder says of a prompt: `states[1, tokens, width]`, and `pooled[1, width]` where it has that."""

    states: Tensor
    pooled: Tensor | None = None


def read(
    module: nn.Module,
    slot: Slot,
    chunks: Sequence[Chunk],
    nothing: Chunk,
    *,
    weighting: Weighting,
    skip: int = 0,
    words: Mapping[str, Tensor] = NO_VECTORS,
) -> Reading:
    """Read chunks one by one, so that each says what it would say by itself.

    `nothing` is the chunk of no words, which interpolation is against. `skip` takes the states of a layer so many
    before the usual one; the pooled ones stay those of the last. `words` are the vectors of learned words, for which
    the module must be the caller's own.
    """
    said: dict[object, Reading] = {}

    def of(chunk: Chunk) -> Reading:
        key = chunk.ids, chunk.learned
        if key not in said:
            with _standing_in(module, chunk, words):
                said[key] = _read(module, slot, chunk.ids, skip)
        return said[key]

    states = [
        _weighed(of(chunk).states, chunk, weighting, lambda: of(nothing).states) if chunk.weighed else of(chunk).states
        for chunk in chunks
    ]
    return Reading(torch.cat(states, dim=1), of(chunks[0]).pooled)


@contextmanager
def _standing_in(module: nn.Module, chunk: Chunk, words: Mapping[str, Tensor]) -> Iterator[None]:
    """Put the vectors of learned words where the embeddings of placeholders are."""
    if not chunk.learned:
        yield
        return
    places = [place for place, _, _ in chunk.learned]
    vectors = torch.stack([words[word][number] for _, word, number in chunk.learned])

    def replaced(_module: nn.Module, _given: object, embedded: Tensor) -> Tensor:
        changed = embedded.clone()
        changed[:, places] = vectors.to(embedded)
        return changed

    tables = [table for name, table in module.named_modules() if name.rpartition(".")[2] in TABLES]
    hooks = [table.register_forward_hook(replaced) for table in tables]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _read(module: nn.Module, slot: Slot, ids: Sequence[int], skip: int) -> Reading:
    device = next(module.parameters()).device
    tokens = torch.tensor([ids], device=device)
    deeper = slot.layer > 1 or skip > 0
    found = module(tokens, output_hidden_states=deeper)
    states: Tensor = found.last_hidden_state if not deeper else found.hidden_states[-slot.layer - skip]
    if deeper and slot.layer == 1:
        states = _final_norm(module)(states)
    pooled = found.get("text_embeds", found.get("pooler_output"))
    return Reading(states.float(), None if pooled is None else pooled.float())


def _final_norm(module: nn.Module) -> nn.Module:
    named: dict[str, nn.Module] = dict(module.named_modules())
    return next(named[name] for name in named if name.rpartition(".")[2] == "final_layer_norm")


def _weighed(states: Tensor, chunk: Chunk, weighting: Weighting, nothing: Callable[[], Tensor]) -> Tensor:
    """Return a chunk's states with the weights of its tokens in them.

    `interpolate` moves a token's state away from, or towards, what is said at its place of no words (ComfyUI, and
    compel where weights exceed 1). `multiply` multiplies it; `normalise` does so too, and then scales the chunk to the
    mean it had (A1111).
    """
    weights = torch.tensor(chunk.weights, device=states.device)[None, :, None]
    if weighting == "interpolate":
        base = nothing()
        return torch.where(weights == 1, states, base + weights * (states - base))
    weighed = states * weights
    if weighting == "normalise":
        mean = weighed.mean()
        return weighed * (states.mean() / mean) if mean != 0 else weighed
    return weighed
