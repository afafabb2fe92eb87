"""Check key tables against diffusers' converters and at published sizes, and what headers tell of a checkpoint."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from released import flux, ldm_unet, ldm_vae, mmdit, open_clip
from safetensors.torch import load_file, save_file
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor, nn

import graphgen_nodes
from graphgen_nodes import Flow, LatentFormat, SizedFlow, VariancePreserving, families
from graphgen_nodes.checkpoints import CheckpointError, Part, open_checkpoint
from graphgen_nodes.families.family import Family, Slot
from graphgen_nodes.families.handles import autoencoder_handle, denoiser_handle, text_encoder_handle

CONFIGS = Path(graphgen_nodes.__path__[0]) / "assets" / "configs"
ARCHES: tuple[Arch, ...] = ("sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux")


def part_of(tensors: dict[str, Tensor], kind: str = "denoiser") -> Part:
    return Part(kind, Path("file"), "original", {name: tuple(value.shape) for name, value in tensors.items()}, {})


# --- key tables -----------------------------------------------------------------------------------------------------

PUBLISHED = [
    ("sd1", "unet"),
    ("sd1", "vae"),
    ("sd1", "text_encoder"),
    ("sd2", "unet"),
    ("sd2", "text_encoder"),
    ("sdxl", "unet"),
    ("sdxl", "vae"),
    ("sdxl", "text_encoder"),
    ("sdxl", "text_encoder_2"),
    ("sdxl_refiner", "unet"),
    ("sdxl_refiner", "text_encoder_2"),
    ("sd3_medium", "transformer"),
    ("sd3_medium", "vae"),
    ("sd3_medium", "text_encoder"),
    ("sd3_medium", "text_encoder_2"),
    ("sd3_medium", "text_encoder_3"),
    ("sd35_medium", "transformer"),
    ("sd35_large", "transformer"),
    ("flux_dev", "transformer"),
    ("flux_dev", "vae"),
    ("flux_dev", "text_encoder"),
    ("flux_dev", "text_encoder_2"),
    ("flux_schnell", "transformer"),
]


def slot_of(folder: str, part: str) -> tuple[Family, Slot]:
    found = families.family(max((name for name in families.families() if folder.startswith(name)), key=len))
    return found, next(slot for slot in found.slots if slot.part == part)


def as_released(folder: str, part: str, tensors: dict[str, Tensor], config: dict[str, Any]) -> dict[str, Tensor]:
    if part == "unet":
        return ldm_unet(tensors, layers=config["layers_per_block"])
    if part == "vae":
        return ldm_vae(tensors, levels=len(config["block_out_channels"]))
    if part == "transformer" and folder.startswith("flux"):
        return flux(tensors)
    if part == "transformer":
        return mmdit(tensors, depth=config["num_layers"])
    if folder == "sd2":
        return open_clip(tensors, layers=config["num_hidden_layers"], seed=0)
    if folder.startswith("sdxl") and part == "text_encoder_2":
        return open_clip(tensors, layers=config["num_hidden_layers"])
    return tensors


@pytest.mark.parametrize(("folder", "part"), PUBLISHED)
def test_tables_and_shapes_tell_the_published_networks(folder: str, part: str) -> None:
    """Read each published size back from the shapes of its original release, every tensor in its place."""
    found, slot = slot_of(folder, part)
    config = json.loads((CONFIGS / folder / part / "config.json").read_text())
    with torch.device("meta"):
        module = slot.architecture.build(config)
        released = as_released(folder, part, module.state_dict(), config)
    given = part_of(released, "openclip" if folder == "sd2" else slot.kinds[1] if len(slot.kinds) > 1 else slot.part)
    sources = slot.architecture.sources(given)
    assert {name: sources[inner].shape for name, inner in slot.architecture.names_in(module, sources).items()} == {
        name: tuple(value.shape) for name, value in module.state_dict().items()
    }
    read = slot.architecture.configure(given, sources)
    with torch.device("meta"):
        rebuilt = slot.architecture.build(read)
    assert _shapes(rebuilt) == _shapes(module)
    names = TOLD.get(f"{found.name} {part}", TOLD[part])
    assert {name: getattr(rebuilt.config, name) for name in names} == {
        name: getattr(module.config, name) for name in names
    }
    if part in ("unet", "transformer"):
        assert [name for name, one in families.families().items() if one.is_denoiser(given)] == [found.name]


TOLD: dict[str, tuple[str, ...]] = {
    "unet": (
        "block_out_channels",
        "down_block_types",
        "up_block_types",
        "layers_per_block",
        "use_linear_projection",
        "addition_embed_type",
        "addition_time_embed_dim",
    ),
    "vae": ("block_out_channels", "latent_channels", "use_quant_conv", "layers_per_block", "norm_num_groups"),
    "transformer": ("num_layers", "num_attention_heads", "attention_head_dim", "dual_attention_layers", "qk_norm"),
    "flux transformer": (
        "num_layers",
        "num_single_layers",
        "num_attention_heads",
        "attention_head_dim",
        "guidance_embeds",
    ),
    "flux text_encoder_2": ("num_heads", "d_kv", "num_layers", "dense_act_fn", "is_gated_act"),
    "text_encoder": ("num_attention_heads", "hidden_act", "num_hidden_layers", "layer_norm_eps"),
    "text_encoder_2": ("num_attention_heads", "hidden_act", "num_hidden_layers", "projection_dim"),
    "text_encoder_3": ("num_heads", "d_kv", "num_layers", "dense_act_fn", "is_gated_act"),
}


def _shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def test_heads_follow_the_published_rule() -> None:
    """Check the one thing of a UNet that shapes do not tell: eight heads in SD 1, 64 channels per head else."""
    published = {"sd1": [8] * 4, "sd2": [5, 10, 20, 20], "sdxl": [5, 10, 20], "sdxl_refiner": [6, 12, 24, 24]}
    for folder, heads in published.items():
        _, slot = slot_of(folder, "unet")
        config = json.loads((CONFIGS / folder / "unet" / "config.json").read_text())
        with torch.device("meta"):
            shapes = _shapes(slot.architecture.build(config))
        assert slot.architecture.config(shapes)["attention_head_dim"] == heads
        told = config["attention_head_dim"]
        assert (told if isinstance(told, list) else [told] * 4) == heads


COMFY_CLIP = "text_encoders.clip_l.transformer."


def converted(arch: Arch, part: str, tensors: dict[str, Tensor], module: Any) -> dict[str, Tensor]:
    """Run diffusers' own converter on a single file's tensors."""
    from diffusers.loaders import single_file_utils as oracle

    if part == "unet":
        found = oracle.convert_ldm_unet_checkpoint(tensors, config=dict(module.config))
    elif part == "vae":
        found = oracle.convert_ldm_vae_checkpoint(tensors, config=dict(module.config))
    elif part == "transformer" and arch == "flux":
        # the converter knows the published width alone, and is asked in test_flux
        found = make_pipeline(arch, seed=0).transformer.state_dict()
    elif part == "transformer":
        only = {name: value for name, value in tensors.items() if name.startswith("model.diffusion_model.")}
        found = oracle.convert_sd3_transformer_checkpoint_to_diffusers(only)
    elif part == "text_encoder_3" or (arch, part) == ("flux", "text_encoder_2"):
        found = oracle.convert_sd3_t5_checkpoint_to_diffusers(tensors)
    elif (arch, part) in OPEN_CLIP:
        found = oracle.convert_open_clip_checkpoint(module, tensors, prefix=OPEN_CLIP[arch, part])
    else:
        prefix = {
            "sd1": "cond_stage_model.transformer.",
            "sdxl": "conditioner.embedders.0.transformer.",
            "sd3": COMFY_CLIP,
            "flux": COMFY_CLIP,
        }[arch]
        prefix = prefix.replace("clip_l", "clip_g") if part == "text_encoder_2" else prefix
        found = oracle.convert_ldm_clip_checkpoint(tensors, remove_prefix=prefix)
        found.pop("text_model.embeddings.position_ids", None)
    assert isinstance(found, dict)
    return found


OPEN_CLIP: dict[tuple[Arch, str], str] = {
    ("sd2", "text_encoder"): "cond_stage_model.model.",
    ("sdxl", "text_encoder_2"): "conditioner.embedders.1.model.",
    ("sdxl_refiner", "text_encoder_2"): "conditioner.embedders.0.model.",
}


@pytest.mark.parametrize("arch", ARCHES)
def test_tables_agree_with_diffusers_converters(arch: Arch) -> None:
    """Make every tensor of every part twice, by our tables and by diffusers' converter, and compare the numbers."""
    from graphgen_nodes.stored import StoredTensors

    tiny = shared_tiny(arch)
    found = families.family(arch)
    parts = open_checkpoint(tiny.file).parts
    for slot in (found.denoiser, *found.texts, found.autoencoder):
        assert slot is not None  # these families have one
        part = next(parts[kind] for kind in slot.kinds if kind in parts)
        sources = slot.architecture.sources(part)
        with torch.device("meta"):
            module = slot.architecture.build(slot.architecture.configure(part, sources))
        stored = StoredTensors(part)
        expected = converted(arch, slot.part, load_file(tiny.file), module)
        expected = {name.removeprefix("text_model."): value for name, value in expected.items()}
        # the converter keeps OpenCLIP's unused last layer and projection, which SD 2's network has no place for
        assert set(slot.architecture.names_in(module, sources)) == set(module.state_dict())
        for name, source in sources.items():
            assert torch.equal(stored.read(source)[0], expected[name]), f"{slot.part}: {name}"


