"""The types that travel along wires between image-generation nodes.

Every class here is frozen data: small, immutable and serialisable, with tensors in float32 on the CPU. Handles
(`TextEncoder`, `Denoiser`, `Autoencoder`, `Upscaler`) say which weights to load and never hold any: a node gets the
loaded module by `with context.resource(handle) as module`. Tensor fields are annotated under TYPE_CHECKING, so that
listing nodes and checking a workflow never import torch. They stand in one module, though it is longer than the house
likes, because together they are the vocabulary that a node author looks up.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path as FilePath
from typing import TYPE_CHECKING, ClassVar, Literal

from graphgen_nodes.sampling.paths import Flow as Flow
from graphgen_nodes.sampling.paths import Path as Path
from graphgen_nodes.sampling.paths import SizedFlow as SizedFlow
from graphgen_nodes.sampling.paths import VarianceExploding as VarianceExploding
from graphgen_nodes.sampling.paths import VariancePreserving as VariancePreserving

if TYPE_CHECKING:
    from torch import Tensor

    from graphgen_nodes.sampling.protocols import Guidance, SamplerAlgorithm

Prediction = Literal["epsilon", "v", "sample", "flow", "score"]
Precision = Literal["auto", "float32", "float16", "bfloat16"]
AdapterKind = Literal["plain", "plus", "full", "faceid", "faceid_plus", "timed"]
AdapterHost = Literal["unet", "flux", "sd3"]
EmptyPrompt = Literal["encoded", "zeros"]
Reads = Literal["pixels", "latents", "unshifted latents"]
Half = Literal["encoder", "decoder"]
HALVES: tuple[Half, ...] = ("encoder", "decoder")
Beside = Literal["nothing", "picture", "masked_picture", "depth"]
"""What a denoising network sees beside the noisy latent, as further channels of its input."""


# --- pictures -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """A batch of pictures: `pixels[batch, channels, height, width]`, RGB or RGBA, float32 in 0..1."""

    axes: ClassVar[tuple[str, ...]] = ("batch", "channels", "height", "width")
    """The facts that are the axes of its tensor, in order: so a checked workflow shows shapes on wires."""

    pixels: Tensor


@dataclass(frozen=True)
class Mask:
    """A batch of masks: `values[batch, height, width]`, float32 in 0..1; 1 marks what a node should act on."""

    axes: ClassVar[tuple[str, ...]] = ("batch", "height", "width")

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


@dataclass(frozen=True)
class Patch:
    """A change to a loaded network, applied while it is leased (LoRA, attention control, ...): see `patches`."""

    def at(self, progress: float) -> Patch | None:  # noqa: ARG002
        """Return what this patch is at a share of a schedule (0 up to 1): None where it is off, by default itself.

        A patch that acts between two shares returns one that acts always, so that steps it does not differ in are
        known to be the same.
        """
        return self

    def files(self) -> Sequence[FilePath]:
        """Return the files it is read from, for run records."""
        return ()


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
    """A handle to a family's text encoders, in the order the family wants them; none for one that reads no text."""

    family: str
    encoders: tuple[Weights, ...]
    precision: Precision = "auto"
    patches: tuple[Patch, ...] = ()
    empty: EmptyPrompt = "encoded"
    """What a prompt without words becomes: what the encoders say of nothing, or zeros."""


@dataclass(frozen=True)
class Denoiser:
    """A handle to a denoising network and the noise process it was trained on.

    `classes` is how many class labels it knows, the null class not counted; 0: it takes none. `beside` is what it sees
    beside the noisy latent.
    """

    family: str
    weights: Weights
    prediction: Prediction
    path: Path
    latent: LatentFormat
    precision: Precision = "auto"
    patches: tuple[Patch, ...] = ()
    classes: int = 0
    beside: Beside = "nothing"

    def at(self, progress: float) -> Denoiser:
        """Return the handle with the patches that act at a share of a schedule (0 up to 1)."""
        acting = tuple(found for patch in self.patches if (found := patch.at(progress)) is not None)
        return replace(self, patches=acting) if self.patches else self


@dataclass(frozen=True)
class Autoencoder:
    """A handle to an autoencoder; without weights it is the identity, for models that work on pixels themselves.

    `own` are the units in which its network has the latents, where they are not those of `latent`: tiny ones have them
    as they are sampled. `halves` are those of its network that are there.
    """

    weights: Weights | None
    latent: LatentFormat
    precision: Precision = "auto"
    own: LatentFormat | None = None
    halves: tuple[Half, ...] = HALVES

    @property
    def units(self) -> LatentFormat:
        """The units in which its network has the latents."""
        return self.own or self.latent


