"""The types that travel along wires between image-generation nodes.

Every class here is frozen data: small, immutable and serialisable, with tensors in float32 on the CPU. Handles
(`TextEncoder`, `Denoiser`, `Autoencoder`, `Upscaler`) say which weights to load and never hold any: a node gets the
loaded module by `with context.resource(handle) as module`. Tensor fields are annotated under TYPE_CHECKING, so that
listing nodes and checking a workflow never import torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from graphgen_nodes.sampling.protocols import Guidance, SamplerAlgorithm

Prediction = Literal["epsilon", "v", "sample", "flow"]
Precision = Literal["auto", "float32", "float16", "bfloat16"]


# --- pictures -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """A batch of pictures: `pixels[batch, channels, height, width]`, RGB or RGBA, float32 in 0..1."""

    pixels: Tensor


@dataclass(frozen=True)
class Mask:
    """A batch of masks: `values[batch, height, width]`, float32 in 0..1; 1 marks what a node should act on."""

    values: Tensor


# --- weights on disk and the handles that name them -----------------------------------------------------------------


@dataclass(frozen=True)
class Weights:
    """One component's weights inside a checkpoint.

    `digest` identifies the bytes; `path` is only a hint where to find them: absolute, or relative to the models root.
    `part` is the component in diffusers' names (`unet`, `transformer`, `vae`, `text_encoder`, `text_encoder_2`, ...).
    `layout` says how its tensors are named: as diffusers and transformers do, or as the original release did.
    """

    digest: str
    path: str
    part: str
    layout: Literal["diffusers", "original"]


class Patch(ABC):
    """A change to a loaded network, applied while it is leased (LoRA, attention control, ...); plugins subclass it."""


@dataclass(frozen=True)
class LatentFormat:
    """How an autoencoder's latents look: `scaled = (raw - shift) * scale`, `downscale` pixels to one latent cell."""

    family: str
    channels: int
    scale: float
    shift: float = 0.0
    downscale: int = 8


@dataclass(frozen=True)
class TextEncoder:
    """A handle to a family's text encoders, in the order the family wants them, with their tokenizers' place."""

    family: str
    encoders: tuple[Weights, ...]
    precision: Precision = "auto"
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True)
class Denoiser:
    """A handle to a denoising network and the noise process it was trained on."""

    family: str
    weights: Weights
    prediction: Prediction
    path: Path
    latent: LatentFormat
    precision: Precision = "auto"
    patches: tuple[Patch, ...] = ()


@dataclass(frozen=True)
class Autoencoder:
    """A handle to an autoencoder."""

    weights: Weights
    latent: LatentFormat
    precision: Precision = "auto"


@dataclass(frozen=True)
class Upscaler:
    """A handle to an image upscaling network."""

    weights: Weights
    scale: int
    precision: Precision = "auto"


# --- what denoising works on ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Latent:
    """A batch of latents `samples[batch, channels, ...]` in scaled units, with the format they are in."""

    samples: Tensor
    format: LatentFormat


@dataclass(frozen=True)
class Conditioning:
    """What a text encoder said of a prompt: `embeddings[batch, tokens, width]` and, where used, `pooled[batch, width]`."""

    family: str
    embeddings: Tensor
    pooled: Tensor | None = None


@dataclass(frozen=True)
class Noise:
    """Where the randomness comes from: image i of a batch draws from a generator seeded with `seed + first + i`."""

    seed: int
    first: int = 0


# --- the noise process and its discretisation -----------------------------------------------------------------------


class Path(ABC):
    """The noising path `x = alpha(sigma) * sample + sigma * noise` a network was trained on.

    Subclasses are data; their mathematics is in `graphgen_nodes.sampling.paths`.
    """


@dataclass(frozen=True)
class VariancePreserving(Path):
    """DDPM's discrete chain (Ho et al. 2020): `betas` from beta_start to beta_end over `timesteps` steps.

    Samplers see it in the scaled coordinates of Karras et al. 2022, where alpha is 1 and
    sigma = sqrt((1 - alpha_bar) / alpha_bar); the denoiser rescales its input.
    """

    beta_start: float = 0.00085
    beta_end: float = 0.012
    beta_schedule: Literal["linear", "scaled_linear"] = "scaled_linear"
    timesteps: int = 1000


@dataclass(frozen=True)
class VarianceExploding(Path):
    """Score SDE's VE process (Song et al. 2021): alpha is 1, sigma runs geometrically from sigma_max to sigma_min."""

    sigma_min: float = 0.01
    sigma_max: float = 50.0


@dataclass(frozen=True)
class Flow(Path):
    """Rectified flow (Liu et al. 2022): alpha = 1 - sigma, sigma in 0..1; `shift` is the schedule's own time shift."""

    shift: float = 1.0
    timesteps: int = 1000


@dataclass(frozen=True)
class Schedule:
    """The noise levels a sampler visits, from the noisiest to the cleanest, and the path they lie on.

    `sigmas` has one entry more than there are steps and usually ends at 0; `timesteps` are what the network is told
    at each step (one fewer than sigmas). `full` is False for a slice that does not begin at pure noise.
    """

    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]
    path: Path


class Sampler(ABC):
    """A numerical method that walks a schedule; subclasses are frozen data holding its options."""

    @abstractmethod
    def algorithm(self) -> SamplerAlgorithm:
        """Return the method's `init` and `step` functions (this is where torch is imported)."""


class Guider(ABC):
    """How predictions for several conditionings become one; subclasses are frozen data."""

    denoiser: Denoiser

    @abstractmethod
    def guidance(self) -> Guidance:
        """Return the conditionings to predict for and the function that combines the predictions."""