def test_old_attention_names_of_an_autoencoder() -> None:
    """Read a folder saved before diffusers 0.18, as SD 1.5's own autoencoder is."""
    _, slot = slot_of("sd1", "vae")
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    tensors = load_file(shared_tiny("sd1").folder / "vae" / "diffusion_pytorch_model.safetensors")
    renamed = {}
    for name, value in tensors.items():
        for new, word in old.items():
            name = name.replace(f"attentions.0.{new}.", f"attentions.0.{word}.")
        renamed[name] = value
    assert renamed.keys() != tensors.keys()
    assert slot.architecture.sources(part_of(renamed, "vae")).keys() == tensors.keys()


# --- what a checkpoint tells of itself ------------------------------------------------------------------------------

SD_CHAIN = VariancePreserving(0.00085, 0.012, "scaled_linear", 1000)
SD_LATENT = LatentFormat("sd", 4, 0.18215, 0.0, 8)
XL_LATENT = LatentFormat("sdxl", 4, 0.13025, 0.0, 8)
TOLD_OF: dict[Arch, tuple[str, object, LatentFormat, list[str]]] = {
    "sd1": ("epsilon", SD_CHAIN, SD_LATENT, ["text_encoder"]),
    "sd2": ("v", SD_CHAIN, SD_LATENT, ["text_encoder"]),
    "sdxl": ("epsilon", SD_CHAIN, XL_LATENT, ["text_encoder", "text_encoder_2"]),
    "sdxl_refiner": ("epsilon", SD_CHAIN, XL_LATENT, ["text_encoder_2"]),
    "sd3": (
        "flow",
        Flow(3.0, 1000),
        LatentFormat("sd3", 16, 1.5305, 0.0609, 8),
        ["text_encoder", "text_encoder_2", "text_encoder_3"],
    ),
    "flux": ("flow", SizedFlow(), LatentFormat("flux", 16, 0.3611, 0.1159, 8), ["text_encoder", "text_encoder_2"]),
}