@dataclass(frozen=True)
class ControlNet:
    """A handle to a network that makes a family's denoiser follow a picture.

    `reads` says in which form it wants the picture; unshifted latents are without their format's shift. `modes` are the
    kinds of pictures it must be told of, none for a network that knows one kind. A `masked` one must be told beside the
    picture where to paint.
    """

    family: str
    weights: Weights
    reads: Reads = "pixels"
    modes: tuple[str, ...] = ()
    precision: Precision = "auto"
    masked: bool = False


@dataclass(frozen=True)
class ImageEncoder:
    """A handle to a vision network, CLIP's or SigLIP's, which reads pictures."""

    weights: Weights
    precision: Precision = "auto"


@dataclass(frozen=True)
class IPAdapter:
    """A handle to an IP-Adapter, and what it reads of a picture.

    `plain` reads its embedding, `plus`, `full` and `timed` the states of the encoder's last layer but one, `faceid` the
    embedding of a face by another network, and `faceid_plus` both. `host` is the kind of network whose attention it
    adds to. `shortcut`: a `faceid_plus` adds what the face says by itself to its tokens, as its second version does.
    """

    weights: Weights
    kind: AdapterKind
    host: AdapterHost = "unet"
    precision: Precision = "auto"
    shortcut: bool = False


@dataclass(frozen=True)
class Upscaler:
    """A handle to an image upscaling network."""

    weights: Weights
    scale: int
    precision: Precision = "auto"


@dataclass(frozen=True)
class ImageEmbedding:
    """What an image encoder says of pictures: `embeds[batch, embedding]`, and of CLIP and SigLIP their inner states.

    `states[batch, patches, width]` are those of its last layer but one, `blank[1, patches, width]` what they are of a
    picture of nothing, and `black[1, embedding]` what it says of a black one.
    """

    axes: ClassVar[tuple[str, ...]] = ("batch", "embedding")

    embeds: Tensor
    states: Tensor | None = None
    blank: Tensor | None = None
    black: Tensor | None = None


# --- what denoising works on ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Latent:
    """A batch of latents `samples[batch, channels, ...]` in scaled units, with the format they are in."""

    axes: ClassVar[tuple[str, ...]] = ("batch", "channels", "rows", "columns")

    samples: Tensor
    format: LatentFormat


@dataclass(frozen=True)
class Conditioning:
    """What a denoiser of a family is told of the picture, besides the noisy latent.

    Each kind is a subclass whose tensor fields have the batch first, for one image or for all of a latent's batch: the
    denoiser joins them, whatever they are. Families and plugins add fields by subclassing.
    """

    axes: ClassVar[tuple[str, ...]] = ("batch", "tokens", "embedding")
    """Those of text, which most are; other kinds have their own."""

    family: str
    marks: tuple[str, ...] = field(default=(), kw_only=True)
    """What patches that act for some prompts alone know it by."""
    negative: Tensor | None = field(default=None, kw_only=True)
    """Of which images, `[batch]`, it says what they should not be; guidance sets it, for patches that look at it."""
    beside: Tensor | None = field(default=None, kw_only=True)
    """What the network sees beside the latent, `[batch, channels, rows, columns]`, in the units that it learned."""

    def at(self, progress: float) -> Conditioning:  # noqa: ARG002
        """Return what is conditioned on at a share of a schedule (0 up to 1); a subclass may change on the way."""
        return self


@dataclass(frozen=True)
class TextConditioning(Conditioning):
    """What text encoders said of a prompt: `embeddings[batch, tokens, width]`, where used `pooled[batch, width]`."""

    embeddings: Tensor
    pooled: Tensor | None = None


@dataclass(frozen=True, kw_only=True)
class SizedConditioning(TextConditioning):
    """A prompt, and what a denoiser is told of the picture it is cut from (Podell et al. 2023, section 2.2).

    `sizes[batch, 6]` are whole pixels: height and width of the whole picture, how much was cut off at its top and left,
    height and width aimed at; 0 is as the latent. `score[batch]` is how beautiful people found it, 0 what is usual.
    """

    sizes: Tensor
    score: Tensor


@dataclass(frozen=True)
class GuidedConditioning(TextConditioning):
    """A prompt's, for networks that may have been distilled to be told how strictly to follow it: `guidance`.

    None leaves it to what is usual for the model. `reference[batch, channels, rows, columns]` is the scaled latent of a
    picture to refer to, of any size, for those trained to see one.
    """

    guidance: float | None = None
    reference: Tensor | None = None


@dataclass(frozen=True)
class LabelConditioning(Conditioning):
    """Which class a picture is of: `labels[batch]`, whole numbers; the one after the last class is the null class."""

    axes: ClassVar[tuple[str, ...]] = ("batch",)

    labels: Tensor


