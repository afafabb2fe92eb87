"""From files to handles of image encoders and IP-Adapters, and whether an adapter fits a denoiser. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from graphgen import Facts
from graphgen_nodes.checkpoints.header import CheckpointError, read_header
from graphgen_nodes.checkpoints.keys import Shape, some
from graphgen_nodes.checkpoints.layouts.clip_vision import PATCHES, ClipVision
from graphgen_nodes.checkpoints.layouts.ip_adapter import IPAdapterLayout, host_of, kind_of, layer_order
from graphgen_nodes.checkpoints.layouts.siglip_vision import PREFIX, PROBE, SiglipVision
from graphgen_nodes.checkpoints.parts import Checkpoint, Config, Part
from graphgen_nodes.families import family
from graphgen_nodes.families.family import Slot, whole
from graphgen_nodes.families.handles import read_config, reopen
from graphgen_nodes.sockets import ImageEncoder, IPAdapter, Precision, Weights

Shortcut = Literal["auto", "on", "off"]

SECOND = "plusv2"
"""What the release calls the second version of FaceID Plus in its files' names."""

ENCODER = Slot("image_encoder", ("image_encoder",), ClipVision())
SIGLIP = Slot("siglip_encoder", ("image_encoder",), SiglipVision())
ENCODERS: Mapping[str, Slot] = {slot.part: slot for slot in (ENCODER, SIGLIP)}
"""The kinds of image encoders by what `Weights.part` calls them."""
ADAPTER = Slot("ip_adapter", ("ip_adapter",), IPAdapterLayout())


def image_encoder_handle(checkpoint: Checkpoint, precision: Precision = "auto") -> ImageEncoder:
    """Return a handle to the vision network in a checkpoint, CLIP's or SigLIP's.

    Raises:
        CheckpointError: it holds none.
    """
    return ImageEncoder(_weights(*_vision(checkpoint)), precision)


def known_image_encoder(checkpoint: Checkpoint, precision: Precision = "auto") -> Facts:
    """Return the facts of an image encoder: how wide what it says is (`embedding`, `states`).

    Raises:
        CheckpointError: a handle cannot be made either.
    """
    slot, part = _vision(checkpoint)
    config = read_config(slot, part)
    sizes = _clip_sizes(config) if slot is ENCODER else _siglip_sizes(config)
    return {**sizes, "components": [slot.part], "precision": precision}


def adapter_handle(checkpoint: Checkpoint, precision: Precision = "auto", shortcut: Shortcut = "auto") -> IPAdapter:
    """Return a handle to the IP-Adapter in a file.

    The tensors do not tell the second version of FaceID Plus, which has a `shortcut`; by "auto" the file's name does.

    Raises:
        CheckpointError: it holds none, or one of a kind that is not known.
    """
    part = _adapter(checkpoint)
    sources = ADAPTER.architecture.sources(part)
    kind = kind_of({name.removeprefix("projection."): source.shape for name, source in sources.items()})
    second = kind == "faceid_plus" and (shortcut == "on" or (shortcut == "auto" and SECOND in part.path.name))
    return IPAdapter(_weights(ADAPTER, part), kind, host_of(sources, kind), precision, second)


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
        "host": handle.host,
        "reads": whole(config, "width"),
        "components": [ADAPTER.part],
        "weights": [asdict(handle.weights)],
        "precision": handle.precision,
        **({"face": whole(config, "face")} if handle.kind == "faceid_plus" else {}),
    }


def check_denoiser(adapter: Weights, name: str, denoiser: Weights) -> list[str]:
    """Return the layers of a denoiser of the family `name` that an adapter adds to, in order.

    Raises:
        CheckpointError: the adapter is made for another network; says what differs.
    """
    found, part = family(name), reopen(adapter, ADAPTER)
    given = {key: source.shape for key, source in ADAPTER.architecture.sources(part).items()}
    kind = kind_of({key.removeprefix("projection."): shape for key, shape in given.items()})
    host, wanted = host_of(given, kind), "unet" if found.denoiser.part == "unet" else found.name
    if host != wanted:
        raise CheckpointError(
            f"{part}: is made for {HOSTS[host]}, and {found.title} is none; choose an IP-Adapter made for this model"
        )
    sources = found.denoiser.architecture.sources(reopen(denoiser, found.denoiser))
    shapes = _ANSWERS[host]({key: source.shape for key, source in sources.items()})
    names = sorted(shapes, key=layer_order)
    theirs = [given[f"to_k.{index}.weight"] for index in range(len(layers_of(given)))]
    _compare(part, found.title, [shapes[layer] for layer in names], theirs)
    return names


