"""Attention to pictures beside attention to the prompt: `attention(text) + strength * attention(pictures)`.

In: an `ImagePrompt`, a denoising network and leases. Out: what stands in for the network. In UNets and Flux the adapter
is needed only while a lease begins, for keys and values of pictures are the same in all steps; in Stable Diffusion 3
they change with the time (`graphgen_nodes.ip_adapter.joint`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from graphgen import Lease
from graphgen_nodes.attention import attentions, open_attention
from graphgen_nodes.checkpoints.layouts.ip_adapter import layer_order
from graphgen_nodes.ip_adapter.joint import JointLook, Timed, add_to_block
from graphgen_nodes.ip_adapter.looking import Look, Reach, Seeing, groups, in_heads
from graphgen_nodes.ip_adapter.network import AdapterNetwork, FaceAdapterNetwork, TimedAdapterNetwork
from graphgen_nodes.ip_adapter.patch import ImagePrompt
from graphgen_nodes.lora.blocks import weight_of

DOUBLE = "transformer_blocks."
"""How the names of Flux's double blocks begin, whose picture and text have weights of their own."""


@contextmanager
def seeing(prompt: ImagePrompt, network: Any, lease: Lease) -> Iterator[Seeing]:
    """Yield a network that sees pictures."""
    made = Seeing(network)
    with lease(prompt.adapter) as adapter:
        _ADD[prompt.adapter.host](prompt, made, adapter)
        if prompt.adapter.kind == "timed":
            yield made
            return
    yield made


def _add_to_unet(prompt: ImagePrompt, made: Seeing, adapter: AdapterNetwork) -> None:
    for layer, look in _looks(prompt, made, adapter, attentions(made.module, "attn2")):
        open_attention(layer).changes.append(look)


def _add_to_flux(prompt: ImagePrompt, made: Seeing, adapter: AdapterNetwork) -> None:
    layers = {name: layer for name, layer in attentions(made.module, "attn").items() if name.startswith(DOUBLE)}
    for layer, look in _looks(prompt, made, adapter, layers):
        add_to_block(layer, look)


@torch.no_grad()
def _looks(
    prompt: ImagePrompt, made: Seeing, adapter: AdapterNetwork, layers: Mapping[str, Any]
) -> Iterator[tuple[Any, Look]]:
    """Yield what each layer is to look at, where anything at all."""
    tokens = _tokens(prompt, adapter)
    for index, (name, layer) in enumerate(layers.items()):
        strength = prompt.strength * weight_of(prompt.blocks, name)
        if not strength:
            continue
        key, value = (matrix(tokens).to(made.dtype) for matrix in (adapter.to_k[index], adapter.to_v[index]))
        for pictures, mask in groups(tokens.shape[1], prompt.masks):
            keys, values = (in_heads(states[:, pictures], layer.heads) for states in (key, value))
            yield layer, Look(Reach(made, strength, mask), keys, values)


def _tokens(prompt: ImagePrompt, adapter: AdapterNetwork) -> Tensor:
    """Return the tokens of pictures, and of nothing, `[2, pictures, tokens, context]`."""
    reference = next(adapter.parameters())
    pictures, blank = prompt.pictures.to(reference), prompt.blank.to(reference)
    if prompt.faces is not None and isinstance(adapter, FaceAdapterNetwork):
        faces, shortcut = prompt.faces.to(reference), prompt.adapter.shortcut
        seen = adapter.of_faces(faces, pictures, shortcut=shortcut)
        nothing = adapter.of_faces(faces[:1] * 0, blank, shortcut=shortcut)
    else:
        seen, nothing = adapter(pictures), adapter(blank)
    return torch.stack([seen, nothing.expand(len(seen), -1, -1)])


def _add_to_sd3(prompt: ImagePrompt, made: Seeing, adapter: TimedAdapterNetwork) -> None:
    layers = {**attentions(made.module, "attn"), **attentions(made.module, "attn2")}
    made.prepare = timed = Timed(prompt, adapter)
    for index, name in enumerate(sorted(layers, key=layer_order)):
        strength = prompt.strength * weight_of(prompt.blocks, name)
        for pictures, mask in groups(len(prompt.pictures), prompt.masks) if strength else ():
            JointLook(Reach(made, strength, mask), timed, index, pictures).attach(layers[name])


_ADD: Mapping[str, Callable[[ImagePrompt, Seeing, Any], None]] = {
    "unet": _add_to_unet,
    "flux": _add_to_flux,
    "sd3": _add_to_sd3,
}
