"""T5's encoder (Raffel et al. 2020), version 1.1 with gated GELU: the XXL of SD3 and Flux.

The release's names are transformers' own; only the prefix differs, and the word embedding may be stored under either
of its two names.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Architecture, Shapes, count, rename
from graphgen_nodes.checkpoints.parts import Config

if TYPE_CHECKING:
    from torch import nn

ATTENTION = "encoder.block.0.layer.0.SelfAttention"
EMBEDDING, TIED = "shared.weight", "encoder.embed_tokens.weight"

GGUF_ENDS = {"token_embd": "shared", "enc.output_norm": "encoder.final_layer_norm"}
GGUF = {
    **{f"attn_{matrix}": f"layer.0.SelfAttention.{matrix}" for matrix in "qkvo"},
    "attn_rel_b": "layer.0.SelfAttention.relative_attention_bias",
    "attn_norm": "layer.0.layer_norm",
    "ffn_norm": "layer.1.layer_norm",
    "ffn_gate": "layer.1.DenseReluDense.wi_0",
    "ffn_up": "layer.1.DenseReluDense.wi_1",
    "ffn_down": "layer.1.DenseReluDense.wo",
}


class T5Encoder(Architecture):
    """transformers' T5EncoderModel."""

    classes = ("T5EncoderModel",)

    def rules(self, shapes: Shapes) -> list[Rule]:
        """Return the table: the embedding once, the rest as it is, with or without `transformer.` before it.

        llama.cpp's names (`enc.blk.0.attn_q`) are those of GGUF files.
        """
        if blocks := count(shapes, "enc.blk"):
            ends = rename("", "", GGUF_ENDS)
            return [
                *ends,
                *(rule for k in range(blocks) for rule in rename(f"enc.blk.{k}", f"encoder.block.{k}", GGUF)),
            ]
        rules = [SAME, Rule("transformer", ""), Rule("logit_scale", None), Rule("spiece_model", None)]
        for prefix in ("", "transformer."):
            both = f"{prefix}{EMBEDDING}" in shapes
            rules.append(Rule(f"{prefix}{TIED}", None if both else EMBEDDING))
        return rules

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read widths, heads, layers and vocabulary from the shapes; the bias table has a column per head."""
        vocabulary, width = shapes[EMBEDDING]
        buckets, heads = shapes[f"{ATTENTION}.relative_attention_bias.weight"]
        return {
            "vocab_size": vocabulary,
            "d_model": width,
            "d_kv": shapes[f"{ATTENTION}.q.weight"][0] // heads,
            "d_ff": shapes["encoder.block.0.layer.1.DenseReluDense.wo.weight"][1],
            "num_layers": count(shapes, "encoder.block"),
            "num_heads": heads,
            "relative_attention_num_buckets": buckets,
            "feed_forward_proj": "gated-gelu",
        }

    def build(self, config: Config) -> nn.Module:
        """Build a T5EncoderModel."""
        from transformers import T5Config, T5EncoderModel

        module: nn.Module = T5EncoderModel(T5Config.from_dict(dict(config)))
        return module

    def names_in(self, module: nn.Module, names: Iterable[str]) -> dict[str, str]:
        """Keep the names; the tied second name of the embedding is filled from the first."""
        found = super().names_in(module, names)
        return {TIED: EMBEDDING, **found} if TIED in module.state_dict() else found