@dataclass(frozen=True)
class Unconditional(Conditioning):
    """Nothing: for models that are told nothing but the noise level."""


@dataclass(frozen=True)
class Noise:
    """Where the randomness comes from: image i of a batch draws from a generator seeded with `seed + first + i`.

    Where it is `shared`, all images draw what the first one does.
    """

    seed: int
    first: int = 0
    shared: bool = False


@dataclass(frozen=True)
class Evaluation:
    """One look of a sampler at the denoiser: the x it goes on from, as `evaluate` gives it, and what it saw."""

    sigma: float
    x: Tensor
    denoised: Tensor
    variance: Tensor | None = None


@dataclass(frozen=True)
class SamplerState:
    """Where a sampler stands: everything the rest of the run depends on, as data.

    `x` is at noise level `schedule.sigmas[step]`; `history` are past evaluations, the latest last, as many as the
    method needs and at least one after the first step; `draws` is the number of noise draws used so far. `memory` is
    what guidance that remembers left at its last look, in the shape of x; samplers need not know of it.
    """

    x: Tensor
    step: int = 0
    history: tuple[Evaluation, ...] = ()
    draws: int = 1
    memory: Tensor | None = None

    def advance(self, x: Tensor, *seen: Evaluation, keep: int = 1, draws: int = 0) -> SamplerState:
        """Return the state one step on, remembering the last `keep` evaluations."""
        return SamplerState(x, self.step + 1, (*self.history, *seen)[-keep:], self.draws + draws)


# --- the noise process and its discretisation (paths are in sampling/paths.py) ---------------------------------------


@dataclass(frozen=True)
class Schedule:
    """The noise levels a sampler visits, from the noisiest to the cleanest, and the path they lie on.

    `sigmas` falls strictly, has one entry more than there are steps and usually ends at 0; `timesteps` are what the
    network is told at each step (one fewer than sigmas). A slice keeps all of them and runs the steps `start` up to,
    not including, `stop` (None: to the end), so that step k means the same in a slice as in the whole.
    `noise_scale` is the standard deviation a full run begins with; None is the path's own.
    """

    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]
    path: Path
    start: int = 0
    stop: int | None = None
    noise_scale: float | None = None

    def __post_init__(self) -> None:
        """Refuse noise levels that do not fall and a slice that lies outside."""
        count = len(self.timesteps)
        if count < 1 or len(self.sigmas) != count + 1:
            raise ValueError(
                f"Schedule: needs at least one timestep and one sigma more than timesteps "
                f"(got {len(self.sigmas)} sigmas and {count} timesteps)"
            )
        for k, (sigma, following) in enumerate(pairwise(self.sigmas)):
            if not sigma > following >= 0:
                raise ValueError(
                    f"Schedule.sigmas: must fall strictly and stay at or above 0 (sigma {k} is {sigma:g} and "
                    f"the next {following:g}); take fewer steps or a wider range"
                )
        if not 0 <= self.start < self.steps.stop <= count:
            raise ValueError(f"Schedule: the slice {self.start}..{self.stop} holds none of its steps 0..{count - 1}")

    @property
    def steps(self) -> range:
        """Return the indices of the steps to run."""
        return range(self.start, len(self.timesteps) if self.stop is None else self.stop)

    @property
    def full(self) -> bool:
        """Tell whether the first step to run is the schedule's own first, at pure noise."""
        return self.start == 0


class Sampler(ABC):
    """A numerical method that walks a schedule; subclasses are frozen data holding its options."""

    local: ClassVar[bool] = False
    """Whether step i looks at no more of a schedule than sigmas[i], sigmas[i + 1] and the timesteps of the two.

    Runs on schedules that begin alike then share the states of these steps; otherwise only slices of one schedule do.
    """

    @abstractmethod
    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        """Return the method's `init` and `step` on a schedule (this is where torch is imported)."""


class Guider(ABC):
    """How predictions for several conditionings become one; subclasses are frozen data."""

    denoiser: Denoiser

    @property
    def denoisers(self) -> tuple[Denoiser, ...]:
        """Return the denoisers that the guidance asks: `denoiser` first, then those it is compared with."""
        return (self.denoiser,)

    def at(self, progress: float) -> Guider:  # noqa: ARG002
        """Return the guider of the step that begins at a share of a schedule (0 up to 1, not including it).

        Sampling asks this before each step, and uses what it gets, and nothing else, for that step. What it gets also
        says whether a step is the same as one of an earlier run, whose state can then be gone on from. So return what
        matters there and nothing more: without its range a guider that acts in a range, and without it another one.
        The default, itself, is right for guiders that do not change on the way.
        """
        return self

    @abstractmethod
    def guidance(self) -> Guidance:
        """Return the conditionings to predict for and the function that combines the predictions."""
