"""Open a checkpoint, folder or single file, as its parts: which networks are in it, and where each tensor lies.

In goes a path, out comes a `Checkpoint`. Only headers and small JSON files are read; torch is not needed. Which family
the parts belong to is the business of `graphgen_nodes.families`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from graphgen_nodes.checkpoints.files import file_header
from graphgen_nodes.checkpoints.header import CheckpointError, Header, refuse_pickle
from graphgen_nodes.checkpoints.identity import joint_identity, remember_place
from graphgen_nodes.checkpoints.keys import Shape

Config = Mapping[str, object]
Layout = Literal["diffusers", "original"]

TEXT_PARTS = ("text_encoder", "text_encoder_2", "text_encoder_3")
DENOISER_PARTS = ("unet", "transformer")

STEERING_CLASSES: Mapping[str, str] = {
    "ControlNetModel": "controlnet",
    "ControlNetUnionModel": "controlnet",
    "SD3ControlNetModel": "controlnet",
    "FluxControlNetModel": "controlnet",
    "T2IAdapter": "adapter",
}
"""Classes in config.json of networks that steer a denoiser, and the kind of part they are."""

CLASSES: Mapping[str, str] = {**STEERING_CLASSES, "AutoencoderTiny": "tiny_vae"}
"""Classes in config.json that tell what a network is, whatever its folder is called, and the kind of part they are."""

SINGLE_FILE_PREFIXES: Mapping[str, str] = {
    "control_model.": "controlnet",
    "model.diffusion_model.": "denoiser",
    "first_stage_model.": "vae",
    "vae.": "vae",
    "cond_stage_model.transformer.": "clip_l",
    "cond_stage_model.model.": "openclip",
    "conditioner.embedders.0.transformer.": "clip_l",
    "conditioner.embedders.0.model.": "clip_g",
    "conditioner.embedders.1.model.": "clip_g",
    "text_encoders.clip_l.": "clip_l",
    "text_encoders.clip_g.": "clip_g",
    "text_encoders.t5xxl.": "t5xxl",
}
"""Where the parts of a single file begin, in the words of the tools that write them."""

BARE_MARKS: Mapping[str, str] = {
    "input_hint_block.0.weight": "controlnet",
    "controlnet_cond_embedding.conv_in.weight": "controlnet",
    "controlnet_blocks.0.weight": "controlnet",
    "adapter.body.0.resnets.0.block1.weight": "adapter",
    "body.0.block1.weight": "adapter",
    "input_blocks.0.0.weight": "denoiser",
    "joint_blocks.0.x_block.attn.qkv.weight": "denoiser",
    "double_blocks.0.img_attn.qkv.weight": "denoiser",
    "y_embedder.embedding_table.weight": "denoiser",
    "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight": "denoiser",
    "transformer_blocks.0.attn.add_q_proj.weight": "denoiser",
    "down_blocks.0.resnets.0.conv1.weight": "denoiser",
    "temb.dense.0.weight": "denoiser",
    "all_modules.0.W": "denoiser",
    "all_modules.0.weight": "denoiser",
    "decoder.conv_in.weight": "vae",
    "decoder.layers.2.conv.0.weight": "tiny_vae",
    "encoder.layers.1.conv.0.weight": "tiny_vae",
    "1.conv.0.weight": "tiny_vae",
    "3.conv.0.weight": "tiny_vae",
    "encoder.block.0.layer.0.SelfAttention.q.weight": "t5xxl",
    "enc.blk.0.attn_q.weight": "t5xxl",
    "text_model.embeddings.token_embedding.weight": "clip",
    "embeddings.token_embedding.weight": "clip",
    "transformer.resblocks.0.attn.in_proj_weight": "openclip",
    "vision_model.embeddings.patch_embedding.weight": "image_encoder",
    "embeddings.patch_embedding.weight": "image_encoder",
    "ip_adapter.1.to_k_ip.weight": "ip_adapter",
    "double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight": "ip_adapter",
    "encoder_hid_proj.image_projection_layers.0.norm.weight": "ip_adapter",
    "encoder_hid_proj.image_projection_layers.0.norm_out.weight": "ip_adapter",
}
"""A tensor that tells which network a file without prefixes holds."""

PARALLEL = "module."
"""What stands before every name where a network was saved as torch's DataParallel had it."""

