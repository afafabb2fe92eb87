"""Flux.1 dev and schnell (Black Forest Labs 2024): a transformer over packed latents that predicts a flow's velocity.

Sixteen latent channels, of which the transformer sees 2 by 2 cells as one token; two text encoders, of which CLIP ViT-L
gives a pooled vector and T5-XXL the tokens. The dev model was distilled from guided sampling: it is told a guidance
scale, and its noise schedule shifts with the size of the picture. The schnell model does without both. The Kontext
model is the dev model's network, trained to see the tokens of a picture to refer to after those of the one it draws.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from graphgen import Facts
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.layouts.clip import ClipText
from graphgen_nodes.checkpoints.layouts.control_flux import ControlFlux
from graphgen_nodes.checkpoints.layouts.flux import FluxTransformer
from graphgen_nodes.checkpoints.layouts.t5 import T5Encoder
from graphgen_nodes.checkpoints.layouts.vae import KLAutoencoder
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.checkpoints.process import is_flow, number, steps
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
from graphgen_nodes.sampling import schedules
from graphgen_nodes.sampling.paths import Flow, Path, SizedFlow
from graphgen_nodes.sockets import GuidedConditioning, LatentFormat, Prediction, Schedule

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphgen_nodes.sockets import Conditioning
    from graphgen_nodes.text.reading import Reading

PATCH = 2
"""Cells of a latent to the side of a token."""

USUAL_GUIDANCE = 3.5
"""The guidance scale that the dev model is told where nothing else is wanted."""

SCALE, SHIFT = 0.3611, 0.1159

RELEASED = ("double_blocks.0.img_mod.lin.weight", "vector_in.in_layer.weight")
RENAMED = ("single_transformer_blocks.0.norm.linear.weight", "time_text_embed.text_embedder.linear_1.weight")
"""Tensors that its kin have not: Chroma has no modulation of its own in each block, Flux.2 no pooled text."""


class Flux(Family):
    """Flux.1 dev and schnell, told apart by the dev model's guidance embedding."""

    name = "flux"
    title = "Flux.1"
    latent_family = "flux"
    # activations exceed float16's range
    denoiser = Slot("transformer", ("transformer", "denoiser"), FluxTransformer(), half="bfloat16")
    texts = (
        Slot("text_encoder", ("text_encoder", "clip_l"), ClipText("quick_gelu"), "clip", layer=0),
        Slot("text_encoder_2", ("text_encoder_2", "t5xxl"), T5Encoder(), "t5", "bfloat16", 512),
    )
    controls = (Slot("controlnet", ("controlnet",), ControlFlux(), half="bfloat16"),)
    told_guidance = True
    sees_reference = True
    mask_channels = 64
    autoencoder = Slot("vae", ("vae",), KLAutoencoder(), half="float32")
    latent_channels = 16

    def is_denoiser(self, part: Part) -> bool:
        """Recognise double and single blocks under the release's or diffusers' names, each with its modulation."""
        return any(all(name in part.shapes for name in names) for names in (RELEASED, RENAMED))

    def is_control(self, slot: Slot, part: Part) -> bool:
        """Recognise what embeds the picture, under diffusers' name or XLabs'."""
        named = any(name in part.shapes for name in ("controlnet_x_embedder.weight", "pos_embed_input.weight"))
        return part.kind in slot.kinds and named

    def is_autoencoder(self, part: Part) -> bool:
        """Recognise sixteen latent channels, and Flux's scale where config.json tells."""
        return super().is_autoencoder(part) and is_scaled_by(part, SCALE)

    def is_text(self, slot: Slot, part: Part) -> bool:
        """Recognise T5 by its names, and CLIP ViT-L by what it is called or by its width."""
        if is_t5(part):
            return slot.tokenizer == "t5"
        return part.kind in slot.kinds if slot.tokenizer == "t5" else fits_clip(slot, part)

    def latent_format(self, autoencoder: Part | None, channels: int) -> LatentFormat:
        """Return the format: scale 0.3611 and shift 0.1159 unless config.json differs."""
        scale = said_number(autoencoder, "scaling_factor", SCALE)
        shift = said_number(autoencoder, "shift_factor", SHIFT)
        return LatentFormat(self.latent_family, channels, scale, shift, downscale(autoencoder))

    def channels(self, config: Config) -> tuple[int, int]:
        """Return a latent's channels: a token has those of its cells side by side."""
        taken = whole(config, "in_channels")
        return taken // PATCH**2, (whole(config, "out_channels") or taken) // PATCH**2

    def usual_path(self) -> Path:
        """Return the dev model's flow: mu 0.5 at 256 tokens and 1.15 at 4096."""
        return SizedFlow(cells=PATCH**2)

    def usual_prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction | None:  # noqa: ARG002
        """Return flow: the family has never been anything else."""
        return "flow"

    def path(self, scheduler: Config | None, prediction: Prediction, config: Config) -> Path:
        """Return the flow with the shift that scheduler_config.json tells, or that of dev or of schnell.

        Raises:
            CheckpointError: the scheduler shifts in a way that graphgen does not know.
        """
        if prediction != "flow":
            return super().path(scheduler, prediction, config)
        if scheduler is None or not is_flow(scheduler):
            return SizedFlow(cells=PATCH**2) if config.get("guidance_embeds") else Flow()
        timesteps = steps(scheduler, 1000)
        if not scheduler.get("use_dynamic_shifting"):
            return Flow(number(scheduler, "shift", 1.0), timesteps)
        if scheduler.get("time_shift_type", "exponential") != "exponential":
            raise CheckpointError(
                f"scheduler_config.json: time_shift_type is {scheduler['time_shift_type']!r}; "
                "graphgen knows exponential"
            )
        return SizedFlow(
            timesteps=timesteps,
            base_mu=number(scheduler, "base_shift", 0.5),
            most_mu=number(scheduler, "max_shift", 1.15),
            base_tokens=whole(scheduler, "base_image_seq_len") or 256,
            most_tokens=whole(scheduler, "max_image_seq_len") or 4096,
            cells=PATCH**2,
        )

    def schedule(self, path: Path, steps: int, *, cells: int | None = None) -> Schedule:
        """Space steps evenly over 1 to 0 and shift them once, by the latent's size where the model's shift follows it.

        Raises:
            ValueError: the shift follows a size that is not known.
        """
        if isinstance(path, Flow):
            return schedules.flow(path, steps, spacing="uniform", cells=cells)
        return super().schedule(path, steps)

    def wants(self, config: Config) -> Facts:
        """Return the widths of its two text inputs, the cells in a token's side, and whether guidance is embedded."""
        return {
            "embedding": whole(config, "joint_attention_dim"),
            "pooled": whole(config, "pooled_projection_dim"),
            "multiple": PATCH,
            "guidance": bool(config.get("guidance_embeds")),
        }

    def gives(self, configs: Mapping[str, Config]) -> Facts:
        """Return T5's tokens and CLIP's pooled vector."""
        return {
            "tokens": self.texts[1].length,
            "embedding": whole(configs.get("text_encoder_2"), "d_model"),
            "pooled": whole(configs.get("text_encoder"), "hidden_size"),
        }

    def predict(self, network: nn.Module, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the transformer on packed latents, and on those of a picture to refer to, if there is one, after them.

        Raises:
            ValueError: the latent's sides are odd, a guidance scale is given to a model that embeds none, or a picture
                to refer to to one that sees another one beside the latent.
        """
        import torch

        words = told(conditioning, GuidedConditioning)
        rows, columns = x.shape[-2] // PATCH, x.shape[-1] // PATCH
        tokens, places = with_reference(pack(x), positions(rows, columns), words.reference)
        found: Tensor = network(
            tokens,
            encoder_hidden_states=words.embeddings,
            pooled_projections=words.pooled,
            timestep=timestep / 1000,  # its embedder multiplies by 1000
            guidance=_guidance(network, words.guidance, timestep),
            img_ids=places.to(x.device),
            txt_ids=torch.zeros(words.embeddings.shape[1], 3, device=x.device),
            return_dict=False,
        )[0]
        return unpack(found[:, : rows * columns], rows, columns)

    def picture_beside(self, samples: Tensor, latent_format: LatentFormat) -> Tensor:  # noqa: ARG002
        """Return a picture's latent as it is, scaled: so Flux.1 Canny and Depth see theirs."""
        return samples

    def masked_beside(self, mask: Tensor, samples: Tensor, cell: int) -> Tensor:
        """Return the latent and the mask as Flux.1 Fill sees them: each of a cell's pixels is a channel."""
        import torch

        pixels = torch.nn.functional.pixel_unshuffle(mask, cell)
        return torch.cat([samples, pixels.expand(len(samples), -1, -1, -1)], dim=1)

    def conditioning(self, read: Mapping[str, Reading]) -> GuidedConditioning:
        """Return T5's last states and CLIP's pooled ones."""
        return GuidedConditioning(self.name, read["text_encoder_2"].states, read["text_encoder"].pooled)


def pack(latent: Tensor) -> Tensor:
    """Make tokens `[batch, rows * columns, 4 * channels]` of 2 by 2 cells of a latent.

    Raises:
        ValueError: its height or width is odd.
    """
    batch, channels, height, width = latent.shape
    if height % PATCH or width % PATCH:
        raise ValueError(
            f"latent: has {height} rows and {width} columns; Flux takes even numbers, so sides of pictures that are "
            "multiples of 16 pixels"
        )
    cells = latent.reshape(batch, channels, height // PATCH, PATCH, width // PATCH, PATCH)
    return cells.permute(0, 2, 4, 1, 3, 5).reshape(batch, -1, channels * PATCH**2)


def unpack(tokens: Tensor, rows: int, columns: int) -> Tensor:
    """Make a latent `[batch, channels, 2 * rows, 2 * columns]` of tokens: the inverse of `pack`."""
    cells = tokens.reshape(len(tokens), rows, columns, -1, PATCH, PATCH)
    return cells.permute(0, 3, 1, 4, 2, 5).reshape(len(tokens), -1, rows * PATCH, columns * PATCH)


def positions(rows: int, columns: int, picture: int = 0) -> Tensor:
    """Return each picture token's place `(picture, row, column)` for the rotary embedding, in the order of `pack`.

    The picture that is drawn is 0, one that is referred to 1 (Black Forest Labs 2025, FLUX.1 Kontext).
    """
    import torch

    own = torch.tensor([float(picture)])
    return torch.cartesian_prod(own, torch.arange(float(rows)), torch.arange(float(columns)))


def with_reference(tokens: Tensor, places: Tensor, reference: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return tokens and their places with those of a picture's scaled latent, to refer to, after them.

    Raises:
        ValueError: its sides are odd, or the network sees something else beside the latent.
    """
    import torch

    if reference is None:
        return tokens, places
    seen = pack(reference)
    if seen.shape[-1] != tokens.shape[-1]:
        raise ValueError(
            f"conditioning.reference: has {seen.shape[-1]} numbers to a token, but the network takes "
            f"{tokens.shape[-1]}, since it sees something beside the latent; take editing.reference out, or load "
            "Flux.1 Kontext"
        )
    rows, columns = reference.shape[-2] // PATCH, reference.shape[-1] // PATCH
    return torch.cat([tokens, seen], dim=1), torch.cat([places, positions(rows, columns, picture=1)])


def _guidance(network: Any, scale: float | None, timestep: Tensor) -> Tensor | None:
    """Return the guidance scale for each row, or None for a network that is told none."""
    import torch

    if network.config.guidance_embeds:
        return torch.full_like(timestep, USUAL_GUIDANCE if scale is None else scale)
    if scale is not None:
        raise ValueError(
            f"conditioning.guidance: is {scale:g}, but this model was not distilled to be told one (schnell was not); "
            "leave out text.guidance"
        )
    return None


FAMILIES = (Flux(),)