@pytest.mark.parametrize("single", [False, True], ids=["folder", "file"])
@pytest.mark.parametrize("arch", ARCHES)
def test_handles(arch: Arch, single: bool) -> None:
    tiny = shared_tiny(arch)
    checkpoint = open_checkpoint(tiny.file if single else tiny.folder)
    prediction, path, latent, texts = TOLD_OF[arch]
    denoiser = denoiser_handle(checkpoint, precision="float16")
    assert (denoiser.family, denoiser.prediction, denoiser.path) == (arch, prediction, path)
    assert denoiser.latent == latent
    assert denoiser.precision == "float16"
    assert denoiser.weights.layout == ("original" if single else "diffusers")
    encoder = text_encoder_handle([checkpoint])
    assert encoder.family == arch
    assert [weights.part for weights in encoder.encoders] == texts
    assert autoencoder_handle(checkpoint).latent == latent


def rewritten(tmp_path: Path, arch: Arch, metadata: dict[str, str] | None = None, **changes: Tensor | None) -> Path:
    """Save a tiny single file again with other metadata and with tensors added or left out."""
    tensors = load_file(shared_tiny(arch).file)
    for name, value in changes.items():
        if value is None:
            del tensors[name]
        else:
            tensors[name] = value
    path = tmp_path / f"{arch}.safetensors"
    save_file(tensors, path, metadata)
    return path


