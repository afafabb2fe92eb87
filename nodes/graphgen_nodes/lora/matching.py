"""Match a LoRA file to the networks of a model, by names and shapes alone. Torch-free.

In: a `LoraFile` and the networks' `Names`. Out: a `Match`: which layers it changes, and what fits nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.keys import some
from graphgen_nodes.families.family import Slot
from graphgen_nodes.families.handles import reopen
from graphgen_nodes.lora.files import Layer, LoraFile
from graphgen_nodes.lora.names import Names, Target
from graphgen_nodes.sockets import Weights

ARCHITECTURES: Mapping[str, str] = {
    "flux": "Flux",
    "stable-diffusion-xl": "Stable Diffusion XL",
    "sdxl": "Stable Diffusion XL",
    "stable-diffusion-3": "Stable Diffusion 3",
    "sd3": "Stable Diffusion 3",
    "stable-diffusion-v2": "Stable Diffusion 2.x",
    "sd_v2": "Stable Diffusion 2.x",
    "stable-diffusion-v1": "Stable Diffusion 1.x",
    "sd_v1": "Stable Diffusion 1.x",
}
"""How metadata of trainers (`modelspec.architecture`, `ss_base_model_version`) begin, and the family they mean."""

MARKS: Mapping[str, str] = {
    "single_transformer_blocks": "Flux",
    "double_blocks": "Flux",
    "joint_blocks": "Stable Diffusion 3",
    "add_q_proj": "Stable Diffusion 3",
    "input_blocks_7_1_transformer_blocks_9": "Stable Diffusion XL",
    "down_blocks_2_attentions_0_transformer_blocks_9": "Stable Diffusion XL",
}
"""A part of layers' names that only one family's LoRAs have, the surest first."""

CONTEXTS: Mapping[int, str] = {768: "Stable Diffusion 1.x", 1024: "Stable Diffusion 2.x", 2048: "Stable Diffusion XL"}
"""How wide the text is that a UNet's cross-attention reads."""

JOINT = re.compile(r"transformer_blocks[._]\d+[._]attn[._]to_")
FLUX_WIDTH = 3072
"""Numbers for a token inside Flux: LoRAs of its double blocks alone are named as those of SD3 are."""


@dataclass(frozen=True)
class Match:
    """What a LoRA file changes in some networks, and its layers that match nothing there or have another shape.

    `others` are layers for networks of another kind: a text encoder's, where only a denoiser is given.
    """

    file: LoraFile
    targets: Mapping[str, Target]
    unknown: tuple[str, ...]
    misfits: tuple[str, ...]
    others: tuple[str, ...]

    def check(self, title: str, *, partial: bool) -> str:
        """Return what there is to say of layers that match nothing, "" if all do.

        Raises:
            CheckpointError: nothing matches, or not everything and `partial` is not set; lists the layers.
        """
        found = guess_family(self.file)
        kind = f"is a LoRA for {found}, and this is {title}; " if found and not title.startswith(found) else ""
        if not self.targets and (self.unknown or self.misfits):
            problem = kind or f"changes no layer of {title}: "
            raise CheckpointError(f"{self.file.path}: {problem}choose one made for this model ({self._problems()})")
        if (self.unknown or self.misfits) and not partial:
            raise CheckpointError(
                f"{self.file.path}: {kind}{self._problems()}; choose a LoRA made for this model, or set partial to use "
                f"the {len(self.targets)} layers that match"
            )
        return self._problems() if self.unknown or self.misfits else ""

    def _problems(self) -> str:
        unknown = f"the model has no layers {some(self.unknown, 40)}" if self.unknown else ""
        misfits = f"it has other shapes for {'; '.join(self.misfits[:8])}" if self.misfits else ""
        return "; ".join(filter(None, (unknown, misfits)))


def match(file: LoraFile, names: Names) -> Match:
    """Match a file's layers to those of networks."""
    targets: dict[str, Target] = {}
    unknown, misfits, others = [], [], []
    for name, layer in file.layers.items():
        target = names.find(name)
        if target is not None and (problem := _misfit(layer, target, names)) is None:
            targets[name] = target
        elif target is not None:
            misfits.append(f"{name!r} ({problem})")
        elif names.concerns(name):
            unknown.append(name)
        else:
            others.append(name)
    return Match(file, targets, tuple(unknown), tuple(misfits), tuple(others))


def stored_names(networks: Iterable[tuple[Slot, Weights]]) -> Names:
    """Return the names of networks' layers, from the headers of the files that hold their weights.

    Raises:
        CheckpointError: a file is gone, or changed since.
    """
    found = []
    for slot, weights in networks:
        sources = slot.architecture.sources(reopen(weights, slot))
        found.append((slot, {name: source.shape for name, source in sources.items()}))
    return Names(found)


def guess_family(file: LoraFile) -> str | None:
    """Return the title of the family that a LoRA was made for, as its metadata, names and shapes tell it."""
    for key in ("modelspec.architecture", "ss_base_model_version"):
        told = file.metadata.get(key, "").lower()
        if found := next((title for start, title in ARCHITECTURES.items() if told.startswith(start)), None):
            return found
    names = [name.replace(".", "_") for name in file.layers]
    for mark, title in MARKS.items():
        if any(mark in name for name in names):
            return title
    keys = (layer for name, layer in file.layers.items() if name.endswith(("attn2_to_k", "attn2.to_k")))
    widths = {layer.shapes["down"][1] for layer in keys if "down" in layer.shapes}
    joint = [layer for name, layer in file.layers.items() if JOINT.search(name)]
    if joint:
        return "Flux" if any(layer.size[0] == FLUX_WIDTH for layer in joint) else "Stable Diffusion 3"
    return CONTEXTS.get(widths.pop()) if len(widths) == 1 else None


def _misfit(layer: Layer, target: Target, names: Names) -> str | None:
    """Return how a layer's shape differs from that of what it is to change; None if it does not."""
    shapes = [names.shapes[target.part].get(f"{name}.weight", ()) for name in target.layers]
    rows, numbers = sum(shape[0] for shape in shapes), sum(map(prod, shapes))
    found = layer.size
    if found == (0, 0) or found == (rows, numbers):
        return None
    return f"{found[0]} x {found[1] // max(found[0], 1)} where {rows} x {numbers // rows} is needed"
