"""The names that original releases give to tensors, from diffusers' names, by arithmetic on their numbers.

This is what tests write single files by. It shares nothing with graphgen's own tables, which go the other way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import torch
from torch import Tensor


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put a prefix before every name."""
    return {prefix + name: value for name, value in tensors.items()}


def bare(name: str) -> str:
    """Return a text encoder's tensor name without the prefix that some classes have."""
    return name.removeprefix("text_model.")


UNET_WORDS = {
    r"^time_embedding\.linear_1": "time_embed.0",
    r"^time_embedding\.linear_2": "time_embed.2",
    r"^add_embedding\.linear_1": "label_emb.0.0",
    r"^add_embedding\.linear_2": "label_emb.0.2",
    r"^conv_in\.": "input_blocks.0.0.",
    r"^conv_norm_out": "out.0",
    r"^conv_out": "out.2",
    r"^mid_block\.attentions\.0": "middle_block.1",
    r"^mid_block\.resnets\.0": "middle_block.0",
    r"^mid_block\.resnets\.1": "middle_block.2",
}
RESNET_WORDS = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}


def ldm_unet(tensors: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Rename a UNet's tensors as latent diffusion does: blocks in one row, with `layers` resnets per resolution."""
    attends = {name.split(".attentions")[0] for name in tensors if ".attentions" in name}

    def number(name: str) -> str:
        if found := re.match(r"down_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name):
            level, kind, index, rest = int(found[1]), found[2], int(found[3]), found[4]
            return f"input_blocks.{1 + level * (layers + 1) + index}.{int(kind == 'attentions')}.{rest}"
        if found := re.match(r"down_blocks\.(\d+)\.downsamplers\.0\.conv\.(.*)", name):
            return f"input_blocks.{(int(found[1]) + 1) * (layers + 1)}.0.op.{found[2]}"
        if found := re.match(r"up_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", name):
            level, kind, index, rest = int(found[1]), found[2], int(found[3]), found[4]
            return f"output_blocks.{level * (layers + 1) + index}.{int(kind == 'attentions')}.{rest}"
        if found := re.match(r"(up_blocks\.(\d+))\.upsamplers\.0\.(.*)", name):
            return f"output_blocks.{int(found[2]) * (layers + 1) + layers}.{1 + (found[1] in attends)}.{found[3]}"
        return replaced(name, UNET_WORDS)

    renamed = {}
    for name, value in tensors.items():
        new = number(name)
        if ".resnets." in name:
            new = re.sub(r"(norm1|conv1|time_emb_proj|norm2|conv2|conv_shortcut)", lambda m: RESNET_WORDS[m[1]], new)
        renamed[new] = value
    return renamed


VAE_WORDS = {
    r"conv_norm_out": "norm_out",
    r"mid_block\.resnets\.0": "mid.block_1",
    r"mid_block\.resnets\.1": "mid.block_2",
    r"mid_block\.attentions\.0\.group_norm": "mid.attn_1.norm",
    r"mid_block\.attentions\.0\.to_out\.0": "mid.attn_1.proj_out",
    r"mid_block\.attentions\.0\.to_(.)": r"mid.attn_1.\1",
    r"down_blocks\.(\d+)\.resnets\.(\d+)": r"down.\1.block.\2",
    r"down_blocks\.(\d+)\.downsamplers\.0": r"down.\1.downsample",
    r"conv_shortcut": "nin_shortcut",
}


def ldm_vae(tensors: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """Rename an autoencoder's tensors as latent diffusion does: `up` counted from the finest, 1x1 convolutions."""

    def mirrored(found: re.Match[str]) -> str:
        kind = f"block.{found[3]}" if found[2] == "resnets" else "upsample"
        return f"up.{levels - 1 - int(found[1])}.{kind}"

    renamed = {}
    for name, value in tensors.items():
        new = re.sub(r"up_blocks\.(\d+)\.(resnets|upsamplers)\.(\d+)", mirrored, replaced(name, VAE_WORDS))
        matrix = re.search(r"attentions\.0\.to_.*weight", name)
        renamed[new] = value[:, :, None, None] if matrix else value
    return renamed


def open_clip(tensors: Mapping[str, Tensor], layers: int, seed: int | None = None) -> dict[str, Tensor]:
    """Rename a CLIP text encoder's tensors as OpenCLIP does; with a seed, add the last layer that SD 2 never uses."""
    given = {bare(name): value for name, value in tensors.items()}
    renamed = {
        "token_embedding.weight": given["embeddings.token_embedding.weight"],
        "positional_embedding": given["embeddings.position_embedding.weight"],
        "ln_final.weight": given["final_layer_norm.weight"],
        "ln_final.bias": given["final_layer_norm.bias"],
        "text_projection": given["text_projection.weight"].T if "text_projection.weight" in given else torch.eye(64),
        "logit_scale": torch.tensor(4.6),
    }
    words = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    for layer in range(layers):
        old, new = f"encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            for theirs, ours in {**words, "self_attn.out_proj": "attn.out_proj"}.items():
                renamed[f"{new}.{ours}.{kind}"] = given[f"{old}.{theirs}.{kind}"]
            fused = [given[f"{old}.self_attn.{matrix}_proj.{kind}"] for matrix in ("q", "k", "v")]
            renamed[f"{new}.attn.in_proj_{kind}"] = torch.cat(fused)
    if seed is None:
        return renamed
    generator = torch.Generator().manual_seed(seed)
    for name, value in list(renamed.items()):
        if name.startswith("transformer.resblocks.0."):
            unused = name.replace("resblocks.0", f"resblocks.{layers}")
            renamed[unused] = torch.randn(value.shape, generator=generator)
    return renamed


MMDIT_WORDS = {
    r"^pos_embed\.pos_embed$": "pos_embed",
    r"^pos_embed\.proj": "x_embedder.proj",
    r"^time_text_embed\.timestep_embedder\.linear_1": "t_embedder.mlp.0",
    r"^time_text_embed\.timestep_embedder\.linear_2": "t_embedder.mlp.2",
    r"^time_text_embed\.text_embedder\.linear_1": "y_embedder.mlp.0",
    r"^time_text_embed\.text_embedder\.linear_2": "y_embedder.mlp.2",
    r"^proj_out": "final_layer.linear",
    r"^norm_out\.linear": "final_layer.adaLN_modulation.1",
    r"norm1\.linear": "x_block.adaLN_modulation.1",
    r"norm1_context\.linear": "context_block.adaLN_modulation.1",
    r"ff\.net\.0\.proj": "x_block.mlp.fc1",
    r"ff\.net\.2": "x_block.mlp.fc2",
    r"ff_context\.net\.0\.proj": "context_block.mlp.fc1",
    r"ff_context\.net\.2": "context_block.mlp.fc2",
    r"attn\.to_add_out": "context_block.attn.proj",
    r"(attn2?)\.to_out\.0": r"x_block.\1.proj",
    r"attn\.norm_added_(.)": r"context_block.attn.ln_\1",
    r"(attn2?)\.norm_([qk])": r"x_block.\1.ln_\2",
    r"^transformer_blocks": "joint_blocks",
}


def mmdit(tensors: Mapping[str, Tensor], depth: int) -> dict[str, Tensor]:
    """Rename an SD3 transformer's tensors as the release does: two streams, fused attention, shift before scale."""
    renamed: dict[str, Tensor] = {}
    outputs = ("norm_out.linear", f"transformer_blocks.{depth - 1}.norm1_context.linear")
    for name, value in tensors.items():
        if re.search(r"attn2?\.(to_[qkv]|add_[qkv]_proj)\.", name):
            continue
        if name.startswith(outputs):
            scale, shift = value.chunk(2)
            value = torch.cat([shift, scale])
        renamed[replaced(name, MMDIT_WORDS)] = value
    for block in range(depth):
        for kind in ("weight", "bias"):
            for theirs, ours in (
                ("attn.to_{}", "x_block.attn"),
                ("attn2.to_{}", "x_block.attn2"),
                ("attn.add_{}_proj", "context_block.attn"),
            ):
                names = [f"transformer_blocks.{block}.{theirs.format(matrix)}.{kind}" for matrix in "qkv"]
                if names[0] in tensors:
                    renamed[f"joint_blocks.{block}.{ours}.qkv.{kind}"] = torch.cat([tensors[name] for name in names])
    return renamed


def ddpm_unet(tensors: Mapping[str, Tensor], levels: int) -> dict[str, Tensor]:
    """Rename a pixel UNet's tensors as the first release in PyTorch does: attention as 1x1 convolutions."""

    def renamed(name: str) -> str:
        name = re.sub(r"^up_blocks\.(\d+)", lambda found: f"up.{levels - 1 - int(found[1])}", name)
        return replaced(name, DDPM_WORDS)

    found = {renamed(name): value for name, value in tensors.items()}
    pattern = re.compile(r"attn.*\.(q|k|v|proj_out)\.weight$")
    return {name: value[:, :, None, None] if pattern.search(name) else value for name, value in found.items()}


DDPM_WORDS = {
    r"^time_embedding\.linear_1": "temb.dense.0",
    r"^time_embedding\.linear_2": "temb.dense.1",
    r"^conv_norm_out": "norm_out",
    r"^down_blocks\.": "down.",
    r"^mid_block\.resnets\.0": "mid.block_1",
    r"^mid_block\.resnets\.1": "mid.block_2",
    r"^mid_block\.attentions\.0": "mid.attn_1",
    r"\.resnets\.": ".block.",
    r"\.attentions\.": ".attn.",
    r"\.(down|up)samplers\.0": r".\1sample",
    "time_emb_proj": "temb_proj",
    "conv_shortcut": "nin_shortcut",
    r"group_norm": "norm",
    r"\.to_([qkv])\.": r".\1.",
    r"\.to_out\.0\.": ".proj_out.",
}

DIT_WORDS = {
    r"^pos_embed\.proj": "x_embedder.proj",
    r"^proj_out_1": "final_layer.adaLN_modulation.1",
    r"^proj_out_2": "final_layer.linear",
    r"^transformer_blocks\.0\.norm1\.emb\.timestep_embedder\.linear_1": "t_embedder.mlp.0",
    r"^transformer_blocks\.0\.norm1\.emb\.timestep_embedder\.linear_2": "t_embedder.mlp.2",
    r"^transformer_blocks\.0\.norm1\.emb\.class_embedder": "y_embedder",
    r"^transformer_blocks\.": "blocks.",
    r"attn1\.to_out\.0": "attn.proj",
    r"ff\.net\.0\.proj": "mlp.fc1",
    r"ff\.net\.2": "mlp.fc2",
    r"norm1\.linear": "adaLN_modulation.1",
}


def dit(tensors: Mapping[str, Tensor], depth: int, positions: Tensor) -> dict[str, Tensor]:
    """Rename a DiT's tensors as the release does: one embedding for all blocks, fused attention, stored positions."""
    renamed = {"pos_embed": positions}
    for name, value in tensors.items():
        if not re.search(r"attn1\.to_[qkv]\.|blocks\.[1-9]\d*\.norm1\.emb\.", name):
            renamed[replaced(name, DIT_WORDS)] = value
    for block in range(depth):
        for kind in ("weight", "bias"):
            fused = [tensors[f"transformer_blocks.{block}.attn1.to_{matrix}.{kind}"] for matrix in "qkv"]
            renamed[f"blocks.{block}.attn.qkv.{kind}"] = torch.cat(fused)
    return renamed


FLUX_WORDS = {
    r"^time_text_embed\.timestep_embedder": "time_in",
    r"^time_text_embed\.text_embedder": "vector_in",
    r"^time_text_embed\.guidance_embedder": "guidance_in",
    r"^context_embedder": "txt_in",
    r"^x_embedder": "img_in",
    r"^proj_out": "final_layer.linear",
    r"^norm_out\.linear": "final_layer.adaLN_modulation.1",
    r"(_in)\.linear_1": r"\1.in_layer",
    r"(_in)\.linear_2": r"\1.out_layer",
    r"^single_transformer_blocks\.(\d+)\.norm\.linear": r"single_blocks.\1.modulation.lin",
    r"^single_transformer_blocks\.(\d+)\.attn\.norm_q\.weight": r"single_blocks.\1.norm.query_norm.scale",
    r"^single_transformer_blocks\.(\d+)\.attn\.norm_k\.weight": r"single_blocks.\1.norm.key_norm.scale",
    r"^single_transformer_blocks\.(\d+)\.proj_out": r"single_blocks.\1.linear2",
    r"^transformer_blocks": "double_blocks",
    r"norm1\.linear": "img_mod.lin",
    r"norm1_context\.linear": "txt_mod.lin",
    r"attn\.norm_added_q\.weight": "txt_attn.norm.query_norm.scale",
    r"attn\.norm_added_k\.weight": "txt_attn.norm.key_norm.scale",
    r"(\d)\.attn\.norm_q\.weight": r"\1.img_attn.norm.query_norm.scale",
    r"(\d)\.attn\.norm_k\.weight": r"\1.img_attn.norm.key_norm.scale",
    r"attn\.to_out\.0": "img_attn.proj",
    r"attn\.to_add_out": "txt_attn.proj",
    r"ff\.net\.0\.proj": "img_mlp.0",
    r"ff\.net\.2": "img_mlp.2",
    r"ff_context\.net\.0\.proj": "txt_mlp.0",
    r"ff_context\.net\.2": "txt_mlp.2",
}


def flux(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a Flux transformer's tensors as the release does: fused attention and MLP, shift before scale."""
    renamed: dict[str, Tensor] = {}
    fused: dict[str, list[tuple[int, Tensor]]] = {}
    for name, value in tensors.items():
        if found := re.match(r"(single_)?transformer_blocks\.(\d+)\.(?:attn\.(to|add)_[qkv]|proj_mlp).*\.(\w+)$", name):
            single, index, stream, kind = found.groups()
            stream = "img" if stream == "to" else "txt"
            place = f"single_blocks.{index}.linear1" if single else f"double_blocks.{index}.{stream}_attn.qkv"
            fused.setdefault(f"{place}.{kind}", []).append((_order(name), value))
            continue
        if name.startswith("norm_out.linear"):
            scale, shift = value.chunk(2)
            value = torch.cat([shift, scale])
        renamed[replaced(name, FLUX_WORDS)] = value
    for name, pieces in fused.items():
        renamed[name] = torch.cat([value for _, value in sorted(pieces, key=lambda piece: piece[0])])
    return renamed


def _order(name: str) -> int:
    """Return where a matrix stands in Flux's fused ones: query, key, value, MLP."""
    return next(place for place, mark in enumerate(("_q", "_k", "_v", "proj_mlp")) if mark in name)


def replaced(name: str, words: Mapping[str, str]) -> str:
    """Apply patterns to a name, one after the other."""
    for pattern, word in words.items():
        name = re.sub(pattern, word, name)
    return name


def control_unet(tensors: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Rename a ControlNet's tensors as its release does: beside the UNet's, the picture's convolutions in one row."""

    def number(name: str) -> str:
        name = re.sub(r"^controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0", name)
        return re.sub(r"^controlnet_mid_block", "middle_block_out.0", name)

    own = {name: value for name, value in tensors.items() if name.startswith("controlnet_")}
    rest = {name: value for name, value in tensors.items() if name not in own}
    return {**ldm_unet(rest, layers), **_hint("controlnet_cond_embedding", own, number)}


def control_flux(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a ControlNet for Flux as XLabs does."""
    own = {name: value for name, value in tensors.items() if name.startswith(("controlnet_", "input_hint_block"))}
    rest = {name: value for name, value in tensors.items() if name not in own}

    def name_of(name: str) -> str:
        return name.replace("controlnet_x_embedder", "pos_embed_input")

    return {**flux(rest), **_hint("input_hint_block", own, name_of)}


def t2i_adapter(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename a T2I-Adapter's tensors as its release does: two residual blocks for each level, in one row."""

    def renamed(name: str) -> str:
        name = name.removeprefix("adapter.")
        name = re.sub(r"^body\.(\d+)\.in_conv", lambda found: f"body.{2 * int(found[1])}.in_conv", name)
        block = r"^body\.(\d+)\.resnets\.(\d+)"
        return re.sub(block, lambda found: f"body.{2 * int(found[1]) + int(found[2])}", name)

    return {renamed(name): value for name, value in tensors.items()}


def _hint(prefix: str, tensors: Mapping[str, Tensor], rename: Callable[[str], str]) -> dict[str, Tensor]:
    """Rename what reads a picture: convolutions at every other place of one row; and the others by `rename`."""
    last = 2 + 2 * sum(name.startswith(f"{prefix}.blocks.") and name.endswith("weight") for name in tensors)
    places = {"conv_in": 0, "conv_out": last}
    found = {}
    for name, value in tensors.items():
        if match := re.match(rf"{prefix}\.(conv_in|conv_out|blocks\.(\d+))\.(\w+)", name):
            place = places[match[1]] if match[2] is None else 2 * int(match[2]) + 2
            found[f"input_hint_block.{place}.{match[3]}"] = value
        else:
            found[rename(name)] = value
    return found


def taesd(tensors: Mapping[str, Tensor], half: str) -> dict[str, Tensor]:
    """Rename a half of a tiny autoencoder's tensors as its release does, where a clamp is the decoder's layer 0."""
    own = {name.removeprefix(f"{half}.layers."): value for name, value in tensors.items() if name.startswith(half)}
    return {re.sub(r"^\d+", lambda found: str(int(found[0]) + (half == "decoder")), k): v for k, v in own.items()}
