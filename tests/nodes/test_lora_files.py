"""LoRA files: every dialect, name and algorithm gives the change it stands for, and what fits nowhere is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from released import bare, flux, ldm_unet, mmdit
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor, nn

from graphgen import Place
from graphgen.residency import Residency
from graphgen_nodes import Denoiser, TextEncoder
from graphgen_nodes.checkpoints import CheckpointError, identity, open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle, text_encoder_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.lora.blocks import parse_blocks, weight_of
from graphgen_nodes.lora.files import open_lora
from graphgen_nodes.lora.matching import guess_family
from graphgen_nodes.lora.patch import LoRA
from nodes import lora_kit as kit

ARCHES: tuple[Arch, ...] = ("sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux")
DENOISERS = dict.fromkeys(ARCHES, "unet") | {"sd3": "transformer", "flux": "transformer"}


def quiet(done: int, total: int) -> None:
    """Take a report and do nothing."""


@pytest.fixture(scope="module")
def residency() -> Residency:
    return Residency([ModelLoader()], Place("cpu", "float32"))


@cache
def pipeline(arch: Arch) -> Any:
    """Return a tiny model in diffusers' classes, to look at."""
    return make_pipeline(arch, seed=0)


def model(arch: Arch) -> Denoiser:
    return denoiser_handle(open_checkpoint(shared_tiny(arch).folder))


def texts(arch: Arch) -> TextEncoder:
    return text_encoder_handle([open_checkpoint(shared_tiny(arch).folder)])


def changed(
    residency: Residency, handle: Denoiser | TextEncoder, path: Path, **settings: Any
) -> dict[str, dict[str, Tensor]]:
    """Return, by part, what a file adds to the parameters it changes."""
    patched = replace(handle, patches=(LoRA(identity(path), str(path), **settings),))
    with residency.lease(handle, quiet) as plain, residency.lease(patched, quiet) as other:
        before, after = (dict(found.networks) for found in (plain, other))  # type: ignore[attr-defined]
        return {
            part: {
                name: new - old
                for (name, old), new in zip(before[part].named_parameters(), after[part].parameters(), strict=True)
                if new is not old
            }
            for part in before
        }