def test_a_chain_that_ends_in_pure_noise_is_rescaled(tmp_path: Path) -> None:
    marked = open_checkpoint(rewritten(tmp_path, "sd1", None, ztsnr=MARK))
    plain = open_checkpoint(rewritten(tmp_path, "sd1", None, v_pred=MARK))
    path, usual = denoiser_handle(marked).path, denoiser_handle(plain).path
    assert isinstance(path, VariancePreserving)
    assert isinstance(usual, VariancePreserving)
    assert path.sigma_max > 1000 > usual.sigma_max
    assert denoiser_handle(marked, "epsilon").path == usual


def test_what_an_empty_prompt_becomes(tmp_path: Path) -> None:
    """As a model's own model_index.json says, else zeros for SDXL alone; the base's bigG serves the refiner as well."""
    base = shared_tiny("sdxl")
    usual = {arch: text_encoder_handle([open_checkpoint(shared_tiny(arch).file)]).empty for arch in ARCHES}
    assert usual == dict.fromkeys(ARCHES, "encoded") | {"sdxl": "zeros"}
    folder = shutil.copytree(base.folder, tmp_path / "sdxl")
    index = json.loads((folder / "model_index.json").read_text())
    checkpoint = open_checkpoint(folder)
    (folder / "model_index.json").write_text(json.dumps({**index, "force_zeros_for_empty_prompt": False}))
    changed = open_checkpoint(folder)
    assert (text_encoder_handle([checkpoint]).empty, text_encoder_handle([changed]).empty) == ("zeros", "encoded")
    assert checkpoint.digest() != changed.digest()
    refiner = text_encoder_handle([checkpoint], "sdxl_refiner")
    assert (refiner.empty, [weights.part for weights in refiner.encoders]) == ("encoded", ["text_encoder_2"])


