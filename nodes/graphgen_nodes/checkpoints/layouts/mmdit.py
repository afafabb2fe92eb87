"""The multimodal diffusion transformer of Stable Diffusion 3 and 3.5 (Esser et al. 2024).

The release fuses query, key and value, names the two streams `x_block` and `context_block`, and stores the shift of
an output modulation before its scale where diffusers stores the scale first.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isqrt
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import nn

HEAD_WIDTH = 64
"""All published sizes have heads of this width; SD3.5's query norms show it, SD3's shapes do not."""

ENDS = {
    "pos_embed": "pos_embed.pos_embed",
    "x_embedder.proj": "pos_embed.proj",
    "t_embedder.mlp.0": "time_text_embed.timestep_embedder.linear_1",
    "t_embedder.mlp.2": "time_text_embed.timestep_embedder.linear_2",
    "y_embedder.mlp.0": "time_text_embed.text_embedder.linear_1",
    "y_embedder.mlp.2": "time_text_embed.text_embedder.linear_2",
    "context_embedder": "context_embedder",
    "final_layer.linear": "proj_out",
}
PICTURE = {
    "attn.proj": "attn.to_out.0",
    "attn.ln_q": "attn.norm_q",
    "attn.ln_k": "attn.norm_k",
    "attn2.proj": "attn2.to_out.0",
    "attn2.ln_q": "attn2.norm_q",
    "attn2.ln_k": "attn2.norm_k",
    "adaLN_modulation.1": "norm1.linear",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
}
TEXT = {
    "attn.proj": "attn.to_add_out",
    "attn.ln_q": "attn.norm_added_q",
    "attn.ln_k": "attn.norm_added_k",
    "mlp.fc1": "ff_context.net.0.proj",
    "mlp.fc2": "ff_context.net.2",
}


class MMDiT(Architecture):
    """diffusers' SD3Transformer2DModel."""

    classes = ("SD3Transformer2DModel",)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from `joint_blocks`; diffusers' own names stay."""
        if "x_embedder.proj.weight" not in shapes:
            return [SAME]
        depth = count(shapes, "joint_blocks")
        final = Rule("final_layer.adaLN_modulation.1", "norm_out.linear", swap=True)
        blocks = [rule for index in range(depth) for rule in _block(index, last=index == depth - 1)]
        return [*rename("", "", ENDS), final, *blocks]

    def release_names(self, shapes: Shapes) -> Shapes:
        """Return a name of the release and one for each block."""
        blocks = range(count(shapes, "transformer_blocks"))
        return dict.fromkeys(("x_embedder.proj.weight", *(f"joint_blocks.{index}.x_block" for index in blocks)), ())

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read depth, widths, patch size, positions, query norms and dual attention from the shapes."""
        width, channels, patch, _ = shapes["pos_embed.proj.weight"]
        depth = count(shapes, "transformer_blocks")
        head = shapes.get("transformer_blocks.0.attn.norm_q.weight")
        head_width = head[0] if head else HEAD_WIDTH
        dual = [i for i in range(depth) if f"transformer_blocks.{i}.attn2.to_q.weight" in shapes]
        return {
            "patch_size": patch,
            "in_channels": channels,
            "out_channels": shapes["proj_out.weight"][0] // patch**2,
            "num_layers": depth,
            "attention_head_dim": head_width,
            "num_attention_heads": width // head_width,
            "joint_attention_dim": shapes["context_embedder.weight"][1],
            "caption_projection_dim": shapes["context_embedder.weight"][0],
            "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1],
            "pos_embed_max_size": isqrt(shapes["pos_embed.pos_embed"][1]),
            "dual_attention_layers": dual,
            "qk_norm": "rms_norm" if head else None,
        }

    def build(self, config: Config) -> nn.Module:
        """Build an SD3Transformer2DModel."""
        from diffusers import SD3Transformer2DModel

        module: nn.Module = SD3Transformer2DModel.from_config(dict(config))
        return module


def _block(index: int, *, last: bool) -> Iterator[Rule]:
    here, there = f"joint_blocks.{index}", f"transformer_blocks.{index}"
    for kind in ("weight", "bias"):
        for attention in ("attn", "attn2"):
            fused = tuple(f"{there}.{attention}.to_{matrix}.{kind}" for matrix in "qkv")
            yield Rule(f"{here}.x_block.{attention}.qkv.{kind}", fused)
        added = tuple(f"{there}.attn.add_{matrix}_proj.{kind}" for matrix in "qkv")
        yield Rule(f"{here}.context_block.attn.qkv.{kind}", added)
    yield from rename(f"{here}.x_block", there, PICTURE)
    yield from rename(f"{here}.context_block", there, TEXT)
    # the last block only reads the text, so its modulation is an output's: shift, scale
    yield Rule(f"{here}.context_block.adaLN_modulation.1", f"{there}.norm1_context.linear", swap=last)