def assert_added(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Check that just the expected weights were changed, by just that."""
    assert found.keys() == {f"{name}.weight" for name in expected}
    for name, value in expected.items():
        torch.testing.assert_close(found[f"{name}.weight"], value, rtol=1e-4, atol=1e-6)


# --- names ------------------------------------------------------------------------------------------------------------


def whole_difference(arch: Arch) -> dict[str, Tensor]:
    """Return a random change to each weight of a tiny denoiser; Flux's release calls those of norms scales."""
    generator = torch.Generator().manual_seed(3)
    module: nn.Module = getattr(pipeline(arch), DENOISERS[arch])
    return {
        name: torch.randn(value.shape, generator=generator) / 8
        for name, value in module.state_dict().items()
        if name.endswith(".weight") and not (arch == "flux" and ".attn.norm_" in name)
    }


def release(arch: Arch, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Name a denoiser's tensors as its family's release does."""
    if arch == "flux":
        return flux(tensors)
    return mmdit(tensors, depth=2) if arch == "sd3" else ldm_unet(tensors, layers=1)


@pytest.mark.parametrize("prefix", ["lora_unet_", "diffusion_model.", "lycoris_", ""])
@pytest.mark.parametrize("named", ["diffusers", "release"])
@pytest.mark.parametrize("arch", ARCHES)
def test_every_layer_is_found_by_every_name(
    arch: Arch, named: str, prefix: str, residency: Residency, tmp_path: Path
) -> None:
    """Change each weight of a network under the names of its class and of its release, which fuses some and swaps."""
    difference = whole_difference(arch)
    tensors = release(arch, difference) if named == "release" else difference
    word = "." if not prefix or prefix.endswith(".") else "_"
    file = kit.save(
        tmp_path / "all.safetensors",
        {f"{prefix}{name.removesuffix('.weight').replace('.', word)}.diff": value for name, value in tensors.items()},
    )
    found = changed(residency, model(arch), file)[DENOISERS[arch]]
    assert_added(found, {name.removesuffix(".weight"): value for name, value in difference.items()})


@pytest.mark.parametrize(
    ("arch", "part", "prefix", "inner"),
    [
        ("sd1", "text_encoder", "lora_te_", "text_model."),
        ("sd1", "text_encoder", "lora_te1_", "text_model."),
        ("sd2", "text_encoder", "text_encoder.", "text_model."),
        ("sdxl", "text_encoder", "lora_te1_", "text_model."),
        ("sdxl", "text_encoder_2", "lora_te2_", "text_model."),
        ("sdxl_refiner", "text_encoder_2", "text_encoder_2.", "text_model."),
        ("sd3", "text_encoder", "lora_te1_", "text_model."),
        ("sd3", "text_encoder_2", "lora_te2_", "text_model."),
        ("sd3", "text_encoder_2", "text_encoder_2.", ""),
        ("sd3", "text_encoder_3", "lora_te3_", ""),
        ("flux", "text_encoder", "lora_te1_", "text_model."),
        ("flux", "text_encoder_2", "lora_te3_", ""),
        ("flux", "text_encoder_2", "text_encoder_2.", ""),
        ("sd3", "text_encoder", "text_encoders.clip_l.transformer.", "text_model."),
    ],
)
def test_text_encoders_are_found_by_every_name(
    arch: Arch, part: str, prefix: str, inner: str, residency: Residency, tmp_path: Path
) -> None:
    module: nn.Module = getattr(pipeline(arch), part)
    layers = {bare(name): weight for name, weight in kit.layers_of(module).items() if "projection" not in name}
    pairs = kit.pairs(layers, seed=1)
    named = {f"{inner}{name}": value for name, value in pairs.items()}
    file = kit.save(
        tmp_path / "text.safetensors", kit.kohya(named, prefix) if prefix[-1] == "_" else kit.peft(named, prefix)
    )
    found = changed(residency, texts(arch), file)
    assert not any(changes for name, changes in found.items() if name != part)
    own = {bare(name): value for name, value in found[part].items()}
    assert_added(own, kit.dense(pairs))


@pytest.mark.parametrize("dialect", [kit.kohya, kit.peft, kit.old])
def test_dialects_of_attention(dialect: Callable[..., kit.Parts], residency: Residency, tmp_path: Path) -> None:
    pairs = kit.pairs(kit.layers_of(pipeline("sd1").unet, "to_q", "to_k", "to_v", "to_out.0"), seed=2)
    prefix = "lora_unet_" if dialect is kit.kohya else "unet."
    file = kit.save(tmp_path / "attention.safetensors", dialect(pairs, prefix))
    assert_added(changed(residency, model("sd1"), file)["unet"], kit.dense(pairs))


def test_old_names_of_text_attention(residency: Residency, tmp_path: Path) -> None:
    """Read `to_q_lora` and `lora_linear_layer`, which diffusers wrote for CLIP before PEFT."""
    pairs = kit.pairs({bare(name): weight for name, weight in kit.layers_of(pipeline("sd1").text_encoder).items()}, 5)
    words = {"q_proj": "to_q_lora", "k_proj": "to_k_lora", "v_proj": "to_v_lora", "out_proj": "to_out_lora"}
    tensors: kit.Parts = {}
    for name, (down, up) in pairs.items():
        owner, _, own = name.rpartition(".")
        key = f"text_encoder.text_model.{owner}.{words.get(own, f'{own}.lora_linear_layer')}"
        tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
    found = changed(residency, texts("sd1"), kit.save(tmp_path / "old.safetensors", tensors))["text_encoder"]
    assert_added({bare(name): value for name, value in found.items()}, kit.dense(pairs))


# --- algorithms -------------------------------------------------------------------------------------------------------

LINEAR = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
CONV = "mid_block.resnets.0.conv1"


def one_layer(residency: Residency, tmp_path: Path, layer: str, tensors: kit.Parts, **settings: Any) -> Tensor:
    """Return what a file with one layer adds to SD 1's UNet."""
    metadata = settings.pop("metadata", None)
    named = {f"unet.{layer}.{role}": value for role, value in tensors.items()}
    file = kit.save(tmp_path / "one.safetensors", named, metadata=metadata)
    (found,) = changed(residency, model("sd1"), file, **settings)["unet"].values()
    return found


def weight_of_layer(layer: str) -> Tensor:
    weight: Tensor = pipeline("sd1").unet.get_parameter(f"{layer}.weight")
    return weight


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) / 4


@pytest.mark.parametrize("layer", [LINEAR, CONV])
def test_alpha_over_rank(layer: str, residency: Residency, tmp_path: Path) -> None:
    down, up = kit.pair(weight_of_layer(layer), 1)
    expected = kit.dense({layer: (down, up)})[layer]
    tensors = {"lora_down.weight": down, "lora_up.weight": up}
    torch.testing.assert_close(one_layer(residency, tmp_path, layer, tensors), expected, rtol=1e-4, atol=1e-6)
    tensors["alpha"] = torch.tensor(1.5)
    found = one_layer(residency, tmp_path, layer, tensors, strength=-0.5)
    torch.testing.assert_close(found, -0.5 * 1.5 / kit.RANK * expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("rslora", "scale"), [(False, 2 / kit.RANK), (True, 2 / kit.RANK**0.5)])
def test_alpha_of_the_metadata(rslora: bool, scale: float, residency: Residency, tmp_path: Path) -> None:
    down, up = kit.pair(weight_of_layer(LINEAR), 1)
    told = json.dumps({"unet.lora_alpha": 2, "unet.use_rslora": rslora})
    found = one_layer(
        residency,
        tmp_path,
        LINEAR,
        {"lora_A.weight": down, "lora_B.weight": up},
        metadata={"lora_adapter_metadata": told},
    )
    torch.testing.assert_close(found, scale * (up @ down), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("pattern", "alpha"),
    [("attn1.to_q", 5), (LINEAR, 5), (r"mid_block.*|.*to_q", 5), ("to_k", 2), ("n1.to_q", 2), ("unet", 2)],
)
def test_alpha_of_the_metadata_by_patterns(pattern: str, alpha: int, residency: Residency, tmp_path: Path) -> None:
    """A pattern is of the end of a layer's name, whole words alone, as PEFT has it."""
    down, up = kit.pair(weight_of_layer(LINEAR), 1)
    told = json.dumps({"unet.lora_alpha": 2, "unet.alpha_pattern": {pattern: 5}, "unet.rank_pattern": {pattern: 4}})
    given = {"lora_A.weight": down, "lora_B.weight": up}
    found = one_layer(residency, tmp_path, LINEAR, given, metadata={"lora_adapter_metadata": told})
    torch.testing.assert_close(found, alpha / kit.RANK * (up @ down), rtol=1e-4, atol=1e-6)


def test_a_pattern_that_cannot_be_read_is_refused(residency: Residency, tmp_path: Path) -> None:
    down, up = kit.pair(weight_of_layer(LINEAR), 1)
    told = {"lora_adapter_metadata": json.dumps({"unet.alpha_pattern": {"to_(q": 5}})}
    with pytest.raises(CheckpointError, match=r"has the pattern 'to_\(q', which cannot be read"):
        one_layer(residency, tmp_path, LINEAR, {"lora_A.weight": down, "lora_B.weight": up}, metadata=told)


def test_tucker_convolution_acts_as_its_three_layers(residency: Residency, tmp_path: Path) -> None:
    out, inner = weight_of_layer(CONV).shape[:2]
    down, mid, up = random(3, inner, 1, 1), random(3, 3, 3, 3, seed=1), random(out, 3, 1, 1, seed=2)
    found = one_layer(
        residency, tmp_path, CONV, {"lora_down.weight": down, "lora_mid.weight": mid, "lora_up.weight": up}
    )
    x = random(2, inner, 5, 5, seed=4)
    conv = nn.functional.conv2d
    torch.testing.assert_close(conv(x, found), conv(conv(conv(x, down), mid), up), rtol=1e-3, atol=1e-5)


def test_linear_projection_given_as_convolution(residency: Residency, tmp_path: Path) -> None:
    """Take 1x1 convolutions for a matrix, as trainers of SD 1 wrote them for SD 2's linear projections."""
    layer = "mid_block.attentions.0.proj_in"
    weight = pipeline("sd2").unet.get_parameter(f"{layer}.weight")
    assert weight.ndim == 2
    down, up = kit.pair(weight, 1)
    named = {f"lora_unet_{layer.replace('.', '_')}.lora_down.weight": down[..., None, None]}
    named[f"lora_unet_{layer.replace('.', '_')}.lora_up.weight"] = up[..., None, None]
    found = changed(residency, model("sd2"), kit.save(tmp_path / "conv.safetensors", named))["unet"]
    torch.testing.assert_close(found[f"{layer}.weight"], up @ down, rtol=1e-4, atol=1e-6)


def trained(layer: str, config: Any) -> tuple[nn.Module, dict[str, Tensor], Tensor]:
    """Return a layer of SD 1's UNet adapted by peft, its adapter's random tensors, and the new weight."""
    import peft

    weight = weight_of_layer(layer)
    rows, columns = weight.shape[:2]
    plain = nn.Linear(columns, rows) if weight.ndim == 2 else nn.Conv2d(columns, rows, 3, padding=1)
    plain.weight.data.copy_(weight)
    model = peft.get_peft_model(nn.ModuleDict({"layer": plain}), config)
    adapted = model.base_model.model["layer"]
    tensors = {}
    for index, (name, value) in enumerate(adapted.named_parameters()):
        if "base_layer" not in name:
            value.data.copy_(random(*value.shape, seed=index) + ("magnitude" in name))
            tensors[name.replace(".default", "")] = value.data
    merged = model.merge_and_unload()["layer"].weight.data
    return adapted, tensors, merged


@pytest.mark.parametrize("tucker", [False, True])
@pytest.mark.parametrize("layer", [LINEAR, CONV])
def test_loha_equals_peft(layer: str, tucker: bool, residency: Residency, tmp_path: Path) -> None:
    import peft

    config = peft.LoHaConfig(r=3, alpha=2, target_modules=["layer"], use_effective_conv2d=tucker)
    _, tensors, merged = trained(layer, config)
    assert ("hada_t1" in tensors) is (tucker and layer == CONV)
    found = one_layer(residency, tmp_path, layer, {**tensors, "alpha": torch.tensor(2.0)})
    torch.testing.assert_close(found, merged - weight_of_layer(layer), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("decompose_both", "tucker"), [(False, False), (True, False), (True, True)])
@pytest.mark.parametrize("layer", [LINEAR, CONV])
def test_lokr_equals_peft(layer: str, decompose_both: bool, tucker: bool, residency: Residency, tmp_path: Path) -> None:
    import peft

    settings = {"decompose_both": decompose_both, "use_effective_conv2d": tucker, "decompose_factor": 4}
    _, tensors, merged = trained(layer, peft.LoKrConfig(r=2, alpha=3, target_modules=["layer"], **settings))
    found = one_layer(residency, tmp_path, layer, {**tensors, "alpha": torch.tensor(3.0)})
    torch.testing.assert_close(found, merged - weight_of_layer(layer), rtol=1e-4, atol=1e-6)


def test_lokr_of_whole_factors_is_not_scaled(residency: Residency, tmp_path: Path) -> None:
    """A rank there is none of: alpha says nothing then, as in LyCORIS."""
    first, second = random(8, 2), random(8, 32, seed=1)
    tensors = {"lokr_w1": first, "lokr_w2": second, "alpha": torch.tensor(5.0)}
    found = one_layer(residency, tmp_path, LINEAR, tensors)
    blocks = torch.cat([torch.cat([value * second for value in row], dim=1) for row in first])
    torch.testing.assert_close(found, blocks, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("layer", [LINEAR, CONV])
def test_dora_equals_peft(layer: str, residency: Residency, tmp_path: Path) -> None:
    import peft

    config = peft.LoraConfig(r=3, lora_alpha=3, target_modules=["layer"], use_dora=True)
    _, tensors, merged = trained(layer, config)
    lengths = tensors.pop("lora_magnitude_vector.weight", None)
    assert lengths is not None
    change = merged - weight_of_layer(layer)
    in_peft = {**tensors, "lora_magnitude_vector": lengths}
    in_kohya = {
        "lora_down.weight": tensors["lora_A.weight"],
        "lora_up.weight": tensors["lora_B.weight"],
        "dora_scale": lengths.reshape(-1, 1),
    }
    for held in (in_peft, in_kohya):
        torch.testing.assert_close(one_layer(residency, tmp_path, layer, held), change, rtol=1e-4, atol=1e-5)
        half = one_layer(residency, tmp_path, layer, held, strength=0.5)
        torch.testing.assert_close(half, change / 2, rtol=1e-4, atol=1e-5)


def test_dora_of_lycoris_gives_columns_their_lengths(residency: Residency, tmp_path: Path) -> None:
    weight = weight_of_layer(LINEAR)
    down, up = kit.pair(weight, 1)
    lengths = 1 + random(1, weight.shape[1]).abs()
    tensors = {"lora_down.weight": down, "lora_up.weight": up, "dora_scale": lengths}
    new = weight + one_layer(residency, tmp_path, LINEAR, tensors)
    torch.testing.assert_close(new.norm(dim=0), lengths[0], rtol=1e-4, atol=1e-5)
    directions = nn.functional.cosine_similarity(new, weight + up @ down, dim=0)
    torch.testing.assert_close(directions, torch.ones_like(directions), rtol=1e-4, atol=1e-5)


def test_differences_of_weight_and_bias(residency: Residency, tmp_path: Path) -> None:
    weight = weight_of_layer(CONV)
    one, other = random(*weight.shape), random(len(weight), seed=1)
    file = kit.save(tmp_path / "full.safetensors", {f"unet.{CONV}.diff": one, f"unet.{CONV}.diff_b": other})
    found = changed(residency, model("sd1"), file, strength=2.0)["unet"]
    torch.testing.assert_close(found[f"{CONV}.weight"], 2 * one, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(found[f"{CONV}.bias"], 2 * other, rtol=1e-4, atol=1e-6)


# --- blocks -----------------------------------------------------------------------------------------------------------


def test_weights_by_blocks() -> None:
    blocks = parse_blocks("all 0.25, down 1, down.1 0.5, mid -1,up_blocks.0.attentions.1 2, single.3-5 0")
    layers = {
        "conv_in": 0.25,
        "down_blocks.0.resnets.0.conv1": 1.0,
        "down_blocks.1.resnets.0.conv1": 0.5,
        "down_blocks.10.resnets.0.conv1": 1.0,
        "mid_block.attentions.0.proj_in": -1.0,
        "up_blocks.0.attentions.1.proj_in": 2.0,
        "up_blocks.0.attentions.0.proj_in": 0.25,
        "single_transformer_blocks.3.proj_mlp": 0.0,
        "single_transformer_blocks.5.proj_mlp": 0.0,
        "single_transformer_blocks.6.proj_mlp": 0.25,
    }
    assert {layer: weight_of(blocks, layer) for layer in layers} == layers
    assert weight_of(parse_blocks(""), "conv_in") == 1.0


@pytest.mark.parametrize("text", ["down", "down: 1", "1", "up nan", "up.5-2 1", "up.1-99999 1", "down 1; up 0"])
def test_blocks_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no (block and weight|range of blocks); write"):
        parse_blocks(text)


def test_blocks_scale_their_layers(residency: Residency, tmp_path: Path) -> None:
    pairs = kit.pairs(kit.layers_of(pipeline("sd1").unet, "to_q"), seed=2)
    file = kit.save(tmp_path / "blocks.safetensors", kit.kohya(pairs, "lora_unet_"))
    found = changed(residency, model("sd1"), file, strength=2.0, blocks=parse_blocks("down 0, mid 0.5, up.1 -1"))[
        "unet"
    ]
    scales = {
        name: next((v for k, v in {"down": 0.0, "mid": 1.0, "up": -2.0}.items() if name.startswith(k)))
        for name in pairs
    }
    assert set(scales.values()) == {0.0, 1.0, -2.0}
    expected = {name: scales[name] * change for name, change in kit.dense(pairs).items() if scales[name]}
    assert_added(found, expected)


# --- files that are no LoRA, or a damaged one -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"model.weight": (2, 2)}, r"holds 'model\.weight', which belongs to no LoRA"),
        ({"unet.a.lora_down.weight": (2, 2)}, r"'unet\.a' has down, which is no whole LoRA"),
        ({"unet.a.alpha": ()}, r"'unet\.a' has alpha, which is no whole LoRA"),
        ({"unet.a.lora_down.weight": (2,), "unet.a.lora_up.weight": (2, 2)}, "wrong ranks"),
        ({f"unet.a.hada_w{w}": (2, 2) for w in ("1_a", "1_b", "2_a")}, "no whole LoRA, LoHa or LoKr"),
        ({"unet.a.lokr_w1": (2, 2), "unet.a.lokr_w2_a": (2, 2)}, "no whole LoRA, LoHa or LoKr"),
    ],
)
def test_files_that_are_no_lora(tensors: dict[str, tuple[int, ...]], message: str, tmp_path: Path) -> None:
    file = kit.save(tmp_path / "odd.safetensors", {name: torch.zeros(shape) for name, shape in tensors.items()})
    with pytest.raises(CheckpointError, match=message):
        open_lora(file)


def test_lengths_that_fit_nothing(residency: Residency, tmp_path: Path) -> None:
    down, up = kit.pair(weight_of_layer(LINEAR), 1)
    tensors = {"lora_down.weight": down, "lora_up.weight": up, "dora_scale": torch.ones(5)}
    with pytest.raises(CheckpointError, match="has 5 lengths for 64 rows of 64 numbers; there must be one for each"):
        one_layer(residency, tmp_path, LINEAR, tensors)


def test_a_file_that_changed_is_not_read(residency: Residency, tmp_path: Path) -> None:
    down, up = kit.pair(weight_of_layer(LINEAR), 1)
    file = kit.save(
        tmp_path / "a.safetensors", {f"unet.{LINEAR}.lora_down.weight": down, f"unet.{LINEAR}.lora_up.weight": up}
    )
    patch = LoRA(identity(file), str(file))
    assert patch.files() == (file,)
    kit.save(file, kit.peft({LINEAR: (down, 2 * up)}, "unet."))
    with (
        pytest.raises(CheckpointError, match="changed since"),
        residency.lease(replace(model("sd1"), patches=(patch,)), quiet),
    ):
        pass


@pytest.mark.parametrize(
    ("names", "metadata", "family"),
    [
        (("lora_unet_double_blocks_0_img_attn_qkv",), {}, "Flux"),
        (("transformer.single_transformer_blocks.0.attn.to_q",), {}, "Flux"),
        (("lora_unet_joint_blocks_0_x_block_attn_qkv",), {}, "Stable Diffusion 3"),
        (("lora_unet_input_blocks_7_1_transformer_blocks_9_attn1_to_q",), {}, "Stable Diffusion XL"),
        (("lora_unet_mid_block_attentions_0_transformer_blocks_0_attn2_to_k",), {}, "Stable Diffusion 1.x"),
        (("anything",), {"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "Stable Diffusion XL"),
        (("anything",), {"ss_base_model_version": "sd_v1"}, "Stable Diffusion 1.x"),
        (("transformer.transformer_blocks.3.attn.to_q",), {}, "Stable Diffusion 3"),
        (("anything",), {}, None),
    ],
)
def test_whose_lora_it_is(names: tuple[str, ...], metadata: dict[str, str], family: str | None, tmp_path: Path) -> None:
    found = {name: (torch.zeros(1, 768), torch.zeros(4, 1)) for name in names}
    file = kit.save(tmp_path / "a.safetensors", kit.kohya(found, ""), metadata=metadata)
    assert guess_family(open_lora(file)) == family
