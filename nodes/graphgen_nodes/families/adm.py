"""OpenAI's diffusion models over pixels, told a class or nothing (Nichol and Dhariwal 2021, Dhariwal and Nichol 2021).

They learned the variance of the reverse step beside the noise. Those told a class know no null class: what leads them
to it, where anything does, is a classifier.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from graphgen_nodes.checkpoints.layouts.adm import ADM, is_release
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.checkpoints.process import BETAS, number
from graphgen_nodes.families.family import Slot, told, whole
from graphgen_nodes.families.pixels import DDPM
from graphgen_nodes.sampling.paths import Path, VariancePreserving
from graphgen_nodes.sockets import LabelConditioning, Prediction, Unconditional

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphgen_nodes.sockets import Conditioning

OUT, IN = "out.2.weight", "input_blocks.0.0.weight"


class AblatedDiffusion(DDPM):
    """Guided-diffusion's and improved-diffusion's networks, over pixels of -1..1."""

    name = "adm"
    title = "ADM (guided-diffusion, improved-diffusion)"
    denoiser = Slot("unet", ("denoiser",), ADM())
    null_class = False

    def is_denoiser(self, part: Part) -> bool:
        """Recognise OpenAI's row of blocks without a prompt."""
        return is_release(part.shapes)

    def usual_prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction | None:  # noqa: ARG002
        """Return epsilon for networks that learned a variance, as all that OpenAI published for sampling step by step.

        Consistency models have the same tensors without it.
        """
        learned = part.shapes[OUT][0] == 2 * part.shapes[IN][1]
        return "epsilon" if learned else None

    def path(self, scheduler: Config | None, prediction: Prediction, config: Config) -> Path:  # noqa: ARG002
        """Return the betas of the published model of the network's make."""
        steps, schedule = whole(config, "timesteps"), BETAS[str(config["beta_schedule"])]
        return VariancePreserving(0.1 / steps, 20 / steps, schedule, steps)

    def classes(self, config: Config) -> int:
        """Return how many classes there are."""
        return whole(config, "num_class_embeds")

    def predict(self, network: nn.Module, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the UNet.

        Raises:
            ValueError: the class is none of the network's.
        """
        config = cast(Config, network.config)  # diffusers' models have one
        labels = None
        if count := self.classes(config):
            labels = told(conditioning, LabelConditioning).labels
            if int(labels.max()) >= count:
                raise ValueError(
                    f"conditioning.labels: is {int(labels.max())}, but the network has classes 0 to {count - 1}"
                )
        else:
            told(conditioning, Unconditional)
        timestep = timestep * number(config, "timestep_scale", 1.0)
        found: Tensor = network(x, timestep, class_labels=labels, return_dict=False)[0]
        return found


FAMILIES = (AblatedDiffusion(),)
