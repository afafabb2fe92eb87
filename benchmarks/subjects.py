"""The networks that `benchmarks.families` measures: what each family published, and a tiny one of the same build.

Configurations are those of the published models; weights are random, and made where they are wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphgen_nodes.families import family
from graphgen_nodes.sockets import Denoiser, Prediction, Weights

if TYPE_CHECKING:
    import torch
    from torch import nn

Specification = tuple[str, Mapping[str, Any]]
"""A node: its type and its settings."""

CHAIN: Specification = "schedules.model", {"spacing": "leading", "steps_offset": 1, "final_sigma": "sigma_min"}
DEFAULT: Specification = "schedules.default", {}
TINY = "tiny "
"""What the names of tiny networks begin with."""


@dataclass(frozen=True)
class ReadyDenoiser(Denoiser):
    """A handle to a denoising network that is in memory already; its weights' digest is the name of its subject."""


@dataclass(frozen=True)
class Subject:
    """A network, and what is sampled with it: a batch of square pictures, `size` pixels to the side.

    `network` is the class in diffusers that is built from `config`, `scale` the scale of classifier-free guidance (0:
    none), `tokens` how long a prompt is, `sampler` and `schedule` are what the family's own pipeline samples by.
    """

    name: str
    family: str
    network: str
    config: Mapping[str, Any]
    size: int
    steps: int
    prediction: Prediction = "epsilon"
    batch: int = 1
    scale: float = 0.0
    tokens: int = 77
    sampler: Specification = ("samplers.euler", {})
    schedule: Specification = DEFAULT
    room: int = 0
    """In how many bytes it is also measured while it is streamed block by block; 0: it is not."""

    @property
    def denoiser(self) -> ReadyDenoiser:
        """The handle that a loader of models would make of a checkpoint of this network."""
        found = family(self.family)
        _, channels = found.channels(self.config)
        latent = found.latent_format(None, found.latent_channels or channels)
        weights = Weights(self.name, "", found.denoiser.part, "diffusers")
        path = found.path(None, self.prediction, self.config)
        return ReadyDenoiser(
            self.family, weights, self.prediction, path, latent, classes=found.classes(self.config), beside="nothing"
        )

    def build(self, device: torch.device, dtype: torch.dtype) -> nn.Module:
        """Return the network with random weights, made on the device itself."""
        import diffusers
        import torch

        with torch.device("meta"):
            network: nn.Module = getattr(diffusers, self.network)(**self.config)
        network = network.to(dtype).to_empty(device=device).eval().requires_grad_(False)
        randomise(network, torch.Generator(device).manual_seed(0))
        return network


def randomise(network: nn.Module, generator: torch.Generator) -> None:
    """Draw all numbers of a network anew, in sizes that keep what passes through it within half precision."""
    for name, value in (*network.named_parameters(), *network.named_buffers()):
        if not value.is_floating_point():
            continue
        matrix = value.ndim > 1
        value.normal_(0.0, value[0].numel() ** -0.5 if matrix else 0.02, generator=generator)
        if not matrix and name.endswith("weight"):  # a norm's
            value.add_(1)


def find_subject(name: str) -> Subject:
    """Return the subject of a name."""
    return SUBJECTS[name]


