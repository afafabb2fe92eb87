"""Patches that make a denoiser worse on purpose, for guiders that move away from what it then predicts.

In: the names or numbers of layers. Out: the network, in which these do less. Torch-free until it is attached.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from graphgen import Lease, ResourceError
from graphgen_nodes.patches import BehaviourPatch


@dataclass(frozen=True)
class PerturbedAttention(BehaviourPatch):
    """Let every place attend to itself alone, in the self-attention of some layers (Ahn et al. 2024).

    `layers` are beginnings of module names in diffusers' words: `mid_block`, `up_blocks.1`, `transformer_blocks.13`.
    """

    layers: tuple[str, ...]

    @contextmanager
    def attach(self, network: Any, lease: Lease) -> Iterator[Any]:  # noqa: ARG002
        """Put an identity in place of the attention maps.

        Raises:
            ResourceError: no self-attention of the network is called so.
        """
        attentions = {name: part for name, part in network.module.named_modules() if name.endswith(".attn1")}
        for layer in self.layers:
            chosen = [part for name, part in attentions.items() if f"{name}.".startswith(f"{layer}.")]
            if not chosen:
                there = ", ".join(dict.fromkeys(_block(name) for name in attentions)) or "none"
                raise ResourceError(
                    f"perturbed attention: no self-attention is in {layer!r}; this model has some in {there}"
                )
            for part in chosen:
                part.set_processor(_to_itself)
        yield network


@dataclass(frozen=True)
class SkippedLayers(BehaviourPatch):
    """Leave some of a transformer's blocks out, counted from 0: for skip-layer guidance (Stability AI 2024)."""

    layers: tuple[int, ...]

    @contextmanager
    def attach(self, network: Any, lease: Lease) -> Iterator[Any]:  # noqa: ARG002
        """Put a passage in place of the blocks.

        Raises:
            ResourceError: the network has no such block.
        """
        blocks = getattr(network.module, "transformer_blocks", [])
        for layer in self.layers:
            if layer >= len(blocks):
                raise ResourceError(
                    f"skipped layers: there is no block {layer}; this model has {len(blocks)} blocks, counted from 0"
                )
            blocks[layer] = _passage()
        yield network


def _block(name: str) -> str:
    return name.split(".attentions")[0] if ".attentions" in name else name.removesuffix(".attn1")


def _to_itself(attention: Any, hidden_states: Any, *_: Any, **__: Any) -> Any:
    """Do what attention does where every place attends to itself alone."""
    project, drop = attention.to_out
    return drop(project(attention.to_v(hidden_states)))


def _passage() -> Any:
    from torch import nn

    class Passage(nn.Module):
        """Passes on what comes in, as blocks give it: of two streams the text's first."""

        def forward(self, hidden_states: Any, encoder_hidden_states: Any = None, *_: Any, **__: Any) -> Any:
            return hidden_states if encoder_hidden_states is None else (encoder_hidden_states, hidden_states)

    return Passage()
