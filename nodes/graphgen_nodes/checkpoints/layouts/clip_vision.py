"""CLIP's vision network (Radford et al. 2021) with its projection, under transformers' names."""

from __future__ import annotations

from math import isqrt
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count
from graphgen_nodes.checkpoints.layouts.clip import HEAD_WIDTH
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import nn

HEADS = 16
"""What the published ViT-L, ViT-H and bigG have, whose heads differ in width: 64, 80 and 104."""

NARROWEST = 1024
"""The width of the smallest of these."""

OPENAI = (768, 1024)
"""The widths of OpenAI's own networks, whose activation is another than OpenCLIP's."""

PATCHES = "vision_model.embeddings.patch_embedding.weight"
"""The tensor by which a CLIP vision network is known."""


class ClipVision(Architecture):
    """A CLIP vision network; the text half of a file that holds all of CLIP is left out."""

    classes = ("CLIPVisionModelWithProjection",)

    def rules(self, shapes: Shapes) -> list[Rule]:  # noqa: ARG002 - there is one layout
        """Return the table that drops what belongs to texts."""
        dropped = ("vision_model.embeddings.position_ids", "text_model", "text_projection", "logit_scale")
        return [SAME, *(Rule(name, None) for name in dropped)]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read widths, layers and the size of pictures from the shapes."""
        width, _, patch, _ = shapes[PATCHES]
        positions = shapes["vision_model.embeddings.position_embedding.weight"][0]
        return {
            "hidden_size": width,
            "intermediate_size": shapes["vision_model.encoder.layers.0.mlp.fc1.weight"][0],
            "num_hidden_layers": count(shapes, "vision_model.encoder.layers"),
            "num_attention_heads": HEADS if width >= NARROWEST else max(width // HEAD_WIDTH, 1),
            "patch_size": patch,
            "image_size": isqrt(positions - 1) * patch,
            "projection_dim": shapes["visual_projection.weight"][0],
            "hidden_act": "quick_gelu" if width in OPENAI else "gelu",
        }

    def build(self, config: Config) -> nn.Module:
        """Build a CLIPVisionModelWithProjection."""
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        module: nn.Module = CLIPVisionModelWithProjection(CLIPVisionConfig.from_dict(dict(config)))
        return module
