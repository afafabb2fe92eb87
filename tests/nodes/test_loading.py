"""Check that weights are loaded whole and strictly, that damage is named, and that loading can be stopped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

from graphgen import Place
from graphgen_nodes import Autoencoder, Denoiser, TextConditioning, TextEncoder
from graphgen_nodes.checkpoints import CheckpointError, open_checkpoint
from graphgen_nodes.checkpoints.header import read_header
from graphgen_nodes.families import family
from graphgen_nodes.families.handles import autoencoder_handle, denoiser_handle, text_encoder_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.sockets import Precision
from graphgen_nodes.weights import choose_dtype

CPU = Place("cpu", "float32")
ARCHES: tuple[Arch, ...] = ("sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux")


def quiet(done: int, total: int) -> None:
    """Take a report and do nothing."""


def handles(path: Path) -> tuple[Denoiser, TextEncoder, Autoencoder]:
    checkpoint = open_checkpoint(path)
    return denoiser_handle(checkpoint), text_encoder_handle([checkpoint]), autoencoder_handle(checkpoint)


def load(handle: object, place: Place = CPU) -> Any:
    return ModelLoader().load(handle, place, quiet).module


def networks(path: Path, place: Place = CPU) -> dict[str, torch.nn.Module]:
    """Load everything of a model and return its networks by part."""
    denoiser, texts, autoencoder = handles(path)
    part = denoiser.weights.part
    return {part: load(denoiser, place).module, "vae": load(autoencoder, place), **load(texts, place).encoders}


@pytest.mark.parametrize("single", [False, True], ids=["folder", "file"])
@pytest.mark.parametrize("arch", ARCHES)
def test_every_weight_arrives(arch: Arch, single: bool) -> None:
    tiny, pipeline = shared_tiny(arch), make_pipeline(arch, seed=0)
    for part, module in networks(tiny.file if single else tiny.folder).items():
        expected = getattr(pipeline, part).state_dict()
        found = module.state_dict()
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(found[name], value), f"{part}: {name}"
        assert not module.training
        assert not any(parameter.requires_grad for parameter in module.parameters())
        assert not any(tensor.is_meta for tensor in (*module.parameters(), *module.buffers()))


def test_size_and_reports() -> None:
    _, texts, _ = handles(shared_tiny("sd3").file)
    reports: list[tuple[int, int]] = []
    loaded = ModelLoader().load(texts, CPU, lambda done, total: reports.append((done, total)))
    module: Any = loaded.module
    tensors = [value for encoder in module.encoders.values() for value in encoder.parameters()]
    assert loaded.size == sum({value.data_ptr(): value.nbytes for value in tensors}.values())
    assert reports[0] == (0, loaded.size)
    assert reports[-1] == (loaded.size, loaded.size)
    assert len(reports) > 50


def test_loading_stops_between_tensors() -> None:
    class Stop(Exception):
        pass

    seen = []

    def stop(done: int, total: int) -> None:
        seen.append(done)
        if done > total / 2:
            raise Stop

    denoiser, _, _ = handles(shared_tiny("sd1").file)
    with pytest.raises(Stop):
        ModelLoader().load(denoiser, CPU, stop)
    assert seen[-1] < ModelLoader().load(denoiser, CPU, quiet).size


def test_the_network_that_sampling_gets() -> None:
    denoiser, _, _ = handles(shared_tiny("sd1").folder)
    network = load(denoiser)
    assert network.device == torch.device("cpu")
    assert network.dtype == torch.float32
    x, timestep = torch.zeros(2, 4, 8, 8), torch.tensor([10.0, 500.0])
    said = TextConditioning("sd1", torch.ones(2, 77, 64))
    output = network(x, timestep, said)
    expected = network.module(x, timestep, said.embeddings).sample
    assert torch.equal(output, expected)
    assert not output.requires_grad


# --- precision ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("precision", "usual", "part", "expected"),
    [
        ("auto", "float32", "unet", torch.float32),
        ("auto", "float16", "unet", torch.float16),
        ("auto", "bfloat16", "unet", torch.bfloat16),
        ("auto", "float16", "vae", torch.float32),
        ("float16", "float32", "vae", torch.float16),
        ("float32", "float16", "unet", torch.float32),
    ],
)
def test_choice_of_precision(precision: Precision, usual: str, part: str, expected: torch.dtype) -> None:
    found = family("sd1")
    slot = next(slot for slot in found.slots if slot.part == part)
    assert choose_dtype(precision, usual, slot) is expected


def test_t5_runs_in_bfloat16_where_half_is_usual() -> None:
    _, texts, _ = handles(shared_tiny("sd3").file)
    found = {
        part: next(module.parameters()).dtype for part, module in load(texts, Place("cpu", "float16")).encoders.items()
    }
    assert found == {
        "text_encoder": torch.float16,
        "text_encoder_2": torch.float16,
        "text_encoder_3": torch.bfloat16,
    }


def test_half_precision_takes_half_the_bytes() -> None:
    denoiser, _, _ = handles(shared_tiny("sd1").file)
    whole = ModelLoader().load(denoiser, CPU, quiet)
    half = ModelLoader().load(replace(denoiser, precision="bfloat16"), CPU, quiet)
    assert half.size * 2 == whole.size
    assert half.module.dtype == torch.bfloat16  # type: ignore[attr-defined]
    assert ModelLoader().identity(denoiser) != ModelLoader().identity(replace(denoiser, precision="bfloat16"))


# --- damage ---------------------------------------------------------------------------------------------------------


def damaged(tmp_path: Path, **changes: Tensor | None) -> Path:
    """Save SD 1's tiny single file with some tensors changed or left out (None)."""
    tensors: dict[str, Tensor] = load_file(shared_tiny("sd1").file)
    for name, value in changes.items():
        if value is None:
            del tensors[name]
        else:
            tensors[name] = value
    save_file(tensors, tmp_path / "damaged.safetensors")
    return tmp_path / "damaged.safetensors"


