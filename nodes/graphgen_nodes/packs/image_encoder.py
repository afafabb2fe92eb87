"""Image encoders: what CLIP, or another network, says of pictures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field

from graphgen import Context, Facts, File, Known, hookimpl, node
from graphgen_nodes.checkpoints.identity import identity
from graphgen_nodes.checkpoints.parts import open_checkpoint
from graphgen_nodes.facts import file_of, kept, refusing
from graphgen_nodes.ip_adapter.handles import embedding_tensor, image_encoder_handle, known_image_encoder
from graphgen_nodes.sockets import Image, ImageEmbedding, ImageEncoder, Precision


def _known(known: Known) -> dict[str, Facts]:
    path = file_of(known, "models")
    if path is None:
        return {}
    with refusing("path"):
        return {"image_encoder": {**known_image_encoder(open_checkpoint(path)), **kept(known.settings, "precision")}}


def _content(known: Known) -> str:
    path = file_of(known, "models")
    if path is None:
        return ""
    with refusing("path"):
        return open_checkpoint(path).digest()


def _encoded(known: Known) -> dict[str, Facts]:
    encoder, image = known.inputs.get("encoder", {}), known.inputs.get("image", {})
    return {"image_embedding": {**kept(encoder, "embedding", "states"), **kept(image, "batch")}}


def _file_facts(known: Known) -> dict[str, Facts]:
    path, tensor = file_of(known, "inputs"), known.settings.get("tensor")
    if path is None or not isinstance(tensor, str):
        return {}
    with refusing("path"):
        _, shape = embedding_tensor(path, tensor)
    return {"image_embedding": {"embedding": shape[-1], "states": 0, "batch": shape[0] if len(shape) > 1 else 1}}


def _file_identity(known: Known) -> str:
    path = file_of(known, "inputs")
    if path is None:
        return ""
    with refusing("path"):
        return identity(path)


@node(category="adapters", title="Load image encoder", infer=_known, fingerprint=_content)
def load(
    context: Context,
    *,
    path: Annotated[
        str,
        File("models", (".safetensors",), ("image_encoder",)),
        Field(min_length=1, description="CLIP's or SigLIP's vision network, a folder or a file in the models folder."),
    ],
    precision: Annotated[Precision, Field(description="auto is what suits the device.")] = "auto",
) -> ImageEncoder:
    """Name a vision network of CLIP or SigLIP; its weights are loaded when it is used.

    IP-Adapters were trained with OpenCLIP's ViT-H, ip-adapter_sdxl with its bigG, those for Flux with CLIP ViT-L and
    those for Stable Diffusion 3.5 with SigLIP so400m.
    """
    return image_encoder_handle(open_checkpoint(context.path("models", path)), precision)


@node(category="adapters", title="Encode picture for IP-Adapter", device="gpu", infer=_encoded)
def encode(
    context: Context,
    encoder: Annotated[ImageEncoder, Field(description="The network that reads pictures.")],
    image: Annotated[Image, Field(description="One or several pictures; CLIP reads their middle square.")],
) -> ImageEmbedding:
    """Read pictures, to be followed by an IP-Adapter; several, joined by images.batch, are followed together."""
    from graphgen_nodes.ip_adapter.reading import read

    with context.resource(encoder) as loaded:
        return read(loaded, image)


@node(category="adapters", title="Load image embedding", infer=_file_facts, fingerprint=_file_identity)
def load_embedding(
    context: Context,
    *,
    path: Annotated[
        str,
        File("inputs", (".safetensors",)),
        Field(min_length=1, description="The file, in the inputs folder."),
    ],
    tensor: Annotated[
        str,
        Field(max_length=200, description="Which tensor, [numbers] or [faces, numbers]; empty: the only one."),
    ] = "",
) -> ImageEmbedding:
    """Load an embedding that another program made, such as that of a face by ArcFace for FaceID adapters."""
    from graphgen_nodes.ip_adapter import reading

    return reading.load_embedding(context.path("inputs", path), tensor)


@hookimpl
def register_nodes() -> list[Callable[..., object]]:
    """Contribute what reads pictures."""
    return [load, encode, load_embedding]
