"""DiT against diffusers' pipeline and scheduler, its labels, its positions, and what it refuses.

All in float32 on the CPU with tiny random weights, by workflows/dit.json. Reached is 8.1e-5 of the range 0..1 or less;
the single file gives the folder's pictures bit for bit.
"""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from released import dit
from safetensors.torch import load_file, save_file
from tiny import make_pipeline, shared_tiny
from torch import Tensor

import graphgen
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen_nodes import Image
from graphgen_nodes.checkpoints import Part, open_checkpoint
from graphgen_nodes.families import families
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.families.known import known_denoiser
from graphgen_nodes.labels import label_of
from graphgen_nodes.networks.positions import sincos_positions

WORKFLOW = Path(__file__).parents[2] / "workflows" / "dit.json"
SEED, STEPS, SCALE = 7, 6, 4.0
TINY: dict[str, Any] = {"model": "dit", "size": 64, "steps": STEPS, "seed": SEED, "guidance": SCALE}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for root in ("inputs", "outputs", "cache", "data"):
        monkeypatch.setenv(f"GRAPHGEN_{root.upper()}_DIR", str(tmp_path / root))
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny("dit").folder.parent))
    monkeypatch.chdir(tmp_path)


def changed(**nodes: Mapping[str, JSON]) -> dict[str, Any]:
    """Return the workflow with some nodes' settings changed, and their types where `type` is given."""
    plan: dict[str, Any] = json.loads(WORKFLOW.read_text())
    for name, settings in nodes.items():
        kind = settings.get("type", plan["nodes"][name]["type"])
        kept = {} if "type" in settings else plan["nodes"][name].get("settings", {})
        changes = {key: value for key, value in settings.items() if key != "type"}
        plan["nodes"][name] |= {"type": kind, "settings": {**kept, **changes}}
    return plan


def ours(plan: dict[str, Any] | None = None, **parameters: Any) -> Tensor:
    picture = graphgen.run(plan or WORKFLOW, **{**TINY, **parameters})["picture"]
    assert isinstance(picture, Image)
    return picture.pixels


