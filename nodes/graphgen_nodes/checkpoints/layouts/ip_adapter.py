"""IP-Adapters (Ye et al. 2023), as published and as diffusers' UNets hold them, and their kin for transformers.

The release numbers a UNet's attention layers in diffusers' order, down, up, then middle; those that look at the prompt
have the odd numbers, and an adapter has a key and a value matrix for each. XLabs' adapters for Flux have a pair for
each double block, and InstantX's for Stable Diffusion 3 number all attention, with norms besides. What turns a picture
into tokens is one of a few small networks, told apart by their tensors' names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Incomplete, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config
from graphgen_nodes.sockets import AdapterHost, AdapterKind

if TYPE_CHECKING:
    from torch import nn

HEAD_WIDTH = 64
"""The width of the heads of the plus adapter's network."""

RELEASE, DIFFUSERS = "image_proj", "encoder_hid_proj.image_projection_layers.0"

RESAMPLER = {"latents": "latents", "proj_in": "proj_in", "proj_out": "proj_out", "norm_out": "norm_out"}
FEED_FORWARD = {"proj.0": "ff.net.0.proj", "proj.2": "ff.net.2"}
NAMES: dict[AdapterKind, dict[str, str]] = {
    "plain": {"proj": "image_embeds", "norm": "norm"},
    "full": {**FEED_FORWARD, "proj.3": "norm"},
    "faceid": {**FEED_FORWARD, "norm": "norm"},
    "plus": RESAMPLER,
    "faceid_plus": {
        "proj.0": "proj.net.0.proj",
        "proj.2": "proj.net.2",
        "norm": "norm",
        **{f"perceiver_resampler.{name}": name for name in RESAMPLER if name != "latents"},
    },
    "timed": {**RESAMPLER, "time_embedding": "time_embedding"},
}
"""What the release calls the parts of the network that makes tokens, and diffusers."""

RESAMPLER_LAYER = {
    "0.norm1": "ln0",
    "0.norm2": "ln1",
    "0.to_q": "attn.to_q",
    "0.to_out": "attn.to_out.0",
    "1.0": "ff.0",
    "1.1": "ff.1.net.0.proj",
    "1.3": "ff.1.net.2",
}

TIMED_LAYER = {
    "0.norm1": "ln0",
    "0.norm2": "ln1",
    "0.to_q": "attn.to_q",
    "0.to_kv": "attn.to_kv",
    "0.to_out": "attn.to_out.0",
    "1.0": "adaln_norm",
    "1.1": "ff.net.0.proj",
    "1.3": "ff.net.2",
    "2.1": "adaln_proj",
}
"""The same for a layer that is told the time by a modulation of its own."""

TIMED_MATRICES = ("norm_ip", "norm_q", "norm_k", "norm_ip_k")
"""What an adapter for Stable Diffusion 3 has for each attention besides keys and values."""

XLABS, XLABS_BLOCK = "ip_adapter_proj_model", "double_blocks.{}.processor.ip_adapter_double_stream_{}_proj"

PLACES = ("down_blocks", "up_blocks", "mid_block")
"""The order in which layers are numbered."""


def layer_order(name: str) -> tuple[int | str, ...]:
    """Return what sorts the names of a UNet's layers in the order of diffusers and of the release."""
    first, *rest = name.split(".")
    return (PLACES.index(first) if first in PLACES else len(PLACES), *(_number(word) for word in rest))


def _number(word: str) -> int | str:
    return int(word) if word.isascii() and word.isdecimal() and len(word) < 9 else word


class IPAdapterLayout(Architecture):
    """An IP-Adapter: the network that makes tokens of a picture, and matrices for each cross-attention."""

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from the release's numbers or diffusers' names of layers."""
        if f"{XLABS}.proj.weight" in shapes:
            return list(_xlabs(shapes))
        found = f"{DIFFUSERS}." in "".join(name[: len(DIFFUSERS) + 1] for name in shapes)
        return list(_diffusers(shapes) if found else _released(shapes))

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read what the adapter reads (`kind`, `width`), the prompt it adds to (`context`) and the widths of layers."""
        names = sorted((name for name in shapes if re.fullmatch(r"to_k\.\d+\.weight", name)), key=layer_order)
        kind = kind_of({name.removeprefix("projection."): shape for name, shape in shapes.items()})
        return {
            "kind": kind,
            "layers": [shapes[name][0] for name in names],
            "context": shapes["to_k.0.weight"][1],
            "bias": "to_k.0.bias" in shapes,
            **_PROJECTIONS[kind](shapes),
        }

    def build(self, config: Config) -> nn.Module:
        """Build an AdapterNetwork of the adapter's kind."""
        from graphgen_nodes.ip_adapter.network import AdapterNetwork, FaceAdapterNetwork, TimedAdapterNetwork

        made = {"timed": TimedAdapterNetwork, "faceid_plus": FaceAdapterNetwork}
        return made.get(str(config["kind"]), AdapterNetwork)(config)


def kind_of(names: Shapes) -> AdapterKind:
    """Tell the kind of an adapter by its names in diffusers.

    Raises:
        Incomplete: they are of none.
    """
    if "image_embeds.weight" in names:
        return "plain"
    if "latents" in names:
        return "timed" if "time_embedding.linear_1.weight" in names else "plus"
    if "proj.net.2.weight" in names:
        return "faceid_plus"
    if "ff.net.2.weight" in names and "norm.weight" in names:
        return "full" if names["ff.net.2.weight"][0] == names["norm.weight"][0] else "faceid"
    raise Incomplete("holds no network that makes tokens of a picture")