INNER = "model.diffusion_model.middle_block.1.proj_in.weight"
OUTER = "model.diffusion_model.time_embed.0.weight"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_named(value: float, tmp_path: Path) -> None:
    broken = torch.zeros(64, 64, 1, 1)
    broken[3, 5] = value
    denoiser, _, _ = handles(damaged(tmp_path, **{INNER: broken}))
    kind = "NaN" if value != value else "infinity"
    with pytest.raises(CheckpointError, match=rf"'middle_block\.1\.proj_in\.weight' holds {kind}|an {kind}"):
        load(denoiser)


def test_weights_beyond_the_range_of_half_precision_are_named(tmp_path: Path) -> None:
    denoiser, _, _ = handles(damaged(tmp_path, **{INNER: torch.full((64, 64, 1, 1), 1e6)}))
    assert load(denoiser) is not None
    with pytest.raises(CheckpointError, match=r"proj_in.*float16.*set precision to float32 or bfloat16"):
        load(replace(denoiser, precision="float16"))


def test_wrong_shape_is_named(tmp_path: Path) -> None:
    denoiser, _, _ = handles(damaged(tmp_path, **{OUTER: torch.zeros(100, 32)}))
    with pytest.raises(CheckpointError, match=r"'time_embed\.0\.weight' the shape \(100, 32\), where \(128, 32\)"):
        load(denoiser)


def test_missing_and_strange_tensors_are_named(tmp_path: Path) -> None:
    denoiser, _, _ = handles(damaged(tmp_path, **{OUTER: None}))
    with pytest.raises(CheckpointError, match=r"lacks 'time_embedding\.linear_1\.weight'"):
        load(denoiser)
    strange = damaged(tmp_path, **{"model.diffusion_model.loris": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"tensors that this family's networks do not have: 'loris'"):
        handles(strange)


def test_a_part_without_its_core_is_incomplete(tmp_path: Path) -> None:
    path = damaged(tmp_path, **{"first_stage_model.encoder.conv_in.weight": None})
    with pytest.raises(CheckpointError, match=r"vae.*is incomplete: it lacks 'encoder\.conv_in\.weight'"):
        load(handles(path)[2])


def test_folder_of_another_class(tmp_path: Path) -> None:
    folder = shutil.copytree(shared_tiny("sd1").folder, tmp_path / "sd1")
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "_class_name": "UNet3DConditionModel"}))
    with pytest.raises(CheckpointError, match=r"is for UNet3DConditionModel; UNet2DConditionModel is expected"):
        handles(folder)


