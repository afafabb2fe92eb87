"""The network of an IP-Adapter (Ye et al. 2023): pictures to tokens, and tokens to keys and values of each layer."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from graphgen_nodes.checkpoints.layouts.ip_adapter import HEAD_WIDTH
from graphgen_nodes.checkpoints.parts import Config


class AdapterNetwork(nn.Module):
    """`projection` makes tokens of pictures, `to_k` and `to_v` have a matrix for each cross-attention of a UNet."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        context, layers = _whole(config, "context"), cast("list[int]", config["layers"])
        self.projection = _projection(config, context)
        self.to_k = nn.ModuleList(nn.Linear(context, width, bias=False) for width in layers)
        self.to_v = nn.ModuleList(nn.Linear(context, width, bias=False) for width in layers)

    def forward(self, read: Tensor) -> Tensor:
        """Return tokens `[pictures, tokens, context]` from what the adapter reads, `[pictures, (patches,) width]`."""
        tokens: Tensor = self.projection(read)
        return tokens


def _projection(config: Config, context: int) -> nn.Module:
    from diffusers.models import embeddings

    width, tokens = _whole(config, "width"), _whole(config, "tokens")
    made: nn.Module
    if config["kind"] == "plain":
        made = embeddings.ImageProjection(width, context, tokens)
    elif config["kind"] == "full":
        made = embeddings.IPAdapterFullImageProjection(width, context)
    elif config["kind"] == "faceid":
        made = embeddings.IPAdapterFaceIDImageProjection(width, context, _whole(config, "inner") / width, tokens)
    else:
        made = embeddings.IPAdapterPlusImageProjection(
            embed_dims=width,
            output_dims=context,
            hidden_dims=_whole(config, "inner"),
            depth=_whole(config, "depth"),
            dim_head=HEAD_WIDTH,
            heads=_whole(config, "heads"),
            num_queries=tokens,
            ffn_ratio=_whole(config, "mult"),
        )
    return made


def _whole(config: Config, name: str) -> int:
    return cast(int, config[name])