def host_of(names: Iterable[str], kind: AdapterKind) -> AdapterHost:
    """Tell the kind of network that an adapter with tensors of these names adds to: Flux's has biases."""
    if kind == "timed":
        return "sd3"
    return "flux" if "to_k.0.bias" in names else "unet"


def _xlabs(shapes: Shapes) -> Iterator[Rule]:
    yield from rename(XLABS, "projection", NAMES["plain"])
    for block in range(count(shapes, "double_blocks")):
        for matrix in "kv":
            yield Rule(XLABS_BLOCK.format(block, matrix), f"to_{matrix}.{block}")


def _released(shapes: Shapes) -> Iterator[Rule]:
    kind = _released_kind(shapes)
    yield from rename(RELEASE, "projection", NAMES[kind])
    layers = f"{RELEASE}.perceiver_resampler.layers" if kind == "faceid_plus" else f"{RELEASE}.layers"
    for layer in range(count(shapes, layers)):
        here, there = f"{layers}.{layer}", f"projection.layers.{layer}"
        if kind == "timed":
            yield from rename(here, there, TIMED_LAYER)
            continue
        yield from rename(here, there, RESAMPLER_LAYER)
        yield Rule(f"{here}.0.to_kv", (f"{there}.attn.to_k", f"{there}.attn.to_v"))
    numbers = sorted({int(found[1]) for name in shapes if (found := re.match(r"ip_adapter\.(\d{1,4})\.", name))})
    places = [number for number in numbers if f"ip_adapter.{number}.to_k_ip.weight" in shapes]
    for number in numbers:
        for matrix in ("q", "k", "v", "out"):  # a FaceID adapter's LoRA, which changes the UNet itself
            yield Rule(f"ip_adapter.{number}.to_{matrix}_lora", None)
    for place, number in enumerate(places):
        yield Rule(f"ip_adapter.{number}.to_k_ip", f"to_k.{place}")
        yield Rule(f"ip_adapter.{number}.to_v_ip", f"to_v.{place}")
        for matrix in TIMED_MATRICES if kind == "timed" else ():
            yield Rule(f"ip_adapter.{number}.{matrix}", f"{matrix}.{place}")


def _released_kind(shapes: Shapes) -> AdapterKind:
    if f"{RELEASE}.proj.weight" in shapes:
        return "plain"
    if f"{RELEASE}.proj.3.weight" in shapes:
        return "full"
    if f"{RELEASE}.perceiver_resampler.proj_in.weight" in shapes:
        return "faceid_plus"
    if f"{RELEASE}.norm.weight" in shapes:
        return "faceid"
    return "timed" if f"{RELEASE}.time_embedding.linear_1.weight" in shapes else "plus"


def _diffusers(shapes: Shapes) -> Iterator[Rule]:
    yield SAME
    yield Rule(DIFFUSERS, "projection")
    layers = sorted((name for name in shapes if name.endswith(".to_k_ip.0.weight")), key=layer_order)
    for place, name in enumerate(layers):
        layer = name.removesuffix(".to_k_ip.0.weight")
        yield Rule(f"{layer}.to_k_ip.0", f"to_k.{place}")
        yield Rule(f"{layer}.to_v_ip.0", f"to_v.{place}")


def _plain(shapes: Shapes) -> dict[str, object]:
    rows, width = shapes["projection.image_embeds.weight"]
    return {"width": width, "tokens": rows // shapes["projection.norm.weight"][0]}


def _full(shapes: Shapes) -> dict[str, object]:
    return {"width": shapes["projection.ff.net.0.proj.weight"][1], "tokens": 0}


def _faceid(shapes: Shapes) -> dict[str, object]:
    inner, width = shapes["projection.ff.net.0.proj.weight"]
    tokens = shapes["projection.ff.net.2.weight"][0] // shapes["projection.norm.weight"][0]
    return {"width": width, "tokens": tokens, "inner": inner}


def _faceid_plus(shapes: Shapes) -> dict[str, object]:
    inner, width = shapes["projection.proj_in.weight"]
    rows, face = shapes["projection.proj.net.0.proj.weight"]
    return {
        "width": width,
        "inner": inner,
        "face": face,
        "face_mult": rows // face,
        "tokens": shapes["projection.proj.net.2.weight"][0] // inner,
        **_layers(shapes, inner, "ff.1.net.0.proj"),
    }


def _plus(shapes: Shapes) -> dict[str, object]:
    return _resampler(shapes, "ff.1.net.0.proj")


def _timed(shapes: Shapes) -> dict[str, object]:
    time, head = shapes["projection.time_embedding.linear_1.weight"][1], shapes["norm_q.0.weight"][0]
    return {**_resampler(shapes, "ff.net.0.proj"), "time": time, "head": head}


def _resampler(shapes: Shapes, widened: str) -> dict[str, object]:
    """Read the sizes of a resampler, whose layers are widened by this matrix."""
    _, tokens, inner = shapes["projection.latents"]
    return {
        "width": shapes["projection.proj_in.weight"][1],
        "tokens": tokens,
        "inner": inner,
        **_layers(shapes, inner, widened),
    }


def _layers(shapes: Shapes, inner: int, widened: str) -> dict[str, object]:
    return {
        "depth": count(shapes, "projection.layers"),
        "heads": shapes["projection.layers.0.attn.to_q.weight"][0] // HEAD_WIDTH,
        "mult": shapes[f"projection.layers.0.{widened}.weight"][0] // inner,
    }


_PROJECTIONS = {
    "plain": _plain,
    "full": _full,
    "faceid": _faceid,
    "plus": _plus,
    "faceid_plus": _faceid_plus,
    "timed": _timed,
}