def check_embedding(adapter: Facts, embedding: Facts) -> str | None:
    """Return why an embedding is not what an adapter reads, as far as both are known; None where it may be."""
    kind, reads = adapter.get("kind"), adapter.get("reads")
    if kind is None or "embedding" not in embedding:
        return None
    inner = kind in ("plus", "full", "faceid_plus", "timed")
    given = embedding.get("states") if inner else embedding.get("embedding")
    if inner and not given:
        return f"is no picture's, read by an image encoder, which a {kind} IP-Adapter wants"
    if kind == "faceid" and embedding.get("states"):
        return "is a picture's, read by CLIP, and a FaceID IP-Adapter wants that of a face by another network"
    if given == reads:
        return None
    return f"has {given} numbers{' for a patch' if inner else ''}, but the IP-Adapter reads {reads}"


def check_face(adapter: Facts, embedding: Facts, face: Facts | None) -> str | None:
    """Return why what a face network says is not what an adapter reads, as far as it is known; None where it may be."""
    if "kind" not in adapter:
        return None
    if adapter["kind"] != "faceid_plus":
        return None if face is None else f"is read by FaceID Plus alone, and this is a {adapter['kind']} IP-Adapter"
    if face is None:
        return "is not wired, but a FaceID Plus IP-Adapter reads what a face network says beside CLIP"
    if "embedding" in face and face["embedding"] != adapter["face"]:
        return f"has {face['embedding']} numbers, but the IP-Adapter reads {adapter['face']}"
    faces, pictures = face.get("batch"), embedding.get("batch")
    if faces != pictures and None not in (faces, pictures):
        return f"has {faces} faces for {pictures} pictures"
    return None


def cure_of(adapter: Facts) -> str:
    """Return what to do about an embedding that an adapter does not read."""
    if adapter.get("kind") == "faceid":
        return "give it by image_encoder.load_embedding"
    if adapter.get("host") != "unet":
        return "load the image encoder that the adapter was trained with: " + (
            "SigLIP so400m-patch14-384" if adapter.get("host") == "sd3" else "CLIP ViT-L"
        )
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


def _vision(checkpoint: Checkpoint) -> tuple[Slot, Part]:
    """Return the vision network in a checkpoint, and whose it is: SigLIP's pools by attention, CLIP's does not."""
    for part in checkpoint.parts.values():
        if PROBE in part.shapes or f"{PREFIX}{PROBE}" in part.shapes:
            return SIGLIP, part
        if PATCHES in part.shapes:
            return ENCODER, part
    else:
        raise CheckpointError(
            f"{checkpoint.path}: holds no image encoder (it holds {', '.join(checkpoint.parts)}); give CLIP's or "
            "SigLIP's vision network, a folder or a .safetensors file with 'vision_model...' tensors"
        )


def _adapter(checkpoint: Checkpoint) -> Part:
    found = next((part for kind, part in checkpoint.parts.items() if kind == ADAPTER.part), None)
    if found is None:
        raise CheckpointError(
            f"{checkpoint.path}: holds no IP-Adapter (it holds {', '.join(checkpoint.parts)}); give a .safetensors "
            "file with 'image_proj...' and 'ip_adapter...' tensors"
        )
    return found


def layers_of(shapes: Mapping[str, Shape]) -> list[str]:
    """Return the names of an adapter's matrices for keys, one for each attention it adds to."""
    return [name for name in shapes if name.startswith("to_k.") and name.endswith(".weight")]


def _clip_sizes(config: Config) -> Facts:
    """Return widths from a configuration, which may leave out what is usual in transformers."""
    return {"embedding": whole(config, "projection_dim") or 512, "states": whole(config, "hidden_size") or 768}


def _siglip_sizes(config: Config) -> Facts:
    width = whole(config, "hidden_size") or 768
    return {"embedding": width, "states": width}


def _answers_in_unet(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return, for each attention that is added to, the shape of the matrix that makes keys of an adapter's tokens."""
    ending = ".attn2.to_k.weight"
    return {name.removesuffix(ending): shape for name, shape in shapes.items() if name.endswith(ending)}


def _answers_in_flux(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    context = shapes["context_embedder.weight"][1]
    return {
        name.removesuffix(".to_k.weight"): (shape[0], context)
        for name, shape in shapes.items()
        if name.startswith("transformer_blocks.") and name.endswith(".attn.to_k.weight")
    }


def _answers_in_sd3(shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    endings = (".attn.to_k.weight", ".attn2.to_k.weight")
    return {name.removesuffix(".to_k.weight"): shape for name, shape in shapes.items() if name.endswith(endings)}


_ANSWERS = {"unet": _answers_in_unet, "flux": _answers_in_flux, "sd3": _answers_in_sd3}
HOSTS: Mapping[str, str] = {"unet": "UNets", "flux": "Flux.1", "sd3": "Stable Diffusion 3"}


def _weights(slot: Slot, part: Part) -> Weights:
    return Weights(part.digest(), str(part.path), slot.part, part.layout)
