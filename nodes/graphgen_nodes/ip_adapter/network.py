"""The network of an IP-Adapter (Ye et al. 2023): pictures to tokens, and tokens to keys and values of each layer."""

from __future__ import annotations

from typing import Any, cast

from torch import Tensor, nn

from graphgen_nodes.checkpoints.layouts.ip_adapter import HEAD_WIDTH
from graphgen_nodes.checkpoints.parts import Config


class AdapterNetwork(nn.Module):
    """`projection` makes tokens of pictures, `to_k` and `to_v` have a matrix for each attention that is added to."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        context, layers, bias = _whole(config, "context"), cast("list[int]", config["layers"]), bool(config["bias"])
        self.projection = _projection(config, context)
        self.to_k = nn.ModuleList(nn.Linear(context, width, bias=bias) for width in layers)
        self.to_v = nn.ModuleList(nn.Linear(context, width, bias=bias) for width in layers)

    def forward(self, read: Tensor) -> Tensor:
        """Return tokens `[pictures, tokens, context]` from what the adapter reads, `[pictures, (patches,) width]`."""
        tokens: Tensor = self.projection(read)
        return tokens


class FaceAdapterNetwork(AdapterNetwork):
    """An adapter that makes tokens of a face as two networks read it."""

    def of_faces(self, faces: Tensor, read: Tensor, *, shortcut: bool) -> Tensor:
        """Return tokens `[pictures, tokens, context]` of `faces[pictures, face]` and `read[pictures, patches, width]`.

        `shortcut`: what the face says by itself is added, as the adapter's second version was trained.
        """
        made: Any = self.projection
        own: Tensor = made.norm(made.proj(faces).reshape(-1, made.num_tokens, made.embed_dim))
        states, tokens = made.proj_in(read), own
        for layer in made.layers:
            tokens = layer(states, tokens, tokens)
        tokens = made.norm_out(made.proj_out(tokens))
        found: Tensor = own + tokens if shortcut else tokens
        return found


class TimedAdapterNetwork(AdapterNetwork):
    """An adapter whose tokens change with the time, and which norms what it asks and answers with."""

    def __init__(self, config: Config) -> None:
        from diffusers.models.normalization import AdaLayerNorm, RMSNorm

        super().__init__(config)
        context, inner, head = (_whole(config, name) for name in ("context", "inner", "head"))
        count = len(cast("list[int]", config["layers"]))
        self.norm_ip = nn.ModuleList(
            AdaLayerNorm(inner, output_dim=2 * context, norm_eps=1e-6, chunk_dim=1) for _ in range(count)
        )
        self.norm_q, self.norm_k, self.norm_ip_k = (
            nn.ModuleList(RMSNorm(head, 1e-6) for _ in range(count)) for _ in range(3)
        )

    def at(self, read: Tensor, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens `[pictures, tokens, context]` at a time `[pictures]`, and its embedding `[pictures, inner]`."""
        tokens, embedding = self.projection(read, timestep)
        return tokens, embedding

    def answers(self, index: int, tokens: Tensor, embedding: Tensor) -> tuple[Tensor, Tensor]:
        """Return the keys and values of layer `index` for tokens at a time, both `[pictures, tokens, width]`."""
        normed = self.norm_ip[index](tokens, temb=embedding)
        return self.to_k[index](normed), self.to_v[index](normed)


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
    elif config["kind"] == "faceid_plus":
        made = embeddings.IPAdapterFaceIDPlusImageProjection(
            embed_dims=_whole(config, "inner"),
            output_dims=context,
            hidden_dims=width,
            id_embeddings_dim=_whole(config, "face"),
            depth=_whole(config, "depth"),
            dim_head=HEAD_WIDTH,
            heads=_whole(config, "heads"),
            num_tokens=tokens,
            ffn_ratio=_whole(config, "mult"),
            ffproj_ratio=_whole(config, "face_mult"),
        )
    elif config["kind"] == "timed":
        made = embeddings.IPAdapterTimeImageProjection(
            embed_dim=width,
            output_dim=context,
            hidden_dim=_whole(config, "inner"),
            depth=_whole(config, "depth"),
            dim_head=HEAD_WIDTH,
            heads=_whole(config, "heads"),
            num_queries=tokens,
            ffn_ratio=_whole(config, "mult"),
            timestep_in_dim=_whole(config, "time"),
        )
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
