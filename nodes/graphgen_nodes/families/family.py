"""What graphgen must know of a model family to run it; each family is one file beside this one.

A `Family` is an adapter: which networks it is made of and how they are recognised, what its latents look like, what
its conditioning is, and how its denoiser is called. Everything but the last two is torch-free, so that a workflow is
checked without torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

from graphgen import Facts
from graphgen_nodes.checkpoints.header import CheckpointError
from graphgen_nodes.checkpoints.layouts.architecture import Architecture
from graphgen_nodes.checkpoints.layouts.tiny_vae import TinyAutoencoder
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.checkpoints.process import noise_path, told_prediction
from graphgen_nodes.sampling import schedules
from graphgen_nodes.sampling.paths import Path
from graphgen_nodes.sockets import Beside, EmptyPrompt, LatentFormat, Prediction, Schedule

if TYPE_CHECKING:
    from torch import Tensor, nn

    from graphgen_nodes.sockets import Conditioning
    from graphgen_nodes.text.reading import Reading


@dataclass(frozen=True)
class Slot:
    """A place for a network in a family: `part` in diffusers' names, `kinds` it has in checkpoints, how it is built.

    `tokenizer` is the shipped one, for a text encoder whose checkpoint brings none; `length` is how many tokens it
    reads at a time. `layer` is which of a text encoder's layers its family listens to, counted from the end: 1 is the
    last, after its final norm, others are without; 0 is none, where only the pooled output is used. `half` is the
    number format that serves this network where half precision is wanted: float16 is finer, bfloat16 does not overflow.
    """

    part: str
    kinds: tuple[str, ...]
    architecture: Architecture
    tokenizer: Literal["clip", "openclip", "t5"] = "clip"
    half: Literal["float16", "bfloat16", "float32"] = "float16"
    length: int = 77
    optional: bool = False
    layer: int = 1

    @property
    def stretches(self) -> bool:
        """Tell whether a text encoder can read any number of tokens: T5 knows positions only relative to each other."""
        return self.tokenizer == "t5"

    @property
    def chunks(self) -> bool:
        """Tell whether a text encoder reads a long prompt in several chunks: CLIP, where its tokens are used."""
        return not self.stretches and self.layer > 0


TINY = Slot("tiny_vae", ("tiny_vae",), TinyAutoencoder(), half="float32")
"""The tiny autoencoder that may stand in for a family's own."""

READS_NONE = "guide it by a class label where it takes one, else by guiders.none with nothing wired to positive"
"""The cure where a prompt is meant for a model that reads no text."""


