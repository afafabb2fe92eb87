"""Stable Diffusion 3 and 3.5 (Esser et al. 2024): a multimodal transformer that predicts a flow's velocity.

Sixteen latent channels; up to three text encoders (CLIP ViT-L, OpenCLIP bigG, T5-XXL, of which the last may be
missing). Its tokens are the two CLIPs' side by side, padded with zeros to T5's width, and then T5's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphgen import Facts
from graphgen_nodes.checkpoints.layouts.clip import ClipText
from graphgen_nodes.checkpoints.layouts.control_mmdit import ControlMMDiT
from graphgen_nodes.checkpoints.layouts.mmdit import MMDiT
from graphgen_nodes.checkpoints.layouts.t5 import T5Encoder
from graphgen_nodes.checkpoints.layouts.vae import KLAutoencoder
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.families.family import (
    Family,
    Slot,
    downscale,
    fits_clip,
    is_scaled_by,
    is_t5,
    said_number,
    told,
    whole,
)
from graphgen_nodes.sampling.paths import Flow, Path
from graphgen_nodes.sockets import LatentFormat, Prediction, TextConditioning

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphgen_nodes.sockets import Conditioning
    from graphgen_nodes.text.reading import Reading

T5_WIDTH, T5_TOKENS = 4096, 256
SCALE, SHIFT = 1.5305, 0.0609


class StableDiffusion3(Family):
    """Stable Diffusion 3 and 3.5, all sizes."""

    name = "sd3"
    title = "Stable Diffusion 3"
    latent_family = "sd3"
    denoiser = Slot("transformer", ("transformer", "denoiser"), MMDiT())
    texts = (
        Slot("text_encoder", ("text_encoder", "clip_l"), ClipText("quick_gelu", projection=True), "clip", layer=2),
        Slot("text_encoder_2", ("text_encoder_2", "clip_g"), ClipText("gelu", projection=True), "openclip", layer=2),
        # T5-XXL's activations exceed float16's range
        Slot("text_encoder_3", ("text_encoder_3", "t5xxl"), T5Encoder(), "t5", "bfloat16", T5_TOKENS, optional=True),
    )
    controls = (Slot("controlnet", ("controlnet",), ControlMMDiT()),)
    autoencoder = Slot("vae", ("vae",), KLAutoencoder(), half="float32")
    latent_channels = 16

    def is_denoiser(self, part: Part) -> bool:
        """Recognise joint blocks under the release's or diffusers' names, with a position table (Flux has none)."""
        renamed = ("transformer_blocks.0.attn.add_q_proj.weight", "pos_embed.pos_embed")
        return "joint_blocks.0.x_block.attn.qkv.weight" in part.shapes or all(name in part.shapes for name in renamed)

    def is_control(self, slot: Slot, part: Part) -> bool:
        """Recognise what embeds a picture's latent in patches."""
        return part.kind in slot.kinds and "pos_embed_input.proj.weight" in part.shapes

    def is_autoencoder(self, part: Part) -> bool:
        """Recognise sixteen latent channels, and the family's scale where config.json tells."""
        return super().is_autoencoder(part) and is_scaled_by(part, SCALE)

    def is_text(self, slot: Slot, part: Part) -> bool:
        """Recognise T5 by its names, and the two CLIPs by what they are called or by their published widths."""
        if is_t5(part):
            return slot.tokenizer == "t5"
        return part.kind in slot.kinds if slot.tokenizer == "t5" else fits_clip(slot, part)

    def latent_format(self, autoencoder: Part | None, channels: int) -> LatentFormat:
        """Return the format: scale 1.5305 and shift 0.0609 unless config.json differs."""
        scale = said_number(autoencoder, "scaling_factor", SCALE)
        shift = said_number(autoencoder, "shift_factor", SHIFT)
        return LatentFormat(self.latent_family, channels, scale, shift, downscale(autoencoder))

    def usual_path(self) -> Path:
        """Return a flow with the shift 3 that all releases recommend."""
        return Flow(shift=3.0, timesteps=1000)

    def usual_prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction | None:  # noqa: ARG002
        """Return flow: the family has never been anything else."""
        return "flow"

    def wants(self, config: Config) -> Facts:
        """Return the widths of its two text inputs, and the sizes that its patches and its position table allow."""
        patch = whole(config, "patch_size")
        return {
            "embedding": whole(config, "joint_attention_dim"),
            "pooled": whole(config, "pooled_projection_dim"),
            "multiple": patch,
            "most_cells": patch * whole(config, "pos_embed_max_size"),
        }

    def gives(self, configs: Mapping[str, Config]) -> Facts:
        """Return the CLIPs' tokens and T5's in the width of T5, and the CLIPs' projections side by side."""
        first, second, t5 = (configs.get(slot.part) for slot in self.texts)
        return {
            "tokens": self.texts[0].length + T5_TOKENS,
            "embedding": T5_WIDTH if t5 is None else whole(t5, "d_model"),
            "pooled": whole(first, "projection_dim") + whole(second, "projection_dim"),
        }

    def predict(self, network: nn.Module, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the transformer."""
        words = told(conditioning, TextConditioning)
        found: Tensor = network(
            x,
            encoder_hidden_states=words.embeddings,
            pooled_projections=words.pooled,
            timestep=timestep,
            return_dict=False,
        )[0]
        return found

    def conditioning(self, read: Mapping[str, Reading]) -> TextConditioning:
        """Return CLIP tokens (the states before each last layer) and T5 tokens, and the projected CLIP outputs."""
        import torch

        first, second, *t5 = (read[slot.part] for slot in self.texts if slot.part in read)
        clip = torch.cat([first.states, second.states], dim=-1)
        tokens = t5[0].states if t5 else clip.new_zeros(len(clip), T5_TOKENS, T5_WIDTH)
        padded = torch.nn.functional.pad(clip, (0, tokens.shape[-1] - clip.shape[-1]))
        pooled = [found.pooled for found in (first, second) if found.pooled is not None]
        return TextConditioning(self.name, torch.cat([padded, tokens], dim=1), torch.cat(pooled, dim=-1))


FAMILIES = (StableDiffusion3(),)
