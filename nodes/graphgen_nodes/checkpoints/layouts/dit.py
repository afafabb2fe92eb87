"""The diffusion transformer of Peebles and Xie (2023), over latents cut into patches and a class label.

The release keeps one embedding of timestep and label for all blocks, where diffusers gives each block its own of equal
weights: every block gets the one tensor, which is kept in memory once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import isqrt
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import Tensor, nn

POSITIONS = "pos_embed.pos_embed"
"""The table of positions: a release stores it, and diffusers computes it."""

XL_WIDTH, XL_HEADS = 1152, 16
HEAD_WIDTH = 64
"""The width of a head in all published sizes but XL, which has 16 heads of 72; shapes do not show it."""

USUAL_SIDE = 32

ENDS = {
    "pos_embed": POSITIONS,
    "x_embedder.proj": "pos_embed.proj",
    "final_layer.adaLN_modulation.1": "proj_out_1",
    "final_layer.linear": "proj_out_2",
}
BLOCK = {
    "attn.proj": "attn1.to_out.0",
    "mlp.fc1": "ff.net.0.proj",
    "mlp.fc2": "ff.net.2",
    "adaLN_modulation.1": "norm1.linear",
}
EMBEDDINGS = {
    "t_embedder.mlp.0": "timestep_embedder.linear_1",
    "t_embedder.mlp.2": "timestep_embedder.linear_2",
    "y_embedder.embedding_table": "class_embedder.embedding_table",
}
TABLE = "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight"


class DiT(Architecture):
    """diffusers' DiTTransformer2DModel."""

    classes = ("DiTTransformer2DModel", "Transformer2DModel")

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table from `blocks`; diffusers' own names stay."""
        if "x_embedder.proj.weight" not in shapes:
            return [SAME]
        depth = count(shapes, "blocks")
        return [*rename("", "", ENDS), *_shared(depth), *(rule for index in range(depth) for rule in _block(index))]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read depth, widths, patch size, classes and, where the positions are stored, the latent's side."""
        width, channels, patch, _ = shapes["pos_embed.proj.weight"]
        heads = XL_HEADS if width == XL_WIDTH else max(width // HEAD_WIDTH, 1)
        positions = shapes.get(POSITIONS)
        return {
            "num_attention_heads": heads,
            "attention_head_dim": width // heads,
            "in_channels": channels,
            "out_channels": shapes["proj_out_2.weight"][0] // patch**2,
            "num_layers": count(shapes, "transformer_blocks"),
            "sample_size": isqrt(positions[1]) * patch if positions else USUAL_SIDE,
            "patch_size": patch,
            "num_embeds_ada_norm": shapes[TABLE][0] - 1,
        }

    def build(self, config: Config) -> nn.Module:
        """Build a DiTTransformer2DModel."""
        from diffusers import DiTTransformer2DModel

        module: nn.Module = DiTTransformer2DModel.from_config(dict(config))
        return module

    def names_in(self, module: nn.Module, names: Iterable[str]) -> dict[str, str]:  # noqa: ARG002
        """Return all names but that of the positions, which the network computes."""
        return {name: name for name in names if name != POSITIONS}

    def buffers(self, module: nn.Module) -> Mapping[str, Tensor]:
        """Return the table of positions."""
        from graphgen_nodes.networks.positions import sincos_positions

        _, positions, width = module.get_buffer(POSITIONS).shape
        return {POSITIONS: sincos_positions(width, isqrt(positions))}


def _shared(depth: int) -> Iterator[Rule]:
    for old, new in EMBEDDINGS.items():
        targets = tuple(f"transformer_blocks.{index}.norm1.emb.{new}" for index in range(depth))
        yield Rule(old, targets, shared=True)


def _block(index: int) -> Iterator[Rule]:
    here, there = f"blocks.{index}", f"transformer_blocks.{index}"
    for kind in ("weight", "bias"):
        yield Rule(f"{here}.attn.qkv.{kind}", tuple(f"{there}.attn1.to_{matrix}.{kind}" for matrix in "qkv"))
    yield from rename(here, there, BLOCK)
