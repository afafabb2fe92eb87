"""Stable Diffusion 1.x and 2.x (Rombach et al. 2022): a UNet over 4-channel latents, one CLIP text encoder.

The two differ in their text encoder (CLIP ViT-L; OpenCLIP ViT-H without its last layer), in their attention heads
(eight; one per 64 channels) and in that some 2.x models predict v. Fine-tunes of either may also predict a flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from graphgen import Facts
from graphgen_nodes.checkpoints.layouts.clip import ClipText
from graphgen_nodes.checkpoints.layouts.control_unet import ControlUNet
from graphgen_nodes.checkpoints.layouts.t2i_adapter import T2IAdapter
from graphgen_nodes.checkpoints.layouts.unet import UNet
from graphgen_nodes.checkpoints.layouts.vae import KLAutoencoder
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.families.family import BIG_G_WIDTH, Family, Slot, clip_width, downscale, said_number, told, whole
from graphgen_nodes.sampling.paths import Path, VariancePreserving
from graphgen_nodes.sockets import LatentFormat, Prediction, TextConditioning

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphgen_nodes.sockets import Conditioning
    from graphgen_nodes.text.reading import Reading

# where a UNet's innermost attention projects its input: a convolution in 1.x, a matrix in 2.x
PROJECTIONS = ("middle_block.1.proj_in.weight", "mid_block.attentions.0.proj_in.weight")
CONDITIONS = ("label_emb.0.0.weight", "add_embedding.linear_1.weight", "class_embedding.linear_1.weight")
TRAINING_BUFFERS = ("betas", "alphas_cumprod")


class StableDiffusion(Family):
    """What 1.x and 2.x share; `linear` tells them apart by the rank of the attention's input projection."""

    latent_family = "sd"
    latent_scale: ClassVar[float] = 0.18215
    """The inverse deviation of its latents."""
    linear: ClassVar[bool]
    autoencoder = Slot("vae", ("vae",), KLAutoencoder(), half="float32")
    latent_channels = 4

    def is_denoiser(self, part: Part) -> bool:
        """Recognise a UNet with cross-attention and no further condition (SDXL has one)."""
        shape = next((part.shapes[name] for name in PROJECTIONS if name in part.shapes), None)
        return shape is not None and (len(shape) == 2) is self.linear and not any(c in part.shapes for c in CONDITIONS)

    def is_control(self, slot: Slot, part: Part) -> bool:
        """Recognise ControlNets as the UNets they are copies of, adapters by how they fold pixels."""
        architecture = slot.architecture
        if isinstance(architecture, T2IAdapter):
            return part.kind in slot.kinds and architecture.fits(part)
        return super().is_control(slot, part)

    def latent_format(self, autoencoder: Part | None, channels: int) -> LatentFormat:
        """Return the format: with the release's scale unless config.json differs."""
        scale = said_number(autoencoder, "scaling_factor", self.latent_scale)
        shift = said_number(autoencoder, "shift_factor", 0.0)
        return LatentFormat(self.latent_family, channels, scale, shift, downscale(autoencoder))

    def usual_path(self) -> Path:
        """Return the scaled-linear betas of the release."""
        return VariancePreserving(0.00085, 0.012, "scaled_linear", 1000)

    def wants(self, config: Config) -> Facts:
        """Return the context's width; the UNet pads what its levels cannot halve, so any size will do."""
        return {"embedding": whole(config, "cross_attention_dim"), "pooled": 0, "multiple": 1}

    def gives(self, configs: Mapping[str, Config]) -> Facts:
        """Return CLIP's 77 tokens in its width; nothing pooled."""
        width = whole(configs.get("text_encoder"), "hidden_size")
        return {"tokens": self.texts[0].length, "embedding": width, "pooled": 0}

    def predict(self, network: nn.Module, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the UNet."""
        states = told(conditioning, TextConditioning).embeddings
        found: Tensor = network(x, timestep, encoder_hidden_states=states, return_dict=False)[0]
        return found

    def conditioning(self, read: Mapping[str, Reading]) -> TextConditioning:
        """Return the text encoder's states after its final norm; nothing pooled."""
        return TextConditioning(self.name, read["text_encoder"].states)


class StableDiffusion1(StableDiffusion):
    """Stable Diffusion 1.x: CLIP ViT-L's text encoder, eight heads everywhere."""

    name = "sd1"
    title = "Stable Diffusion 1.x"
    linear = False
    denoiser = Slot("unet", ("unet", "denoiser"), UNet(heads=lambda channels: 8))  # noqa: ARG005
    controls = (
        Slot("controlnet", ("controlnet",), ControlUNet(heads=lambda channels: 8)),  # noqa: ARG005
        Slot("adapter", ("adapter",), T2IAdapter("full_adapter", unit=8)),
    )
    texts = (Slot("text_encoder", ("text_encoder", "clip_l", "clip"), ClipText("quick_gelu"), tokenizer="clip"),)

    def is_text(self, slot: Slot, part: Part) -> bool:  # noqa: ARG002 - there is one slot
        """Recognise CLIP under transformers' names, with its own activation where config.json tells."""
        return _is_transformers_clip(part) and (part.config or {}).get("hidden_act", "quick_gelu") == "quick_gelu"

    def usual_prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction | None:
        """Return epsilon for the published size, or where a diffusion trainer left its betas in the file.

        Every 1.x release predicts epsilon. A UNet of another size without betas might be anything.
        """
        first = part.shapes.get("input_blocks.0.0.weight") or part.shapes.get("conv_in.weight") or (0,)
        published = first[0] == 320
        return "epsilon" if published or any(name in checkpoint.markers for name in TRAINING_BUFFERS) else None


class StableDiffusion2(StableDiffusion):
    """Stable Diffusion 2.x: OpenCLIP ViT-H's text encoder up to its last layer but one, 64 channels per head."""

    name = "sd2"
    title = "Stable Diffusion 2.x"
    linear = True
    denoiser = Slot("unet", ("unet", "denoiser"), UNet(heads=lambda channels: max(channels // 64, 1)))
    controls = (Slot("controlnet", ("controlnet",), ControlUNet(heads=lambda channels: max(channels // 64, 1))),)
    texts = (Slot("text_encoder", ("text_encoder", "openclip"), ClipText("gelu", skip_last=1), tokenizer="openclip"),)

    def is_text(self, slot: Slot, part: Part) -> bool:  # noqa: ARG002 - there is one slot
        """Recognise OpenCLIP's names, or transformers' with OpenCLIP's activation."""
        if "transformer.resblocks.0.attn.in_proj_weight" in part.shapes:
            return clip_width(part) != BIG_G_WIDTH
        return _is_transformers_clip(part) and (part.config or {}).get("hidden_act") == "gelu"


def _is_transformers_clip(part: Part) -> bool:
    named = any(name.endswith("embeddings.token_embedding.weight") for name in part.shapes)
    return named and clip_width(part) != BIG_G_WIDTH


FAMILIES = (StableDiffusion1(), StableDiffusion2())