UNET = {"layers_per_block": 2, "block_out_channels": (320, 640, 1280, 1280)}
XL = {
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (320, 640, 1280),
    "attention_head_dim": (5, 10, 20),
    "transformer_layers_per_block": (1, 2, 10),
    "cross_attention_dim": 2048,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
    "use_linear_projection": True,
    "sample_size": 128,
}
MMDIT = {
    "sample_size": 128,
    "num_layers": 24,
    "num_attention_heads": 24,
    "attention_head_dim": 64,
    "caption_projection_dim": 1536,
    "joint_attention_dim": 4096,
    "pooled_projection_dim": 2048,
    "pos_embed_max_size": 192,
    "in_channels": 16,
    "out_channels": 16,
}
LARGE = {"num_layers": 38, "num_attention_heads": 38, "caption_projection_dim": 2432, "qk_norm": "rms_norm"}
DIT = {
    "num_attention_heads": 16,
    "attention_head_dim": 72,
    "in_channels": 4,
    "out_channels": 8,
    "num_layers": 28,
    "sample_size": 32,
    "num_embeds_ada_norm": 1000,
}
PIXELS = {"in_channels": 3, "out_channels": 3, "layers_per_block": 2, "attention_head_dim": None, "norm_eps": 1e-6}
HO = {**PIXELS, "flip_sin_to_cos": False, "freq_shift": 1, "downsample_padding": 0}
CIFAR = {
    **HO,
    "sample_size": 32,
    "block_out_channels": (128, 256, 256, 256),
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"),
}
CELEBA = {
    **HO,
    "sample_size": 256,
    "block_out_channels": (128, 128, 256, 256, 512, 512),
    "down_block_types": (*["DownBlock2D"] * 4, "AttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "AttnUpBlock2D", *["UpBlock2D"] * 4),
}
CHURCH = {
    **PIXELS,
    "sample_size": 256,
    "block_out_channels": (128, 128, *[256] * 5),
    "down_block_types": (*["SkipDownBlock2D"] * 4, "AttnSkipDownBlock2D", *["SkipDownBlock2D"] * 2),
    "up_block_types": (*["SkipUpBlock2D"] * 2, "AttnSkipUpBlock2D", *["SkipUpBlock2D"] * 4),
    "time_embedding_type": "fourier",
    "mid_block_scale_factor": 2**0.5,
}

PUBLISHED = (
    Subject(
        "sd1",
        "sd1",
        "UNet2DConditionModel",
        {**UNET, "attention_head_dim": 8, "cross_attention_dim": 768, "sample_size": 64},
        size=512,
        steps=10,
        scale=7.5,
        sampler=("samplers.ddim", {}),
        schedule=CHAIN,
    ),
    Subject(
        "sd2",
        "sd2",
        "UNet2DConditionModel",
        {
            **UNET,
            "attention_head_dim": (5, 10, 20, 20),
            "cross_attention_dim": 1024,
            "use_linear_projection": True,
            "sample_size": 96,
        },
        size=768,
        steps=10,
        prediction="v",
        scale=7.5,
        sampler=("samplers.ddim", {}),
        schedule=CHAIN,
    ),
    Subject("sdxl", "sdxl", "UNet2DConditionModel", XL, size=1024, steps=8, scale=5.0),
    Subject(
        "sd3_medium",
        "sd3",
        "SD3Transformer2DModel",
        MMDIT,
        size=1024,
        steps=6,
        prediction="flow",
        scale=7.0,
        tokens=333,
    ),
    Subject(
        "sd3.5_large",
        "sd3",
        "SD3Transformer2DModel",
        {**MMDIT, **LARGE},
        size=1024,
        steps=4,
        prediction="flow",
        scale=4.5,
        tokens=333,
    ),
    Subject(
        "flux_dev",
        "flux",
        "FluxTransformer2DModel",
        {"in_channels": 64, "guidance_embeds": True, "joint_attention_dim": 4096, "pooled_projection_dim": 768},
        size=1024,
        steps=4,
        prediction="flow",
        tokens=512,
        room=12_000_000_000,
    ),
    Subject(
        "dit",
        "dit",
        "DiTTransformer2DModel",
        DIT,
        size=256,
        steps=10,
        batch=4,
        scale=4.0,
        sampler=("samplers.ddim", {}),
    ),
    Subject("ddpm_32", "ddpm", "UNet2DModel", CIFAR, size=32, steps=20, batch=16, sampler=("samplers.ddpm", {})),
    Subject("ddpm_256", "ddpm", "UNet2DModel", CELEBA, size=256, steps=10, batch=4, sampler=("samplers.ddpm", {})),
    Subject(
        "ncsnpp",
        "ncsnpp",
        "UNet2DModel",
        CHURCH,
        size=256,
        steps=6,
        prediction="score",
        batch=2,
        sampler=("samplers.predictor_corrector", {"corrector_steps": 1, "snr": 0.15, "norms": "batch"}),
    ),
)

NARROW = {
    "layers_per_block": 1,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "block_out_channels": (64, 128),
    "cross_attention_dim": 64,
}
FEW = {"num_layers": 2, "num_attention_heads": 2}
SHORT_TEXT = {"joint_attention_dim": 96, "pooled_projection_dim": 64}
PLAIN = {
    "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
    "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
    "block_out_channels": (32, 64),
    "layers_per_block": 1,
}
SKIPPING = {
    **PLAIN,
    "down_block_types": ("SkipDownBlock2D", "AttnSkipDownBlock2D"),
    "up_block_types": ("AttnSkipUpBlock2D", "SkipUpBlock2D"),
}
SMALLER: Mapping[str, Mapping[str, Any]] = {
    "sd1": {**NARROW, "sample_size": 8},
    "sd2": {**NARROW, "attention_head_dim": (1, 2), "sample_size": 8},
    "sdxl": {
        **NARROW,
        "attention_head_dim": (1, 2),
        "transformer_layers_per_block": 1,
        "projection_class_embeddings_input_dim": 64 + 6 * 256,
        "sample_size": 8,
    },
    "sd3_medium": {**FEW, **SHORT_TEXT, "caption_projection_dim": 128, "pos_embed_max_size": 16, "sample_size": 8},
    "sd3.5_large": {**FEW, **SHORT_TEXT, "caption_projection_dim": 128, "pos_embed_max_size": 16, "sample_size": 8},
    "flux_dev": {
        **FEW,
        **SHORT_TEXT,
        "num_single_layers": 2,
        "attention_head_dim": 32,
        "axes_dims_rope": (4, 14, 14),
    },
    "dit": {**FEW, "attention_head_dim": 32, "sample_size": 8},
    "ddpm_32": {**PLAIN, "sample_size": 16},
    "ddpm_256": {**PLAIN, "sample_size": 32},
    "ncsnpp": {**SKIPPING, "sample_size": 16},
}


def _smaller(subject: Subject) -> Subject:
    config = {**subject.config, **SMALLER[subject.name]}
    size = config.get("sample_size", 8) * family(subject.family).latent_format(None, 4).downscale
    room = 100_000 if subject.room else 0
    return replace(subject, name=TINY + subject.name, config=config, size=size, steps=4, tokens=8, room=room)


SUBJECTS: Mapping[str, Subject] = {
    subject.name: subject for published in PUBLISHED for subject in (published, _smaller(published))
}