def test_settings_that_lead_elsewhere_are_not_followed(tmp_path: Path) -> None:
    """A config.json can name code and kernels for transformers to fetch (CVE-2026-4372); graphgen hands none on."""
    folder = shutil.copytree(shared_tiny("sd1").folder, tmp_path / "sd1")
    for part in ("unet", "text_encoder", "vae"):
        config = folder / part / "config.json"
        away = {
            "auto_map": {"AutoModel": "stranger/repository--modeling.Network"},
            "_attn_implementation_internal": "stranger/kernels",
            "_attn_implementation": "stranger/kernels",
            "attn_implementation": "stranger/kernels",
            "trust_remote_code": True,
            "_name_or_path": "stranger/repository",
            "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True},
        }
        config.write_text(json.dumps({**json.loads(config.read_text()), **away}))
    plain = networks(shared_tiny("sd1").folder)
    for part, module in networks(folder).items():
        assert "stranger" not in str(module.config)
        expected = plain[part].state_dict()
        assert all(torch.equal(value, expected[name]) for name, value in module.state_dict().items())


def test_a_changed_file_is_not_loaded(tmp_path: Path) -> None:
    path = damaged(tmp_path)
    denoiser, _, _ = handles(path)
    other = {name: value + 1 for name, value in load_file(path).items()}
    save_file(other, path)
    with pytest.raises(CheckpointError, match="unet changed since its node looked at it"):
        load(denoiser)
    path.unlink()
    with pytest.raises(CheckpointError, match="no longer there"):
        load(denoiser)


def test_old_names_of_transformers(tmp_path: Path) -> None:
    """Read a text encoder saved with the prefix `text_model.` that transformers 5.6 dropped."""
    folder = shutil.copytree(shared_tiny("sd1").folder, tmp_path / "sd1")
    file = folder / "text_encoder" / "model.safetensors"
    names = read_header(file).tensors
    renamed = {f"text_model.{name.removeprefix('text_model.')}": value for name, value in load_file(file).items()}
    renamed["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    assert renamed.keys() != names.keys()
    save_file(renamed, file)
    found, expected = networks(folder)["text_encoder"], networks(shared_tiny("sd1").folder)["text_encoder"]
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value)


# --- handles --------------------------------------------------------------------------------------------------------


def test_moved_models_are_found(tmp_path: Path) -> None:
    """Load by a handle that was made before the model moved, once its node has looked at the new place."""
    path = damaged(tmp_path)
    denoiser, _, _ = handles(path)
    moved = path.rename(tmp_path / "moved.safetensors")
    open_checkpoint(moved).digest()
    assert load(denoiser) is not None


def test_handles_share_what_is_equal(tmp_path: Path) -> None:
    loader = ModelLoader()
    one, texts, autoencoder = handles(shared_tiny("sd1").file)
    copy = shutil.copy(shared_tiny("sd1").file, tmp_path / "copy.safetensors")
    two, _, _ = handles(Path(copy))
    assert loader.identity(one) == loader.identity(two)
    assert len({loader.identity(handle) for handle in (one, texts, autoencoder)}) == 3


def test_torch_is_imported_by_loading_alone() -> None:
    """Name a model and list its loader in a process of its own: neither torch nor diffusers may come with it."""
    code = (
        "import sys; from pathlib import Path\n"
        "from graphgen_nodes.packs import autoencoder, models, text\n"
        "from graphgen_nodes.checkpoints import open_checkpoint\n"
        "from graphgen_nodes.families.handles import denoiser_handle\n"
        "from graphgen_nodes.loading import ModelLoader\n"
        "print(ModelLoader().identity(denoiser_handle(open_checkpoint(Path(sys.argv[1])))))\n"
        "print([name for name in ('torch', 'diffusers', 'transformers', 'numpy') if name in sys.modules])\n"
    )
    command = [sys.executable, "-c", code, str(shared_tiny("sd3").file)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found.splitlines()[1] == "[]"