MARK = torch.zeros(1)
NO_BUFFERS: dict[str, Tensor | None] = {"betas": None, "alphas_cumprod": None}
TOLD_PREDICTIONS: dict[str, tuple[Arch, dict[str, str] | None, dict[str, Tensor | None], str | None]] = {
    "sd1 with a trainer's betas": ("sd1", None, {}, "epsilon"),
    "sd1 of no known size, without betas": ("sd1", None, NO_BUFFERS, None),
    "sd1 marked v": ("sd1", None, {"v_pred": MARK}, "v"),
    "sd1 marked ztsnr": ("sd1", None, {"ztsnr": MARK}, "v"),
    "sd1 said to be a flow": ("sd1", {"prediction_type": "flow"}, NO_BUFFERS, "flow"),
    "sd2 silent": ("sd2", None, {}, None),
    "sd2 said epsilon": ("sd2", {"modelspec.prediction_type": "epsilon"}, {}, "epsilon"),
    "sd2 said v": ("sd2", {"modelspec.predict_key": "v"}, {}, "v"),
    "sd2 of the 512 release": ("sd2", {"modelspec.architecture": "stable-diffusion-v2-512"}, {}, "epsilon"),
    "sd2 of the 768 release": ("sd2", {"modelspec.architecture": "stable-diffusion-v2-768-v"}, {}, "v"),
    "sdxl silent": ("sdxl", None, {}, "epsilon"),
    "sdxl marked v": ("sdxl", None, {"v_pred": MARK}, "v"),
    "sdxl marked ztsnr": ("sdxl", None, {"ztsnr": MARK}, "v"),
    "sd3 silent": ("sd3", None, {}, "flow"),
    "flux silent": ("flux", None, {}, "flow"),
}


@pytest.mark.parametrize("case", TOLD_PREDICTIONS)
def test_prediction_of_a_single_file(case: str, tmp_path: Path) -> None:
    arch, metadata, changes, expected = TOLD_PREDICTIONS[case]
    checkpoint = open_checkpoint(rewritten(tmp_path, arch, metadata, **changes))
    if expected is None:
        with pytest.raises(CheckpointError, match="set prediction to epsilon, v or flow"):
            denoiser_handle(checkpoint)
    else:
        assert denoiser_handle(checkpoint).prediction == expected
    assert denoiser_handle(checkpoint, "v").prediction == "v"


def test_unknown_word_for_the_prediction(tmp_path: Path) -> None:
    checkpoint = open_checkpoint(rewritten(tmp_path, "sd2", {"modelspec.prediction_type": "vibes"}))
    with pytest.raises(CheckpointError, match=r"'vibes'.*epsilon.*set prediction"):
        denoiser_handle(checkpoint)


SCHEDULERS: dict[str, tuple[dict[str, object] | None, str | None, object]] = {
    "silent": ({"_class_name": "DDIMScheduler"}, "epsilon", VariancePreserving(0.0001, 0.02, "linear", 1000)),
    "linear betas": (
        {"prediction_type": "sample", "beta_start": 0.001, "beta_end": 0.01, "num_train_timesteps": 500},
        "sample",
        VariancePreserving(0.001, 0.01, "linear", 500),
    ),
    "flow": ({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 2.5}, "flow", Flow(2.5, 1000)),
    "flow in another scheduler": ({"use_flow_sigmas": True, "prediction_type": "flow_prediction"}, "flow", Flow(1.0)),
    "none": (None, None, None),
}


@pytest.mark.parametrize("case", SCHEDULERS)
def test_prediction_and_path_of_a_folder(case: str, tmp_path: Path) -> None:
    config, prediction, path = SCHEDULERS[case]
    folder = shutil.copytree(shared_tiny("sd1").folder, tmp_path / "sd1")
    told = folder / "scheduler" / "scheduler_config.json"
    told.unlink()
    if config is not None:
        told.write_text(json.dumps(config))
    checkpoint = open_checkpoint(folder)
    if prediction is None:
        with pytest.raises(CheckpointError, match="set prediction"):
            denoiser_handle(checkpoint)
        return
    found = denoiser_handle(checkpoint)
    assert (found.prediction, found.path) == (prediction, path)
    other = denoiser_handle(checkpoint, "epsilon" if prediction == "flow" else "flow")
    assert other.path == (SD_CHAIN if prediction == "flow" else Flow(1.0)), "a scheduler of another kind says nothing"