class Family(ABC):
    """One model family: subclass it in a file of this package and list an instance in that file's `FAMILIES`."""

    name: ClassVar[str]
    """What handles and conditionings carry: `sd1`, `sd3`."""
    title: ClassVar[str]
    """What people call it: `Stable Diffusion 3`."""
    latent_family: ClassVar[str]
    """The family of its latents, which several model families may share."""
    denoiser: Slot
    texts: tuple[Slot, ...] = ()
    """The text encoders, in the order that `encode` wants them; none where no text is read."""
    autoencoder: Slot | None = None
    """None where the denoiser works on pixels themselves."""
    latent_channels: ClassVar[int] = 0
    """By how many channels its autoencoder is recognised."""
    controls: tuple[Slot, ...] = ()
    """Networks, in files of their own, that make its denoiser follow a picture; each is a `ControlArchitecture`."""
    empty_prompt: ClassVar[EmptyPrompt] = "encoded"
    """What a prompt without words is to its denoiser, unless a folder's model_index.json says it."""
    null_class: ClassVar[bool] = True
    """Whether those of its denoisers that are told a class know one for no class, the one after the last."""
    picture_numbers: ClassVar[tuple[str, ...]] = ()
    """What `conditioning.size` can tell its denoiser, by that node's settings."""

    @property
    def slots(self) -> tuple[Slot, ...]:
        """Return the places of all networks there are."""
        autoencoders = (self.autoencoder, TINY) if self.autoencoder else ()
        return (self.denoiser, *self.texts, *autoencoders, *self.controls)

    mask_channels: ClassVar[int] = 1
    """The channels in which its inpainting networks see a mask."""
    sees_reference: ClassVar[bool] = False
    """Whether some of its denoisers see the tokens of a picture to refer to, in a `GuidedConditioning`."""
    told_guidance: ClassVar[bool] = False
    """Whether some of its denoisers were distilled to be told a guidance scale, in a `GuidedConditioning`."""

    # --- recognising -------------------------------------------------------------------------------------------------

    @abstractmethod
    def is_denoiser(self, part: Part) -> bool:
        """Tell, by names and shapes, whether a part is this family's denoising network."""

    def is_autoencoder(self, part: Part) -> bool:
        """Tell, by names and shapes, whether a part can be this family's autoencoder."""
        return part.shapes.get("decoder.conv_in.weight", (0, 0))[1] == self.latent_channels > 0

    def is_text(self, slot: Slot, part: Part) -> bool:  # noqa: ARG002
        """Tell, by names and shapes, whether a part can be this family's text encoder for a slot."""
        return False

    def is_control(self, slot: Slot, part: Part) -> bool:
        """Tell, by names and shapes, whether a part of a slot's kind steers this family's denoiser."""
        return part.kind in slot.kinds and self.is_denoiser(part)

    # --- what is known without running ------------------------------------------------------------------------------

    @abstractmethod
    def latent_format(self, autoencoder: Part | None, channels: int) -> LatentFormat:
        """Return the format of the latents: what the autoencoder's config.json says, else what is usual here."""

    @abstractmethod
    def usual_path(self) -> Path:
        """Return the noise process the family was trained with, for checkpoints that do not say."""

    def usual_prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction | None:  # noqa: ARG002
        """Return what the network predicts where the checkpoint says nothing; None where that would be a guess."""
        return None

    def prediction(self, checkpoint: Checkpoint, part: Part) -> Prediction:
        """Find what a checkpoint's network predicts.

        Raises:
            CheckpointError: nothing in the checkpoint tells; names the choices.
        """
        found = told_prediction(checkpoint) or self.usual_prediction(checkpoint, part)
        if found is None:
            raise CheckpointError(
                f"{checkpoint.path}: nothing in it tells what its network predicts ({self.title} networks of all kinds "
                "look alike); set prediction to epsilon, v or flow, as its makers say"
            )
        return found

    def path(self, scheduler: Config | None, prediction: Prediction, config: Config) -> Path:  # noqa: ARG002
        """Return the noise process, from a folder's scheduler_config.json or as usual for the family.

        `config` is the denoiser's configuration, for families whose members differ in it.
        """
        return noise_path(scheduler, prediction, self.usual_path())

    def schedule(self, path: Path, steps: int, *, cells: int | None = None) -> Schedule:  # noqa: ARG002
        """Return the steps that the family's own pipeline takes, for a latent of so many cells (None: not known)."""
        return schedules.default(path, steps)

    def classes(self, config: Config) -> int:  # noqa: ARG002
        """Return how many class labels a denoiser knows, from its configuration, the null class not counted."""
        return 0

    def channels(self, config: Config) -> tuple[int, int]:
        """Return how many channels of a latent a denoiser takes, and how many it gives, from its configuration."""
        return whole(config, "in_channels"), whole(config, "out_channels")

    def beside(self, config: Config) -> Beside | None:
        """Return what a denoiser sees beside the latent, from its configuration; None where that is not known.

        Inpainting networks take a mask and the latent of a masked picture, editing ones that of a picture, and others
        how far away each cell is.
        """
        taken, given = self.channels(config)
        if given and given in (taken, 2 * taken):  # twice as many are the prediction and a learned variance
            return "nothing"
        kinds: Mapping[int, Beside] = {given + self.mask_channels: "masked_picture", given: "picture", 1: "depth"}
        return kinds.get(taken - given) if self.texts and given else None

    @abstractmethod
    def wants(self, config: Config) -> Facts:
        """Return what a denoiser wants, from its configuration as shapes tell it.

        `embedding` and `pooled` are the widths of a conditioning (0: none), `multiple` what the sides of a latent must
        be multiples of, in cells, `most_cells` the longest side, where there is one, `square` whether they must be
        equal, and `guidance` whether the network is told a guidance scale.
        """

    def gives(self, configs: Mapping[str, Config]) -> Facts:  # noqa: ARG002
        """Return what the text encoders give, from their configurations by the slots' parts.

        `tokens` is a conditioning's length, `embedding` and `pooled` its widths (0: none).
        """
        return {}

    # --- running (torch from here on) --------------------------------------------------------------------------------

    @abstractmethod
    def predict(self, network: nn.Module, x: Tensor, timestep: Tensor, conditioning: Conditioning) -> Tensor:
        """Call the denoising network on `x[batch, channels, height, width]` and `timestep[batch]` in its own units."""

    def picture_beside(self, samples: Tensor, latent_format: LatentFormat) -> Tensor:
        """Return a picture's latent as editing networks see it: as the autoencoder gives it, unscaled.

        InstructPix2Pix (Brooks et al. 2023) learned it so.
        """
        return samples / latent_format.scale + latent_format.shift

    def masked_beside(self, mask: Tensor, samples: Tensor, cell: int) -> Tensor:  # noqa: ARG002
        """Return what inpainting networks see: a mask of the picture's pixels, one for each cell, and the latent.

        `mask[batch, 1, height, width]` is 1 where to paint, `samples[batch, channels, rows, columns]` the scaled latent
        of the picture that is left, `cell` how many pixels are to the side of a cell.
        """
        import torch

        cells = torch.nn.functional.interpolate(mask, size=samples.shape[-2:])
        return torch.cat([cells.expand(len(samples), -1, -1, -1), samples], dim=1)

    def conditioning(self, read: Mapping[str, Reading]) -> Conditioning:  # noqa: ARG002
        """Make a conditioning of the family's own class of what its text encoders said of a prompt.

        By the slots' parts; an optional encoder that the checkpoint lacks is not among them.

        Raises:
            ValueError: the family reads no text.
        """
        raise ValueError(f"encoder: {self.title} reads no text; {READS_NONE}")


