"""The built-in node packs: a default plugin with the same rights as any other.

Here are the socket types that other plugins may use: `from graphgen_nodes import Image, Latent`.
"""

from graphgen_nodes.sockets import (
    Autoencoder,
    Conditioning,
    Denoiser,
    Flow,
    Guider,
    Image,
    LabelConditioning,
    Latent,
    LatentFormat,
    Mask,
    Noise,
    Patch,
    Path,
    Sampler,
    Schedule,
    TextConditioning,
    TextEncoder,
    Unconditional,
    Upscaler,
    VarianceExploding,
    VariancePreserving,
    Weights,
)

__all__ = [
    "Autoencoder",
    "Conditioning",
    "Denoiser",
    "Flow",
    "Guider",
    "Image",
    "LabelConditioning",
    "Latent",
    "LatentFormat",
    "Mask",
    "Noise",
    "Patch",
    "Path",
    "Sampler",
    "Schedule",
    "TextConditioning",
    "TextEncoder",
    "Unconditional",
    "Upscaler",
    "VarianceExploding",
    "VariancePreserving",
    "Weights",
]
