"""A pack for networks that are in memory already: a loader that hands them over, and nodes that name them.

Everything else is graphgen's own: the residency that leases them, the patches, the streaming and the sampling.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.subjects import ReadyDenoiser, Subject, find_subject
from graphgen import Loaded, Loader, Place, hookimpl, node
from graphgen_nodes.families import family
from graphgen_nodes.loading import ModelLoader, Report
from graphgen_nodes.patching import skeleton
from graphgen_nodes.sockets import (
    Conditioning,
    Denoiser,
    GuidedConditioning,
    LabelConditioning,
    SizedConditioning,
    TextConditioning,
)
from graphgen_nodes.streaming import Layout, Make, Stream, away, blocks_of, lay_out
from graphgen_nodes.weights import FamilyNetwork, brought

POSITIVE, NEGATIVE = 1, 2
"""The seeds of what stands in for two prompts."""


class ReadyPack:
    """A plugin with the nodes of this module, whose loader finds networks by the names of their subjects."""

    def __init__(self) -> None:
        self.networks: dict[str, nn.Module] = {}

    @hookimpl
    def register_nodes(self) -> list[Callable[..., object]]:
        """Contribute the nodes."""
        return [denoiser, prompt]

    @hookimpl
    def register_types(self) -> list[type]:
        """Let the handle travel."""
        return [ReadyDenoiser]

    @hookimpl
    def register_loaders(self) -> list[Loader]:
        """Contribute the loader."""
        return [_ReadyLoader(self.networks)]


class _ReadyLoader(ModelLoader):
    """Hands networks over as `ModelLoader` does those of checkpoints; patches are applied as it applies them."""

    handles = (ReadyDenoiser,)

    def __init__(self, networks: dict[str, nn.Module]) -> None:
        self._networks = networks

    def load(self, handle: object, place: Place, report: Report) -> Loaded:
        """Return the network as it is where it has room, which shares its memory, else one that is streamed from it."""
        assert isinstance(handle, ReadyDenoiser)
        network = self._networks[handle.weights.digest]
        size = sum(value.nbytes for value in network.parameters())
        if place.room is not None and size > place.room:
            layout = lay_out(blocks_of(network), size, place.room)
            report(0, layout.size)
            network, size = _streamed(network, layout, torch.device(place.device)), layout.size
        else:
            report(0, size)
        return Loaded(FamilyNetwork(network, family(handle.family)), size)


def _streamed(network: nn.Module, layout: Layout, device: torch.device) -> nn.Module:
    """Return a network on a device of which some blocks come from main memory, as a file's do that is cached there."""
    passing = {name for block in layout.streamed for name in block.names}
    filled: dict[str, Tensor] = {}
    makes: dict[str, Make] = {}
    for name, value in network.state_dict().items():
        makes[name] = partial(brought, value, device, value.dtype)
        filled[name] = away(value.shape, value.dtype, device) if name in passing else makes[name]()
    module = skeleton(network)
    module.load_state_dict(filled, strict=True, assign=True)
    Stream(module, layout.streamed, makes, ahead=device.type == "cuda").attach(module)
    return module


def conditioning_of(subject: Subject, seed: int) -> Conditioning:
    """Return what stands in for a prompt, random numbers in the shapes of its family, or for a class."""
    generator = torch.Generator().manual_seed(seed)
    config = subject.config

    def drawn(*shape: int) -> Tensor:
        return torch.randn(1, *shape, generator=generator)

    if subject.family == "dit":
        return LabelConditioning(subject.family, torch.tensor([207 if seed == POSITIVE else 1000]))
    width = config["cross_attention_dim"] if "cross_attention_dim" in config else config["joint_attention_dim"]
    words = TextConditioning(subject.family, drawn(subject.tokens, width))
    if subject.family in ("sd3", "flux"):
        words = replace(words, pooled=drawn(config["pooled_projection_dim"]))
    if subject.family == "flux":
        return GuidedConditioning(subject.family, words.embeddings, words.pooled, guidance=3.5)
    if subject.family == "sdxl":
        pooled = drawn(config["projection_class_embeddings_input_dim"] - 6 * config["addition_time_embed_dim"])
        sizes, score = torch.zeros(1, 6, dtype=torch.int64), torch.zeros(1)
        return SizedConditioning(subject.family, words.embeddings, pooled, sizes=sizes, score=score)
    return words


@node(category="benchmark")
def denoiser(*, subject: str) -> Denoiser:
    """Name a network that is in memory."""
    return find_subject(subject).denoiser


@node(category="benchmark")
def prompt(*, subject: str, seed: int = POSITIVE) -> Conditioning:
    """Make what stands in for a prompt."""
    return conditioning_of(find_subject(subject), seed)
