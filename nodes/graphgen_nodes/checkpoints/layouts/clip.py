"""CLIP's text encoder (Radford et al. 2021), under the names of transformers and of OpenCLIP.

Both are loaded into transformers' CLIPTextModel, or CLIPTextModelWithProjection where the pooled output is used. The
table speaks of names without a prefix (`encoder.layers.0...`): transformers put `text_model.` before them until 5.6
and still does in the class with a projection, so what the built class calls them is looked up when it is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Literal

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import nn

HEAD_WIDTH = 64
"""Every published CLIP text encoder has heads of this width; shapes do not tell it."""

OPEN_CLIP_ENDS = {
    "token_embedding": "embeddings.token_embedding",
    "positional_embedding": "embeddings.position_embedding.weight",
    "ln_final": "final_layer_norm",
}
OPEN_CLIP_LAYER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}


class ClipText(Architecture):
    """A CLIP text encoder: `activation` is what shapes cannot tell, `projection` whether the pooled output is used.

    `skip_last` layers of an OpenCLIP release are left out, where a family was trained on the layer before.
    """

    classes = ("CLIPTextModel", "CLIPTextModelWithProjection")

    def __init__(
        self, activation: Literal["quick_gelu", "gelu"], *, projection: bool = False, skip_last: int = 0
    ) -> None:
        self.activation = activation
        self.projection = projection
        self.skip_last = skip_last

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from OpenCLIP's names, or from transformers' with and without its prefixes."""
        unused = [Rule(name, None) for name in ("logit_scale", "attn_mask", "transformer.logit_scale")]
        projection = "text_projection" if self.projection else None
        if "transformer.resblocks.0.attn.in_proj_weight" in shapes:
            # the release multiplies by its matrix from the right
            matrix = Rule("text_projection", projection and f"{projection}.weight", transpose=True)
            linear = Rule("text_projection.weight", projection and f"{projection}.weight")
            return [*unused, matrix, linear, *_open_clip(shapes, self.skip_last)]
        rules = [SAME, *unused]
        for prefix in ("", "text_model.", "transformer.", "transformer.text_model."):
            rules.append(Rule(prefix.rstrip("."), ""))
            rules.append(Rule(f"{prefix}embeddings.position_ids", None))
            rules.append(Rule(f"{prefix}text_projection", projection))
        return rules

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read widths, layers, vocabulary and length from the shapes."""
        vocabulary, width = shapes["embeddings.token_embedding.weight"]
        return {
            "vocab_size": vocabulary,
            "hidden_size": width,
            "intermediate_size": shapes["encoder.layers.0.mlp.fc1.weight"][0],
            "num_hidden_layers": count(shapes, "encoder.layers"),
            "num_attention_heads": max(width // HEAD_WIDTH, 1),
            "max_position_embeddings": shapes["embeddings.position_embedding.weight"][0],
            "projection_dim": shapes["text_projection.weight"][0] if self.projection else width,
            "hidden_act": self.activation,
        }

    def build(self, config: Config) -> nn.Module:
        """Build a CLIPTextModel, or the one with a projection."""
        from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

        settings = CLIPTextConfig.from_dict(dict(config))
        module: nn.Module = CLIPTextModelWithProjection(settings) if self.projection else CLIPTextModel(settings)
        return module

    def names_in(self, module: nn.Module, names: Iterable[str]) -> dict[str, str]:
        """Put `text_model.` before the names where this version of transformers does."""
        prefixed = any(name.startswith("text_model.") for name in module.state_dict())
        if not prefixed:
            return super().names_in(module, names)
        return {name if name.startswith("text_projection.") else f"text_model.{name}": name for name in names}


def _open_clip(shapes: Shapes, skip_last: int) -> Iterator[Rule]:
    yield from rename("", "", OPEN_CLIP_ENDS)
    layers = count(shapes, "transformer.resblocks")
    for index in range(layers):
        here, there = f"transformer.resblocks.{index}", f"encoder.layers.{index}"
        if index >= layers - skip_last:
            yield Rule(here, None)
            continue
        yield from rename(here, there, OPEN_CLIP_LAYER)
        for kind in ("weight", "bias"):
            fused = tuple(f"{there}.self_attn.{matrix}_proj.{kind}" for matrix in "qkv")
            yield Rule(f"{here}.attn.in_proj_{kind}", fused)
