"""DiT (Peebles and Xie 2023): a transformer over Stable Diffusion's latents that is told a class label.

It learned the variance of the reverse step beside the noise, and a null class for guidance, the one after the last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphgen import Facts
from graphgen_nodes.checkpoints.layouts.dit import TABLE, DiT
from graphgen_nodes.checkpoints.layouts.vae import KLAutoencoder
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.families.family import Family, Slot, downscale, said_number, told, whole
from graphgen_nodes.sampling import schedules
from graphgen_nodes.sampling.paths import Path, VariancePreserving
from graphgen_nodes.sockets import LabelConditioning, LatentFormat, Prediction, Schedule

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphgen_nodes.sockets import Conditioning


class DiffusionTransformer(Family):
    """DiT in all sizes, of ImageNet's 1000 classes or others."""

    name = "dit"
    title = "DiT"
    latent_family = "sd"
    denoiser = Slot("transformer", ("transformer", "denoiser"), DiT())
    autoencoder = Slot("vae", ("vae",), KLAutoencoder(), half="float32")
    latent_channels = 4

    def is_denoiser(self, part: Part) -> bool:
        """Recognise a table of class labels beside blocks that attend to the picture alone."""
        released = ("y_embedder.embedding_table.weight", "blocks.0.attn.qkv.weight")
        return TABLE in part.shapes or all(name in part.shapes for name in released)

    def latent_format(self, autoencoder: Part | None, channels: int) -> LatentFormat:
        """Return the format of Stable Diffusion 1 unless config.json differs."""
        scale = said_number(autoencoder, "scaling_factor", 0.18215)
        shift = said_number(autoencoder, "shift_factor", 0.0)
        return LatentFormat(self.latent_family, channels, scale, shift, downscale(autoencoder))

    def usual_path(self) -> Path:
        """Return the linear betas of the release."""
        return VariancePreserving(0.0001, 0.02, "linear", 1000)

    def usual_prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction | None:  # noqa: ARG002
        """Return epsilon: the release never predicted anything else."""
        return "epsilon"

    def schedule(self, path: Path, steps: int, *, cells: int | None = None) -> Schedule:  # noqa: ARG002
        """Return steps that count up from timestep 0, as DiTPipeline's scheduler does."""
        return schedules.default(path, steps, steps_offset=0)

    def classes(self, config: Config) -> int:
        """Return how many classes there are, the null class not counted."""
        return whole(config, "num_embeds_ada_norm")

    def wants(self, config: Config) -> Facts:
        """Return that it reads no text, and the sizes it can take: squares of whole patches."""
        return {"embedding": 0, "pooled": 0, "multiple": whole(config, "patch_size"), "square": True}

    def predict(self, network: nn.Module, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the transformer."""
        labels = told(conditioning, LabelConditioning).labels
        found: Tensor = network(x, timestep=timestep, class_labels=labels, return_dict=False)[0]
        return found


FAMILIES = (DiffusionTransformer(),)