DIFFUSERS_MARKS = (
    "controlnet_cond_embedding.conv_in.weight",
    "controlnet_blocks.0.weight",
    "adapter.body.0.resnets.0.block1.weight",
    "down_blocks.0.resnets.0.conv1.weight",
    "decoder.mid_block.resnets.0.conv1.weight",
    "decoder.layers.2.conv.0.weight",
    "encoder.layers.1.conv.0.weight",
    "transformer_blocks.0.attn.add_q_proj.weight",
    "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight",
    "text_model.embeddings.token_embedding.weight",
    "embeddings.token_embedding.weight",
)
"""Tensors that only diffusers' and transformers' own naming has."""


@dataclass(frozen=True)
class Part:
    """One network of a checkpoint, known from headers alone.

    `kind` is what the single-file prefix or the folder's name says it is. `shapes` are by the names inside the part;
    `places` say in which file and under which name each tensor lies. `config` is its config.json, where there is one.
    """

    kind: str
    path: Path
    layout: Layout
    shapes: Mapping[str, Shape]
    places: Mapping[str, tuple[Path, str]]
    config: Config | None = None

    def __str__(self) -> str:
        """Write where the part is, for errors."""
        return f"{self.path} ({self.kind})" if self.layout == "original" else str(self.path)

    @property
    def files(self) -> set[Path]:
        """The files the part depends on: weights, config.json and, for texts, the tokenizer."""
        files = {file for file, _ in self.places.values()}
        if self.config is not None:
            files.add(self.path / "config.json")
        if self.layout == "diffusers" and (names := names_file(self.path)) is not None:
            files.add(names)
        if (tokenizer := tokenizer_folder(self)) is not None:
            files.update(file for file in tokenizer.iterdir() if file.is_file())
        return files

    def digest(self) -> str:
        """Return the identity of the files the part depends on."""
        found = joint_identity(self.files)
        remember_place(found, self.path)
        return found


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as its parts, by kind, and what else it says of itself.

    `scheduler` and `index` are a folder's scheduler_config.json and model_index.json; `metadata` a single file's;
    `markers` are tensor names outside all parts (`v_pred`, `betas`, ...).
    """

    path: Path
    parts: Mapping[str, Part]
    scheduler: Config | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    markers: frozenset[str] = frozenset()
    index: Config | None = None

    def digest(self) -> str:
        """Return the identity of all that the checkpoint's meaning depends on: its parts, scheduler and index."""
        parts = {kind: part.digest() for kind, part in sorted(self.parts.items())}
        return sha256(json.dumps([parts, self.scheduler, self.index], sort_keys=True).encode()).hexdigest()


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a diffusers folder, one component's folder, or a single safetensors file.

    Raises:
        CheckpointError: nothing is there, only pickles are, or the files are not what they should be.
    """
    if path.is_file():
        return _open_file(path)
    if not path.is_dir():
        raise CheckpointError(f"{path}: no such file or folder; give a diffusers folder or a .safetensors file")
    if (path / "model_index.json").is_file():
        return _open_pipeline(path)
    part = _open_component(path)
    return Checkpoint(path, {part.kind: part})


def tokenizer_folder(part: Part) -> Path | None:
    """Return the folder of the tokenizer that belongs to a text encoder's folder; None for single files."""
    if part.layout != "diffusers" or not part.path.is_dir():
        return None
    folder = part.path.with_name(part.path.name.replace("text_encoder", "tokenizer"))
    return folder if folder.is_dir() and folder != part.path else None


def names_file(component: Path) -> Path | None:
    """Return the model_index.json that names the classes a denoiser's folder was trained on; None where none does."""
    index = component.with_name("model_index.json")
    if component.name not in DENOISER_PARTS or not index.is_file():
        return None
    return index if isinstance(read_json(index).get("id2label"), dict) else None


# --- folders --------------------------------------------------------------------------------------------------------


def _open_pipeline(folder: Path) -> Checkpoint:
    index = read_json(folder / "model_index.json")
    parts = {}
    for name in (*DENOISER_PARTS, *TEXT_PARTS, "vae", "controlnet", "adapter"):
        entry = index.get(name)
        if isinstance(entry, list) and len(entry) == 2 and entry[1] is not None:
            part = _open_component(folder / name)
            parts[part.kind] = part
    config = folder / "scheduler" / "scheduler_config.json"
    return Checkpoint(folder, parts, read_json(config) if config.is_file() else None, index=index)


