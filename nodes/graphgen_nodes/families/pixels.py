"""Models over pixels that are told nothing but the noise level: DDPM (Ho et al. 2020), NCSN++ (Song et al. 2021).

They have no autoencoder: their latents are the pictures, in the range that the network was trained on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from graphgen import Facts
from graphgen_nodes.checkpoints.layouts.ncsnpp import ScoreUNet, is_release
from graphgen_nodes.checkpoints.layouts.pixel_unet import PixelUNet
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.families.family import Family, Slot, told
from graphgen_nodes.sampling import schedules
from graphgen_nodes.sampling.paths import Path, VarianceExploding, VariancePreserving
from graphgen_nodes.sockets import LatentFormat, Prediction, Schedule, Unconditional

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphgen_nodes.sockets import Conditioning

FOURIER = "time_proj.weight"
"""The random frequencies by which NCSN++ embeds the noise level; DDPM has fixed ones and stores none."""

PLAIN = ("conv_in.weight", "time_embedding.linear_1.weight", "down_blocks.0.resnets.0.conv1.weight")

SAMPLING_EPS = 1e-5
"""The last time of the SDE that NCSN++ is told while sampling, as its release has it."""


class PixelFamily(Family):
    """What models over pixels share."""

    latent_family = "pixels"

    def wants(self, config: Config) -> Facts:
        """Return that it is told nothing, and what its levels can halve."""
        levels = config.get("block_out_channels")
        halvings = len(levels) - 1 if isinstance(levels, list) else 0
        return {"embedding": 0, "pooled": 0, "multiple": 2**halvings}

    def predict(self, network: nn.Module, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the UNet."""
        told(conditioning, Unconditional)
        found: Tensor = network(x, timestep, return_dict=False)[0]
        return found


class DDPM(PixelFamily):
    """Denoising diffusion probabilistic models, which predict the noise in pictures of -1..1."""

    name = "ddpm"
    title = "DDPM"
    denoiser = Slot("unet", ("unet", "denoiser"), PixelUNet())

    def is_denoiser(self, part: Part) -> bool:
        """Recognise the release's names, or a UNet that is told nothing, whose frequencies are not stored."""
        return "temb.dense.0.weight" in part.shapes or (_is_plain(part) and FOURIER not in part.shapes)

    def latent_format(self, autoencoder: Part | None, channels: int) -> LatentFormat:  # noqa: ARG002
        """Return pixels in -1..1."""
        return LatentFormat(self.latent_family, channels, scale=1.0, shift=0.0, downscale=1)

    def usual_path(self) -> Path:
        """Return the linear betas of the paper."""
        return VariancePreserving(0.0001, 0.02, "linear", 1000)

    def usual_prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction | None:  # noqa: ARG002
        """Return epsilon, as in the paper."""
        return "epsilon"

    def schedule(self, path: Path, steps: int, *, cells: int | None = None) -> Schedule:  # noqa: ARG002
        """Return steps that count up from timestep 0, as DDPMPipeline's scheduler does."""
        return schedules.default(path, steps, steps_offset=0)


class NCSNpp(PixelFamily):
    """NCSN++, which predicts the score of pictures of 0..1 along a variance-exploding SDE."""

    name = "ncsnpp"
    title = "NCSN++"
    # x reaches sigma_max, which is beyond what half precision can tell apart
    denoiser = Slot("unet", ("unet", "denoiser"), ScoreUNet(), half="float32")

    def is_denoiser(self, part: Part) -> bool:
        """Recognise the release's row of modules, or a UNet that is told nothing, with random frequencies."""
        return is_release(part.shapes) or (_is_plain(part) and FOURIER in part.shapes)

    def latent_format(self, autoencoder: Part | None, channels: int) -> LatentFormat:  # noqa: ARG002
        """Return pixels in 0..1."""
        return LatentFormat(self.latent_family, channels, scale=0.5, shift=-1.0, downscale=1)

    def usual_path(self) -> Path:
        """Return the levels of the release's CIFAR-10 models."""
        return VarianceExploding(0.01, 50.0)

    def prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction:  # noqa: ARG002
        """Return the score: the family never predicts anything else."""
        return "score"

    def path(self, scheduler: Config | None, prediction: Prediction, config: Config) -> Path:  # noqa: ARG002
        """Return the levels that scheduler_config.json gives or the release's file holds, or the usual ones."""
        ends = [{**config, **(scheduler or {})}.get(name) for name in ("sigma_min", "sigma_max")]
        low, high = (float(end) if isinstance(end, int | float) else 0.0 for end in ends)
        return VarianceExploding(low, high) if 0 < low < high else self.usual_path()

    def schedule(self, path: Path, steps: int, *, cells: int | None = None) -> Schedule:  # noqa: ARG002
        """Return levels spaced evenly in log sigma; the network is told those of times from 1 to SAMPLING_EPS."""
        found = schedules.exponential(path, steps)
        times = [1 - k * (1 - SAMPLING_EPS) / max(steps - 1, 1) for k in range(steps)]
        return replace(found, timesteps=tuple(path.sigma_at_share(time) for time in times))


def _is_plain(part: Part) -> bool:
    """Tell whether a part is a UNet under diffusers' names, without cross-attention and class labels."""
    others = ("class_embedding.", "add_embedding.")
    if any(".attn2." in name or name.startswith(others) for name in part.shapes):
        return False
    return all(name in part.shapes for name in PLAIN)


FAMILIES = (DDPM(), NCSNpp())