@pytest.mark.parametrize("marker", ["edm_mean", "edm_vpred.sigma_max"])
def test_networks_with_other_scales_are_refused(marker: str, tmp_path: Path) -> None:
    """Playground 2.5 and CosXL have SDXL's tensors, but would draw noise."""
    with pytest.raises(CheckpointError, match=rf"tensor '{marker}' says .*EDM's scales.*give a model that predicts"):
        denoiser_handle(open_checkpoint(rewritten(tmp_path, "sdxl", None, **{marker: MARK})))
    folder = shutil.copytree(shared_tiny("sdxl").folder, tmp_path / "sdxl")
    (folder / "scheduler" / "scheduler_config.json").write_text('{"_class_name": "EDMDPMSolverMultistepScheduler"}')
    with pytest.raises(CheckpointError, match=r"scheduler EDMDPMSolverMultistepScheduler says"):
        denoiser_handle(open_checkpoint(folder))


def test_unknown_betas(tmp_path: Path) -> None:
    folder = shutil.copytree(shared_tiny("sd1").folder, tmp_path / "sd1")
    told = folder / "scheduler" / "scheduler_config.json"
    told.write_text(json.dumps({"beta_schedule": "sigmoid"}))
    with pytest.raises(CheckpointError, match=r"'sigmoid'.*linear, scaled_linear, cosine, squaredcos_cap_v2"):
        denoiser_handle(open_checkpoint(folder))
    told.write_text(json.dumps({"beta_schedule": "squaredcos_cap_v2"}))
    assert denoiser_handle(open_checkpoint(folder)).path == VariancePreserving(0.0001, 0.02, "cosine")


# --- parts by themselves --------------------------------------------------------------------------------------------


def test_single_file_without_a_part_names_the_node_to_add(tmp_path: Path) -> None:
    tensors = load_file(shared_tiny("sd3").file)
    alone = tmp_path / "transformer.safetensors"
    save_file({name: value for name, value in tensors.items() if name.startswith("model.diffusion_model.")}, alone)
    checkpoint = open_checkpoint(alone)
    assert denoiser_handle(checkpoint).prediction == "flow"
    with pytest.raises(CheckpointError, match=r"holds no autoencoder \(it holds denoiser\).*models.load_autoencoder"):
        autoencoder_handle(checkpoint)
    with pytest.raises(CheckpointError, match=r"holds no text encoder.*models.load_text_encoder"):
        text_encoder_handle([checkpoint])
    vae = open_checkpoint(shared_tiny("sd3").folder / "vae")
    with pytest.raises(CheckpointError, match=r"holds no denoiser.*models.load_denoiser"):
        denoiser_handle(vae)
    assert autoencoder_handle(vae).latent == TOLD_OF["sd3"][2]


@pytest.mark.parametrize("arch", ARCHES)
def test_networks_in_files_of_their_own(arch: Arch, tmp_path: Path) -> None:
    """Open files without prefixes, in the release's names and in diffusers'."""
    tiny = shared_tiny(arch)
    prefix = "model.diffusion_model."
    tensors = load_file(tiny.file)
    bare = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    save_file(bare, tmp_path / "unet.safetensors")
    assert denoiser_handle(open_checkpoint(tmp_path / "unet.safetensors"), "v").family == arch
    stem = "transformer" if arch in ("sd3", "flux") else "unet"
    renamed = open_checkpoint(tiny.folder / stem / "diffusion_pytorch_model.safetensors")
    assert denoiser_handle(renamed, "v").family == arch
    prefixes = ("first_stage_model.", "vae.")
    vae = {name.replace(prefixes[0], prefixes[1]): v for name, v in tensors.items() if name.startswith(prefixes)}
    save_file(vae, tmp_path / "vae.safetensors")
    alone = open_checkpoint(tmp_path / "vae.safetensors")
    assert autoencoder_handle(alone, arch).latent == TOLD_OF[arch][2]
    with pytest.raises(CheckpointError, match=r"could be an autoencoder of .*(sdxl|sd3).*; set family"):
        autoencoder_handle(alone)
    assert autoencoder_handle(open_checkpoint(tiny.folder / "vae")).latent == TOLD_OF[arch][2], "config.json says it"


