"""ControlNets for Stable Diffusion 3 and 3.5: transformer blocks that read a picture's latent, in diffusers' names.

Those of InstantX (2024) read the prompt as well. Those that Stability AI made for 3.5 large do not, and take the
positions of the denoiser itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isqrt
from typing import TYPE_CHECKING, Any

from graphgen_nodes.checkpoints.keys import Rule
from graphgen_nodes.checkpoints.layouts.architecture import SAME, Shapes, count
from graphgen_nodes.checkpoints.layouts.control import ControlArchitecture, Hint, check_channels, whole
from graphgen_nodes.checkpoints.layouts.mmdit import HEAD_WIDTH
from graphgen_nodes.checkpoints.parts import Config
from graphgen_nodes.sockets import Reads

if TYPE_CHECKING:
    from torch import nn

POSITIONS = "pos_embed.pos_embed"
CONTEXT = "context_embedder.weight"


class ControlMMDiT(ControlArchitecture):
    """diffusers' SD3ControlNetModel."""

    classes = ("SD3ControlNetModel",)

    def rules(self, shapes: Shapes) -> list[Rule]:  # noqa: ARG002
        """Return that all names stay."""
        return [SAME]

    def config(self, shapes: Shapes) -> dict[str, object]:
        """Read depth, widths, channels and what is read besides the picture from the shapes.

        They do not tell whether the pooled prompt is read and the latent shifted: not by those that read the prompt.
        """
        width, taken, patch, _ = shapes["pos_embed_input.proj.weight"]
        depth = count(shapes, "transformer_blocks")
        head = shapes.get("transformer_blocks.0.attn.norm_q.weight", (HEAD_WIDTH,))[0]
        channels = shapes["pos_embed.proj.weight"][1] if POSITIONS in shapes else taken
        context = shapes.get(CONTEXT)
        return {
            "patch_size": patch,
            "in_channels": channels,
            "out_channels": channels,
            "extra_conditioning_channels": taken - channels,
            "num_layers": depth,
            "attention_head_dim": head,
            "num_attention_heads": width // head,
            "joint_attention_dim": context[1] if context else None,
            "caption_projection_dim": context[0] if context else width,
            "pooled_projection_dim": shapes["time_text_embed.text_embedder.linear_1.weight"][1],
            "pos_embed_max_size": isqrt(shapes[POSITIONS][1]) if POSITIONS in shapes else None,
            "use_pos_embed": POSITIONS in shapes,
            "dual_attention_layers": [i for i in range(depth) if f"transformer_blocks.{i}.attn2.to_q.weight" in shapes],
            "qk_norm": "rms_norm" if "transformer_blocks.0.attn.norm_q.weight" in shapes else None,
            "force_zeros_for_pooled_projection": context is not None,
        }

    def build(self, config: Config) -> nn.Module:
        """Build an SD3ControlNetModel."""
        from diffusers import SD3ControlNetModel

        module: nn.Module = SD3ControlNetModel.from_config(dict(config))
        return module

    def reads(self, config: Config) -> Reads:
        """Return that it reads latents, which those that are told neither a pooled prompt nor a mask want unshifted."""
        channels, masked = whole(config, "in_channels", 16), self.masked(config)
        check_channels(channels + whole(config, "extra_conditioning_channels") - masked, channels)
        pooled = not config.get("force_zeros_for_pooled_projection", True)
        return "latents" if pooled or masked else "unshifted latents"

    def masked(self, config: Config) -> bool:
        """Return whether it has a channel for a mask, as that of alimama (2024) for inpainting."""
        return whole(config, "extra_conditioning_channels") == 1

    def width(self, config: Config) -> int:
        """Return the prompt's width; 0 for one that reads none."""
        return whole(config, "joint_attention_dim", 4096)

    def steer(
        self, network: nn.Module, denoiser: nn.Module, args: tuple[Any, ...], given: Mapping[str, Any], hint: Hint
    ) -> Mapping[str, Any]:
        """Return what is added to the picture's stream after each of the denoiser's blocks."""
        asked: Any = network
        steered: Any = denoiser
        pooled = given["pooled_projections"]
        told = {"timestep": given["timestep"], "pooled_projections": pooled}
        if asked.config.force_zeros_for_pooled_projection:
            told["pooled_projections"] = pooled.new_zeros(pooled.shape)
        if asked.context_embedder is not None:
            told["encoder_hidden_states"] = given["encoder_hidden_states"]
        seen = args[0] if asked.pos_embed is not None else steered.pos_embed(args[0])
        (added,) = asked(
            seen, controlnet_cond=hint.picture, conditioning_scale=hint.strength, **told, return_dict=False
        )
        blocks = len(steered.transformer_blocks)
        return {"block_controlnet_hidden_states": [added[index * len(added) // blocks] for index in range(blocks)]}
