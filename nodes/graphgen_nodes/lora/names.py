"""Find whose layer a LoRA file speaks of, whatever it calls it. Torch-free.

In: a layer's name in a LoRA file, and the tensors of a model's networks. Out: the `Target`: which network's weights.
A name is one that the network's class has (diffusers, transformers) or that its original release has, by the key table
of its architecture, with dots or with underscores, behind the prefix of the tool that wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from graphgen_nodes.checkpoints.keys import Rule, Shape
from graphgen_nodes.families.family import Slot

DENOISER = "denoiser"

PREFIXES: Mapping[str, tuple[str, ...]] = {
    "lora_te_": ("text_encoder",),
    "lora_te1_": ("text_encoder",),
    "lora_te2_": ("text_encoder_2",),
    "lora_te3_": ("text_encoder_3", "text_encoder_2"),  # Flux's T5 is its second encoder
    "text_encoder_": ("text_encoder",),
    "text_encoder_2_": ("text_encoder_2",),
    "text_encoder_3_": ("text_encoder_3",),
    "text_encoders_clip_l_transformer_": ("text_encoder",),
    "text_encoders_clip_g_transformer_": ("text_encoder_2",),
    "text_encoders_t5xxl_transformer_": ("text_encoder_3", "text_encoder_2"),
    "lora_unet_": (DENOISER,),
    "lora_transformer_": (DENOISER,),
    "lycoris_": (DENOISER,),
    "unet_": (DENOISER,),
    "transformer_": (DENOISER,),
    "diffusion_model_": (DENOISER,),
    "model_diffusion_model_": (DENOISER,),
    "base_model_model_": (DENOISER, "text_encoder"),
    "unet_base_model_model_": (DENOISER,),
    "transformer_base_model_model_": (DENOISER,),
    "": (DENOISER,),
}
"""What the tools put before a layer's name, and the part it then is of."""

XLABS_DOUBLE = re.compile(r"(double_blocks\.\d+)\.(img|txt)_attn\.(qkv|proj)")
XLABS_SINGLE = re.compile(r"(single_blocks\.\d+)\.linear([12])")
"""The layers of Flux's release that XLabs has other names for."""

TEXT_ALIASES = {"q_proj": "to_q", "k_proj": "to_k", "v_proj": "to_v", "out_proj": "to_out"}
"""What diffusers once called the matrices of CLIP's attention."""


@dataclass(frozen=True, slots=True)
class Target:
    """The layers of a part that a LoRA's layer changes: several where the release fused them, in order of their rows.

    `swap`: the release stores the two halves of the rows the other way round.
    """

    part: str
    layers: tuple[str, ...]
    swap: bool = False


class Names:
    """All names for the layers of some networks, each given by its slot and its tensors' shapes.

    The names of a text encoder's tensors are without `text_model.`, as in the key tables.
    """

    def __init__(self, networks: Iterable[tuple[Slot, Mapping[str, Shape]]]) -> None:
        self._found: dict[str, dict[str, Target]] = {}
        self.shapes: dict[str, Mapping[str, Shape]] = {}
        for slot, shapes in networks:
            self.shapes[slot.part] = shapes
            text = slot.part.startswith("text_encoder")
            names = _text_names(slot, shapes) if text else _denoiser_names(slot, shapes)
            table = self._found.setdefault(slot.part if text else DENOISER, {})
            for name, target in names:
                table.setdefault(_flat(name), target)

    def find(self, name: str) -> Target | None:
        """Return what a LoRA's name for a layer means; None where no network has such a layer."""
        flat = _flat(name.replace(".processor.", "."))
        for prefix, parts in _prefixes(flat):
            for part in parts:
                if (target := self._found.get(part, {}).get(flat.removeprefix(prefix))) is not None:
                    return target
        return None

    def concerns(self, name: str) -> bool:
        """Tell whether a LoRA's name for a layer is one of a kind of network that is among these."""
        _, parts = next(iter(_prefixes(_flat(name))))
        text = any(part != DENOISER for part in self._found)
        return (DENOISER in self._found) if DENOISER in parts else text


def _prefixes(flat: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the prefixes that a name may begin with, the longest first; those of text encoders are never another's."""
    for prefix in sorted(PREFIXES, key=len, reverse=True):
        if flat.startswith(prefix):
            yield prefix, PREFIXES[prefix]
            if DENOISER not in PREFIXES[prefix]:
                return


def _flat(name: str) -> str:
    return name.replace(".", "_")


def _layers(shapes: Mapping[str, Shape]) -> list[str]:
    return [name.removesuffix(".weight") for name in shapes if name.endswith(".weight")]


def _text_names(slot: Slot, shapes: Mapping[str, Shape]) -> Iterator[tuple[str, Target]]:
    for layer in _layers(shapes):
        target = Target(slot.part, (layer,))
        owner, _, own = layer.rpartition(".")
        for name in (layer, f"{owner}.{TEXT_ALIASES.get(own, own)}"):
            yield name, target
            yield f"text_model.{name}", target


def _denoiser_names(slot: Slot, shapes: Mapping[str, Shape]) -> Iterator[tuple[str, Target]]:
    layers = _layers(shapes)
    for layer in layers:
        yield layer, Target(slot.part, (layer,))
        if layer.endswith(".to_out.0"):
            yield layer.removesuffix(".0"), Target(slot.part, (layer,))
    rules = slot.architecture.rules(slot.architecture.release_names(shapes))
    for name, target in _release_names(slot.part, layers, rules):
        yield name, target
        yield from _xlabs_names(name, target)


def _xlabs_names(name: str, target: Target) -> Iterator[tuple[str, Target]]:
    """Yield what XLabs calls a layer of Flux's release: the attention of a block as a whole does the work there."""
    if (found := XLABS_DOUBLE.fullmatch(name)) is not None:
        block, stream, matrix = found.groups()
        yield f"{block}.{matrix}_lora{1 if stream == 'img' else 2}", target
    elif (found := XLABS_SINGLE.fullmatch(name)) is not None:
        if found[2] == "1":  # which holds the feed-forward's rows after those of queries, keys and values
            yield f"{found[1]}.qkv", Target(target.part, target.layers[:3])
        else:
            yield f"{found[1]}.proj", target


def _release_names(part: str, layers: list[str], rules: Iterable[Rule]) -> Iterator[tuple[str, Target]]:
    """Walk a key table backwards: yield the release's name for each layer, and for those it fuses."""
    back: dict[str, Rule] = {}
    for rule in rules:
        if isinstance(rule.target, str) and rule.target:
            back[rule.target] = rule
        elif isinstance(rule.target, tuple) and rule.source.endswith(".weight"):
            fused = tuple(target.removesuffix(".weight") for target in rule.target)
            if set(fused) <= set(layers):
                yield rule.source.removesuffix(".weight"), Target(part, fused, rule.swap)
    for layer in layers:
        prefix = layer
        while prefix and prefix not in back:
            prefix = prefix.rpartition(".")[0]
        if prefix:
            yield back[prefix].source + layer.removeprefix(prefix), Target(part, (layer,), back[prefix].swap)