def theirs(scheduler: Any = None, label: int = 207, scale: float = SCALE) -> Tensor:
    pipeline = make_pipeline("dit", seed=0)
    if scheduler is not None:
        pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config)
    generator = torch.Generator().manual_seed(SEED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own
        found = pipeline([label], scale, generator, STEPS, output_type="pt").images
    assert isinstance(found, Tensor)
    return found


def difference(one: Tensor, other: Tensor) -> float:
    assert other.std() > 0.05, "a flat picture proves nothing"
    return float((one - other).abs().max())


def test_picture_equals_the_pipeline_s() -> None:
    assert difference(ours(label="golden retriever"), theirs()) < 1e-3
    assert difference(ours(label="999"), theirs(label=999)) < 1e-3
    assert difference(ours(label="0", guidance=1.0), theirs(label=0, scale=1.0)) < 1e-3


def test_dpm_solver_as_the_pipeline_s_own_example_takes_it() -> None:
    from diffusers import DPMSolverMultistepScheduler

    plan = changed(
        sampler={"type": "samplers.dpmpp_2m"},
        schedule={"type": "schedules.model", "spacing": "linspace", "drop_last": True},
    )
    assert difference(ours(plan), theirs(DPMSolverMultistepScheduler)) < 1e-3


def test_single_file_equals_the_folder() -> None:
    assert torch.equal(ours(model="dit.safetensors"), ours())


@torch.no_grad()
def by_hand(channels: int) -> Tensor:
    """Sample as the release does: learned variance of the labelled half, guidance over so many channels."""
    from diffusers import DDPMScheduler

    pipeline = make_pipeline("dit", seed=0)
    config = {**pipeline.scheduler.config, "variance_type": "learned_range"}
    scheduler = DDPMScheduler.from_config(config)
    scheduler.set_timesteps(STEPS)
    generator = torch.Generator().manual_seed(SEED)
    x = torch.randn(1, 4, 8, 8, generator=generator)
    for timestep in scheduler.timesteps:
        found = pipeline.transformer(torch.cat([x, x]), timestep.expand(2), torch.tensor([207, 1000])).sample
        labelled, null = found.chunk(2)
        guided = null[:, :channels] + SCALE * (labelled[:, :channels] - null[:, :channels])
        output = torch.cat([guided, labelled[:, channels:]], dim=1)
        x = scheduler.step(output, timestep, x, generator=generator).prev_sample
    decoded = pipeline.vae.decode(x / pipeline.vae.config.scaling_factor).sample
    picture: Tensor = (decoded / 2 + 0.5).clamp(0, 1)
    return picture


@pytest.mark.parametrize("channels", [3, 4])
def test_learned_variance_and_guidance_over_some_channels_as_in_the_release(channels: int) -> None:
    plan = changed(
        sampler={"type": "samplers.ddpm", "variance": "learned"}, guider={"channels": channels, "scale": SCALE}
    )
    assert difference(ours(plan), by_hand(channels)) < 1e-3


def test_three_channels_are_not_four() -> None:
    assert difference(by_hand(3), by_hand(4)) > 0.01


def test_positions_are_those_that_diffusers_computes() -> None:
    transformer = make_pipeline("dit", seed=0).transformer
    torch.testing.assert_close(sincos_positions(128, 4), transformer.pos_embed.pos_embed, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("heads", "width", "depth", "patch", "side"), [(16, 72, 28, 2, 32), (16, 72, 28, 2, 64), (6, 64, 12, 8, 32)]
)
def test_shapes_tell_the_published_sizes(heads: int, width: int, depth: int, patch: int, side: int) -> None:
    """Read DiT-XL/2 of both resolutions and DiT-S/8 back from their releases' names and shapes."""
    from diffusers import DiTTransformer2DModel

    sizes = {"num_attention_heads": heads, "attention_head_dim": width, "num_layers": depth, "patch_size": patch}
    with torch.device("meta"):
        module = DiTTransformer2DModel(**sizes, in_channels=4, out_channels=8, sample_size=side)
        released = dit(module.state_dict(), depth=depth, positions=module.pos_embed.pos_embed)
    shapes = {name: tuple(value.shape) for name, value in released.items()}
    part = Part("denoiser", Path("file"), "original", shapes, {})
    (found,) = [family for family in families().values() if family.is_denoiser(part)]
    sources = found.denoiser.architecture.sources(part)
    config = found.denoiser.architecture.configure(part, sources)
    assert {name: config[name] for name in (*sizes, "sample_size", "num_embeds_ada_norm")} == {
        **sizes, "sample_size": side, "num_embeds_ada_norm": 1000,
    }  # fmt: skip
    named = found.denoiser.architecture.names_in(module, sources)
    assert {name: sources[inner].shape for name, inner in named.items()} == {
        name: tuple(value.shape) for name, value in module.state_dict().items()
    }


# --- labels -----------------------------------------------------------------------------------------------------------


def test_a_label_is_a_number_or_any_of_a_class_s_names() -> None:
    names = shared_tiny("dit").folder / "model_index.json"
    for text, number in (("0", 0), ("Tinca tinca", 0), (" GOLDEN retriever ", 207), ("toilet paper", 999), ("", 1000)):
        assert label_of(text, 1000, names) == number
    with pytest.raises(ValueError, match=r"did you mean 'golden retriever'\?"):
        label_of("golden retreiver", 1000, names)
    with pytest.raises(ValueError, match="allowed are 0 to 999"):
        label_of("1000", 1000, names)
    with pytest.raises(ValueError, match="does not name its classes; give a number from 0 to 9"):
        label_of("cat", 10, None)


def test_other_names_are_another_model(tmp_path: Path) -> None:
    """The names of the classes belong to what a handle's digest stands for, as a label by name depends on them."""
    folder = tmp_path / "dit"
    shutil.copytree(shared_tiny("dit").folder, folder)
    before = denoiser_handle(open_checkpoint(folder)).weights.digest
    index = folder / "model_index.json"
    index.write_text(index.read_text().replace("golden retriever", "golden hamster"))
    assert denoiser_handle(open_checkpoint(folder)).weights.digest != before
    assert known_denoiser(open_checkpoint(folder))["names"] == str(index)


# --- what is refused --------------------------------------------------------------------------------------------------


def problems_of(plan: dict[str, Any], **parameters: Any) -> str:
    with pytest.raises(WorkflowError) as caught:
        graphgen.run(plan, **{**TINY, **parameters})
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_what_cannot_work_is_refused_before_anything_runs() -> None:
    plan = changed()
    assert "label.label: is 1000; allowed are 0 to 999" in problems_of(plan, label="1000")
    assert "label.label: is 'no such thing'" in problems_of(plan, label="no such thing")
    assert "latent.width: is 72 pixels in width, which is no multiple of 16" in problems_of(plan, size=72)
    del plan["parameters"]["size"]
    plan["nodes"]["latent"]["settings"] = {"width": 64, "height": 32}
    small = {name: value for name, value in TINY.items() if name != "size"}
    with pytest.raises(WorkflowError, match="makes squares alone"):
        graphgen.run(plan, **small)


def test_a_prompt_or_nothing_is_no_label() -> None:
    shared_tiny("sd1")
    plan = changed()
    plan["nodes"]["words"] = {"type": "text.encode", "version": 1, "inputs": {"encoder": "model.text_encoder"}}
    plan["nodes"]["alone"] = {"type": "guiders.none", "version": 1, "inputs": {"denoiser": "model.denoiser"}}
    plan["nodes"]["other"] = {"type": "models.load", "version": 1, "settings": {"path": "sd1"}}
    plan["nodes"]["prompt"] = {"type": "text.encode", "version": 1, "inputs": {"encoder": "other.text_encoder"}}
    plan["nodes"]["guider"]["inputs"]["positive"] = "prompt.conditioning"
    plan["nodes"]["wrong"] = {"type": "conditioning.label", "version": 1, "inputs": {"denoiser": "other.denoiser"}}
    found = problems_of(plan)
    assert "words.encoder: is of dit, which reads no text" in found
    assert "alone.positive: is not wired, but a denoiser of dit must be told a class label" in found
    assert "guider.positive: is made for sd1, but the denoiser is dit" in found
    assert "wrong.denoiser: is of sd1, which takes no class label" in found


def test_a_file_of_the_transformer_alone_tells_what_to_add(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = "model.diffusion_model."
    tensors = load_file(shared_tiny("dit").file)
    bare = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    save_file(bare, tmp_path / "alone.safetensors")
    handle = denoiser_handle(open_checkpoint(tmp_path / "alone.safetensors"))
    assert (handle.family, handle.classes, handle.latent.channels) == ("dit", 1000, 4)
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(tmp_path))
    assert "add a models.load_autoencoder node" in problems_of(changed(), model="alone.safetensors", label="1")
