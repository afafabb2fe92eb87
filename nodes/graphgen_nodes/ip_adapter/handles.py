"""From files to handles of image encoders and IP-Adapters, and whether an adapter fits a denoiser. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from graphgen import Facts
from graphgen_nodes.checkpoints.header import CheckpointError, read_header
from graphgen_nodes.checkpoints.keys import Shape, some
from graphgen_nodes.checkpoints.layouts.clip_vision import PATCHES, ClipVision
from graphgen_nodes.checkpoints.layouts.ip_adapter import IPAdapterLayout, kind_of, layer_order
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.families import family
from graphgen_nodes.families.family import Slot, whole
from graphgen_nodes.families.handles import read_config, reopen
from graphgen_nodes.sockets import ImageEncoder, IPAdapter, Precision, Weights

ENCODER = Slot("image_encoder", ("image_encoder",), ClipVision())
ADAPTER = Slot("ip_adapter", ("ip_adapter",), IPAdapterLayout())


def image_encoder_handle(checkpoint: Checkpoint, precision: Precision = "auto") -> ImageEncoder:
    """Return a handle to the CLIP vision network in a checkpoint.

    Raises:
        CheckpointError: it holds none.
    """
    return ImageEncoder(_weights(ENCODER, _vision(checkpoint)), precision)


def known_image_encoder(checkpoint: Checkpoint, precision: Precision = "auto") -> Facts:
    """Return the facts of an image encoder: how wide what it says is (`embedding`, `states`).

    Raises:
        CheckpointError: a handle cannot be made either.
    """
    part = _vision(checkpoint)
    return {**_sizes(read_config(ENCODER, part)), "components": [ENCODER.part], "precision": precision}


def adapter_handle(checkpoint: Checkpoint, precision: Precision = "auto") -> IPAdapter:
    """Return a handle to the IP-Adapter in a file.

    Raises:
        CheckpointError: it holds none, or one of a kind that is not known.
    """
    part = _adapter(checkpoint)
    return IPAdapter(_weights(ADAPTER, part), kind_of(_projection(part)), precision)


def known_adapter(checkpoint: Checkpoint, precision: Precision = "auto") -> Facts:
    """Return the facts of an IP-Adapter: its kind, and the width of what it reads.

    Raises:
        CheckpointError: a handle cannot be made either.
    """
    return adapter_facts(adapter_handle(checkpoint, precision))


def adapter_facts(handle: IPAdapter) -> Facts:
    """Return the facts of an IP-Adapter from its handle.

    Raises:
        CheckpointError: its file is gone or changed.
    """
    config = read_config(ADAPTER, reopen(handle.weights, ADAPTER))
    return {
        "kind": handle.kind,
        "reads": whole(config, "width"),
        "components": [ADAPTER.part],
        "weights": [asdict(handle.weights)],
        "precision": handle.precision,
    }


def check_denoiser(adapter: Weights, name: str, denoiser: Weights) -> list[str]:
    """Return the layers of a denoiser of the family `name` that an adapter adds to, in order.

    Raises:
        CheckpointError: the adapter is made for another network; says what differs.
    """
    found = family(name)
    if found.denoiser.part != "unet":
        raise CheckpointError(f"{found.title} is no UNet, and only adapters for UNets can be used yet")
    sources = found.denoiser.architecture.sources(reopen(denoiser, found.denoiser))
    ending = ".attn2.to_k.weight"
    shapes = {key.removesuffix(ending): source.shape for key, source in sources.items() if key.endswith(ending)}
    names = sorted(shapes, key=layer_order)
    part = reopen(adapter, ADAPTER)
    given = {key: source.shape for key, source in ADAPTER.architecture.sources(part).items()}
    theirs = [given[f"to_k.{index}.weight"] for index in range(sum(key.startswith("to_k.") for key in given))]
    _compare(part, found.title, [shapes[layer] for layer in names], theirs)
    return names


def check_embedding(adapter: Facts, embedding: Facts) -> str | None:
    """Return why an embedding is not what an adapter reads, as far as both are known; None where it may be."""
    kind, reads = adapter.get("kind"), adapter.get("reads")
    if kind is None or "embedding" not in embedding:
        return None
    inner = kind in ("plus", "full")
    given = embedding.get("states") if inner else embedding.get("embedding")
    if inner and not given:
        return f"is no picture's, read by CLIP, which a {kind} IP-Adapter wants"
    if kind == "faceid" and embedding.get("states"):
        return "is a picture's, read by CLIP, and a FaceID IP-Adapter wants that of a face by another network"
    if given == reads:
        return None
    return f"has {given} numbers{' for a patch' if inner else ''}, but the IP-Adapter reads {reads}"


def cure_of(adapter: Facts) -> str:
    """Return what to do about an embedding that an adapter does not read."""
    if adapter.get("kind") == "faceid":
        return "give it by image_encoder.load_embedding"
    return "load the image encoder that the adapter was trained with: ViT-H for most, bigG for ip-adapter_sdxl"


def embedding_tensor(path: Path, name: str) -> tuple[str, tuple[int, ...]]:
    """Return the name and shape of the embedding in a safetensors file: the tensor `name`, or the only one.

    Raises:
        CheckpointError: there is no such tensor, or it is neither `[embedding]` nor `[faces, embedding]`.
    """
    tensors = read_header(path).tensors
    found = name or (next(iter(tensors)) if len(tensors) == 1 else "")
    if found not in tensors:
        problem = f"no tensor {name!r}" if name else f"{len(tensors)} tensors"
        raise CheckpointError(f"{path}: holds {problem}; set tensor to one of {some(tensors)}")
    shape = tensors[found].shape
    if len(shape) not in (1, 2) or 0 in shape:
        raise CheckpointError(
            f"{path}: the tensor {found!r} has the shape {shape}; an embedding has [numbers] or [faces, numbers]"
        )
    return found, shape


def _compare(part: Part, title: str, wanted: list[Shape], given: list[Shape]) -> None:
    cure = "choose an IP-Adapter made for this model"
    if wanted and given and wanted[0][1] != given[0][1]:
        raise CheckpointError(
            f"{part}: is made for prompts of {given[0][1]} numbers a token, and {title} has {wanted[0][1]}; {cure}"
        )
    if len(wanted) != len(given):
        raise CheckpointError(
            f"{part}: is made for {len(given)} layers of cross-attention, and this {title} has {len(wanted)}; {cure}"
        )
    for index, (one, other) in enumerate(zip(wanted, given, strict=True)):
        if one != other:
            raise CheckpointError(
                f"{part}: has {other[0]} numbers for cross-attention {index}, where this {title} has {one[0]}; {cure}"
            )


def _vision(checkpoint: Checkpoint) -> Part:
    found = next((part for part in checkpoint.parts.values() if PATCHES in part.shapes), None)
    if found is None:
        raise CheckpointError(
            f"{checkpoint.path}: holds no image encoder (it holds {', '.join(checkpoint.parts)}); give CLIP's vision "
            "network, a folder or a .safetensors file with 'vision_model...' tensors"
        )
    return found


def _adapter(checkpoint: Checkpoint) -> Part:
    found = next((part for kind, part in checkpoint.parts.items() if kind == ADAPTER.part), None)
    if found is None:
        raise CheckpointError(
            f"{checkpoint.path}: holds no IP-Adapter (it holds {', '.join(checkpoint.parts)}); give a .safetensors "
            "file with 'image_proj...' and 'ip_adapter...' tensors"
        )
    return found


def _projection(part: Part) -> Mapping[str, Shape]:
    sources = ADAPTER.architecture.sources(part)
    return {name.removeprefix("projection."): source.shape for name, source in sources.items()}


def _sizes(config: Config) -> Facts:
    """Return widths from a configuration, which may leave out what is usual in transformers."""
    return {"embedding": whole(config, "projection_dim") or 512, "states": whole(config, "hidden_size") or 768}


def _weights(slot: Slot, part: Part) -> Weights:
    return Weights(part.digest(), str(part.path), slot.part, part.layout)