AnyConditioning = TypeVar("AnyConditioning", bound="Conditioning")


def told(conditioning: Conditioning, kind: type[AnyConditioning]) -> AnyConditioning:
    """Return a conditioning as the kind that a family's network is told.

    Raises:
        ValueError: it is of another kind.
    """
    if not isinstance(conditioning, kind):
        raise ValueError(
            f"conditioning: is of kind {type(conditioning).__name__}, but this denoiser takes {kind.__name__}; "
            "make it with this model"
        )
    return conditioning


def find_part(checkpoint: Checkpoint, slot: Slot | None) -> Part | None:
    """Return the checkpoint's part for a slot, by the kinds the slot goes under; None where there is no slot."""
    if slot is None:
        return None
    return next((checkpoint.parts[kind] for kind in slot.kinds if kind in checkpoint.parts), None)


BIG_G_WIDTH = 1280
"""Numbers for a token in OpenCLIP bigG, by which it is told from other CLIPs."""

CALLED = ("clip_l", "clip_g", "text_encoder", "text_encoder_2", "text_encoder_3")
"""The kinds of parts whose name says already which text encoder they are."""


def clip_width(part: Part) -> int:
    """Return how many numbers a CLIP text encoder has for a token; 0 where a part is none."""
    return next((shape[-1] for name, shape in part.shapes.items() if name.endswith("token_embedding.weight")), 0)


def fits_clip(slot: Slot, part: Part) -> bool:
    """Tell whether a part is the CLIP, ViT-L or bigG, of a slot: by what it is called, else by its published width."""
    if part.kind in CALLED:
        return part.kind in slot.kinds
    width = clip_width(part)
    return width > 0 and (width == BIG_G_WIDTH) is (slot.tokenizer == "openclip")


def whole(config: Config | None, name: str) -> int:
    """Return a whole number from a configuration; 0 where there is none."""
    value = (config or {}).get(name)
    return value if isinstance(value, int) else 0


def said_number(part: Part | None, name: str, usual: float) -> float:
    """Return a number from a part's config.json, or what is usual."""
    value = (part.config or {}).get(name) if part is not None else None
    return float(value) if isinstance(value, int | float) else usual


def is_scaled_by(part: Part, usual: float) -> bool:
    """Tell whether an autoencoder's latents have a family's scale, or nothing says which they have."""
    return said_number(part, "scaling_factor", usual) == usual


T5_GGUF = "enc.blk.0.attn_rel_b.weight"
"""A T5 encoder's table of positions as llama.cpp calls it."""


def is_t5(part: Part) -> bool:
    """Tell whether a part is a T5 encoder, by its names."""
    return any(name.endswith(("SelfAttention.relative_attention_bias.weight", T5_GGUF)) for name in part.shapes)


def downscale(part: Part | None, usual: int = 8) -> int:
    """Return how many pixels wide a latent cell is: the autoencoder halves once between its resolutions."""
    if part is None:
        return usual
    halvings = [name for name in part.shapes if name.startswith("encoder.") and name.endswith("downsample.conv.weight")]
    halvings += [name for name in part.shapes if name.endswith("downsamplers.0.conv.weight")]
    return int(2 ** len(halvings)) if halvings or "encoder.conv_in.weight" in part.shapes else usual
