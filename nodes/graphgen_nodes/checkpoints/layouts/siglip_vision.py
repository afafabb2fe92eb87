"""SigLIP's vision network (Zhai et al. 2023), under transformers' names, with `vision_model.` as of old or without."""

from __future__ import annotations

from collections.abc import Iterable
from math import isqrt
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import nn

PREFIX = "vision_model."

PROBE = "head.probe"
"""The tensor by which a SigLIP vision network is known: what its attention pooling asks with."""

HEADS = {768: 12, 1024: 16, 1152: 16}
"""The heads of the published networks, by their widths."""

SIDES = {(14, 27): 384}
"""Where pictures are no multiple of their patches: the size of those, for a patch's size and their number on a side."""


class SiglipVision(Architecture):
    """A SigLIP vision network; the text half of a file that holds all of SigLIP is left out."""

    classes = ("SiglipVisionModel",)

    def rules(self, shapes: Shapes) -> list[Rule]:  # noqa: ARG002 - there is one layout
        """Return the table that drops what belongs to texts."""
        dropped = ("text_model", "logit_scale", "logit_bias")
        return [SAME, Rule("vision_model", ""), *(Rule(name, None) for name in dropped)]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read widths, layers and the size of pictures from the shapes."""
        width, _, patch, _ = shapes["embeddings.patch_embedding.weight"]
        side = isqrt(shapes["embeddings.position_embedding.weight"][0])
        return {
            "hidden_size": width,
            "intermediate_size": shapes["encoder.layers.0.mlp.fc1.weight"][0],
            "num_hidden_layers": count(shapes, "encoder.layers"),
            "num_attention_heads": HEADS.get(width, max(width // 64, 1)),
            "patch_size": patch,
            "image_size": SIDES.get((patch, side), side * patch),
        }

    def build(self, config: Config) -> nn.Module:
        """Build a SiglipVisionModel."""
        from transformers import SiglipVisionConfig, SiglipVisionModel

        module: nn.Module = SiglipVisionModel(SiglipVisionConfig.from_dict(dict(config)))
        return module

    def names_in(self, module: nn.Module, names: Iterable[str]) -> dict[str, str]:
        """Return the table's name for each tensor of the network, which older versions put behind `vision_model.`."""
        own = {name.removeprefix(PREFIX): name for name in module.state_dict()}
        return {own.get(name, name): name for name in names}
