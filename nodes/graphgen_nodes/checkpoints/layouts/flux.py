"""The rectified flow transformer of Flux (Black Forest Labs 2024), dev and schnell.

The release fuses query, key and value in its double blocks, and these and the first matrix of the MLP in its single
blocks; it stores the shift of the output's modulation before its scale, where diffusers stores the scale first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import nn

MLP_RATIO = 4
"""How much wider than the stream the MLPs are: 4 in all releases."""

EMBEDDERS = {"time_in": "timestep_embedder", "vector_in": "text_embedder", "guidance_in": "guidance_embedder"}
ENDS = {
    "img_in": "x_embedder",
    "txt_in": "context_embedder",
    "final_layer.linear": "proj_out",
}
PICTURE = {
    "img_mod.lin": "norm1.linear",
    "img_attn.norm.query_norm.scale": "attn.norm_q.weight",
    "img_attn.norm.key_norm.scale": "attn.norm_k.weight",
    "img_attn.proj": "attn.to_out.0",
    "img_mlp.0": "ff.net.0.proj",
    "img_mlp.2": "ff.net.2",
}
TEXT = {
    "txt_mod.lin": "norm1_context.linear",
    "txt_attn.norm.query_norm.scale": "attn.norm_added_q.weight",
    "txt_attn.norm.key_norm.scale": "attn.norm_added_k.weight",
    "txt_attn.proj": "attn.to_add_out",
    "txt_mlp.0": "ff_context.net.0.proj",
    "txt_mlp.2": "ff_context.net.2",
}
SINGLE = {
    "modulation.lin": "norm.linear",
    "norm.query_norm.scale": "attn.norm_q.weight",
    "norm.key_norm.scale": "attn.norm_k.weight",
    "linear2": "proj_out",
}


class FluxTransformer(Architecture):
    """diffusers' FluxTransformer2DModel."""

    classes = ("FluxTransformer2DModel",)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from `double_blocks` and `single_blocks`; diffusers' own names stay."""
        if "img_in.weight" not in shapes:
            return [SAME]
        doubles, singles = count(shapes, "double_blocks"), count(shapes, "single_blocks")
        return [
            *rename("", "", ENDS),
            *(rule for name, embedder in EMBEDDERS.items() for rule in _embedder(name, embedder)),
            Rule("final_layer.adaLN_modulation.1", "norm_out.linear", swap=True),
            *(rule for index in range(doubles) for rule in _double(index)),
            *(rule for index in range(singles) for rule in _single(index)),
        ]

    def release_names(self, shapes: Shapes) -> Shapes:
        """Return a name of the release and one for each block."""
        doubles = (f"double_blocks.{index}.img_mod" for index in range(count(shapes, "transformer_blocks")))
        singles = (f"single_blocks.{index}.linear1" for index in range(count(shapes, "single_transformer_blocks")))
        return dict.fromkeys(("img_in.weight", *doubles, *singles), ())

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read depths, widths, channels and whether a guidance scale is embedded from the shapes."""
        return {**self.stream(shapes), "patch_size": 1, "out_channels": shapes["proj_out.weight"][0]}

    def stream(self, shapes: Shapes) -> dict[str, object]:
        """Return the configuration of what stands before the output, which a ControlNet is a copy of.

        The rotary positions take up an eighth of a head for the index and seven sixteenths each for row and column,
        as in the releases; shapes do not tell it.
        """
        width, channels = shapes["x_embedder.weight"]
        (head,) = shapes["transformer_blocks.0.attn.norm_q.weight"]
        return {
            "in_channels": channels,
            "num_layers": count(shapes, "transformer_blocks"),
            "num_single_layers": count(shapes, "single_transformer_blocks"),
            "attention_head_dim": head,
            "num_attention_heads": width // head,
            "joint_attention_dim": shapes["context_embedder.weight"][1],
            "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1],
            "guidance_embeds": "time_text_embed.guidance_embedder.linear_1.weight" in shapes,
            "axes_dims_rope": (head // 8, head * 7 // 16, head * 7 // 16),
        }

    def build(self, config: Config) -> nn.Module:
        """Build a FluxTransformer2DModel."""
        from diffusers import FluxTransformer2DModel

        module: nn.Module = FluxTransformer2DModel.from_config(dict(config))
        return module


def _embedder(name: str, embedder: str) -> Iterator[Rule]:
    layers = {"in_layer": "linear_1", "out_layer": "linear_2"}
    return rename(name, f"time_text_embed.{embedder}", layers)


def _double(index: int) -> Iterator[Rule]:
    here, there = f"double_blocks.{index}", f"transformer_blocks.{index}"
    for kind in ("weight", "bias"):
        fused = tuple(f"{there}.attn.to_{matrix}.{kind}" for matrix in "qkv")
        added = tuple(f"{there}.attn.add_{matrix}_proj.{kind}" for matrix in "qkv")
        yield Rule(f"{here}.img_attn.qkv.{kind}", fused)
        yield Rule(f"{here}.txt_attn.qkv.{kind}", added)
    yield from rename(here, there, PICTURE)
    yield from rename(here, there, TEXT)


def _single(index: int) -> Iterator[Rule]:
    here, there = f"single_blocks.{index}", f"single_transformer_blocks.{index}"
    for kind in ("weight", "bias"):
        fused = (*(f"{there}.attn.to_{matrix}.{kind}" for matrix in "qkv"), f"{there}.proj_mlp.{kind}")
        yield Rule(f"{here}.linear1.{kind}", fused, spans=(1, 1, 1, MLP_RATIO))
    yield from rename(here, there, SINGLE)