def _open_component(folder: Path) -> Part:
    config = folder / "config.json"
    if not config.is_file():
        raise CheckpointError(
            f"{folder}: holds neither model_index.json nor config.json; give a diffusers folder, one of its "
            "component folders, or a .safetensors file"
        )
    shapes: dict[str, Shape] = {}
    places: dict[str, tuple[Path, str]] = {}
    for file in _weight_files(folder):
        for name, info in file_header(file).tensors.items():
            if name in shapes:
                raise CheckpointError(
                    f"{file}: tensor {name!r} is in {places[name][0].name} too; keep one of the files"
                )
            shapes[name], places[name] = info.shape, (file, name)
    told = read_json(config)
    kind = CLASSES.get(str(told.get("_class_name")), folder.name)
    return Part(kind, folder, "diffusers", MappingProxyType(shapes), MappingProxyType(places), told)


def _weight_files(folder: Path) -> list[Path]:
    """Find a component's weights: whole or in shards, in full precision where both are there."""
    for stem in ("diffusion_pytorch_model", "model"):
        for variant in ("", ".fp16", ".bf16"):
            whole = folder / f"{stem}{variant}.safetensors"
            if whole.is_file():
                return [whole]
            index = folder / f"{stem}.safetensors.index{variant}.json"
            if index.is_file():
                return _shards(index)
    for pickle in sorted(folder.glob("*.bin")):
        refuse_pickle(pickle)
    raise CheckpointError(
        f"{folder}: holds no weights; diffusion_pytorch_model.safetensors or model.safetensors is expected there"
    )


def _shards(index: Path) -> list[Path]:
    names = read_json(index).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise CheckpointError(f"{index}: has no weight_map; download it again")
    files = []
    for name in sorted({str(value) for value in names.values()}):
        if Path(name).name != name:
            raise CheckpointError(f"{index}: names the shard {name!r}; a shard must lie beside its index")
        if not (index.parent / name).is_file():
            raise CheckpointError(f"{index}: names the shard {name!r}, which is not there; download it again")
        files.append(index.parent / name)
    return files


def read_json(path: Path) -> Config:
    """Read a JSON object; raise CheckpointError for anything else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path}: cannot be read as JSON ({error}); download it again") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: must be a JSON object, and is a {type(found).__name__}; download it again")
    return found


# --- single files ---------------------------------------------------------------------------------------------------


def _open_file(path: Path) -> Checkpoint:
    header = file_header(path)
    groups: dict[str, dict[str, str]] = {}
    markers = set()
    for name in header.tensors:
        for prefix, kind in SINGLE_FILE_PREFIXES.items():
            if name.startswith(prefix):
                groups.setdefault(kind, {})[name.removeprefix(prefix)] = name
                break
        else:
            markers.add(name)
    if not groups:
        return _open_bare(header)
    parts = {kind: _file_part(header, kind, names, "original") for kind, names in groups.items()}
    return Checkpoint(path, parts, None, header.metadata, frozenset(markers))


def _open_bare(header: Header) -> Checkpoint:
    """Open a file that holds one network and names its tensors without a prefix."""
    parallel = all(name.startswith(PARALLEL) for name in header.tensors)
    names = {name.removeprefix(PARALLEL) if parallel else name: name for name in header.tensors}
    for mark, kind in BARE_MARKS.items():
        if mark in names:
            part = _file_part(header, kind, names, _bare_layout(names))
            return Checkpoint(header.path, {kind: part}, None, header.metadata)
    raise CheckpointError(
        f"{header.path}: holds none of the networks graphgen knows (its first tensors are "
        f"{', '.join(list(header.tensors)[:4]) or 'none'}); give a whole model, or a UNet, transformer, text encoder "
        "or autoencoder of one"
    )


def _bare_layout(names: Mapping[str, str]) -> Layout:
    return "diffusers" if any(mark in names for mark in DIFFUSERS_MARKS) else "original"


def _file_part(header: Header, kind: str, names: Mapping[str, str], layout: Layout) -> Part:
    shapes = {short: header.tensors[full].shape for short, full in names.items()}
    places = {short: (header.path, full) for short, full in names.items()}
    return Part(kind, header.path, layout, MappingProxyType(shapes), MappingProxyType(places))