def test_text_encoders_in_files_of_their_own(tmp_path: Path) -> None:
    def save(name: str, tensors: dict[str, Tensor]) -> Path:
        save_file(tensors, tmp_path / name)
        return tmp_path / name

    def clip(width: int) -> dict[str, Tensor]:
        return {"text_model.embeddings.token_embedding.weight": torch.zeros(9, width)}

    t5 = {"encoder.block.0.layer.0.SelfAttention.q.weight": torch.zeros(2), f"{T5_BIAS}.weight": MARK}
    files = [save("g.safetensors", clip(1280)), save("t5.safetensors", t5), save("l.safetensors", clip(768))]
    found = text_encoder_handle([open_checkpoint(path) for path in files])
    assert found.family == "sd3"
    assert [Path(weights.path).stem for weights in found.encoders] == ["l", "g", "t5"]
    assert text_encoder_handle([open_checkpoint(files[2])]).family == "sd1"
    assert text_encoder_handle([open_checkpoint(files[0])]).family == "sdxl_refiner"
    with pytest.raises(CheckpointError, match="fits several families"):
        text_encoder_handle([open_checkpoint(files[0]), open_checkpoint(files[2])])
    both = text_encoder_handle([open_checkpoint(files[0]), open_checkpoint(files[2])], "sdxl")
    assert [Path(weights.path).stem for weights in both.encoders] == ["l", "g"]
    with pytest.raises(CheckpointError, match=r"fits no family.*sd3: clip_l, clip_g, t5xxl \(optional\)"):
        text_encoder_handle([open_checkpoint(files[0]), open_checkpoint(files[1])])
    with pytest.raises(CheckpointError, match=r"there is no 'sd9'; known are .*sd1, sd2, sd3"):
        text_encoder_handle([open_checkpoint(files[0])], "sd9")


T5_BIAS = "encoder.block.0.layer.0.SelfAttention.relative_attention_bias"


@pytest.mark.parametrize(
    ("mark", "title"),
    [
        ("model.diffusion_model.double_blocks.0.img_attn.qkv.weight", "a relative of Flux"),
        ("model.diffusion_model.mystery.weight", "of an unknown family"),
    ],
)
def test_strangers_are_named(mark: str, title: str, tmp_path: Path) -> None:
    save_file({mark: MARK}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match=rf"its denoiser is {title}.*; graphgen can run .*Stable Diffusion 1\.x"):
        denoiser_handle(open_checkpoint(tmp_path / "a.safetensors"))


def test_numbers_that_are_left_out_are_noticed(tmp_path: Path) -> None:
    path = rewritten(tmp_path, "sd1", None, **{"model.diffusion_model.input_blocks.99999999.0.op.weight": MARK})
    with pytest.raises(
        CheckpointError, match=r"sd1\.safetensors.*'input_blocks' are numbered up to 99999999, but only"
    ):
        denoiser_handle(open_checkpoint(path))


def test_networks_that_see_something_unknown_are_refused(tmp_path: Path) -> None:
    name = "model.diffusion_model.input_blocks.0.0.weight"
    path = rewritten(tmp_path, "sd1", None, **{name: torch.zeros(32, 7, 3, 3)})
    with pytest.raises(CheckpointError, match=r"takes 7 channels and gives 4.*latent alone, or beside it a picture"):
        denoiser_handle(open_checkpoint(path))


def test_a_family_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sd_custom.py").write_text(
        "from graphgen_nodes.families.sd import StableDiffusion1\n\n"
        "class Custom(StableDiffusion1):\n    name = 'custom'\n    title = 'Custom'\n\n"
        "FAMILIES = (Custom(),)\n"
    )
    before = set(families.families())
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    families.families.cache_clear()
    try:
        assert set(families.families()) == before | {"custom"}
    finally:
        families.families.cache_clear()
