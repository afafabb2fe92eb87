"""Check pictures against diffusers' pipelines: same weights, prompt, seed, steps, guidance and scheduler.

Everything runs in float32 on the CPU with tiny random weights, through `graphgen.run` on a workflow, with every
socket blocked. The greatest difference allowed is 1e-3 of the range 0..1, before rounding; reached is 1.1e-5 or
less; the single file differs from the folder by 4e-6 at most, and not at all for SD 1 and 2.
"""

from __future__ import annotations

import json
import pickle
import shutil
import socket
import warnings
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import Arch, make_pipeline, randomise, shared_tiny
from torch import Tensor

import graphgen
from graphgen.errors import WorkflowError
from graphgen_nodes import Image

PROMPT, NEGATIVE = "A red Apple, on 2 blue tables", "blurry"
SEED, STEPS, SCALE, SIZE = 7, 6, 5.0, 64

CHAIN = {"type": "schedules.model", "settings": {"spacing": "leading", "steps_offset": 1, "final_sigma": "sigma_min"}}
EULER = {
    "type": "schedules.model",
    "settings": {"spacing": "leading", "steps_offset": 1, "rounding": "none"},
}
FLOW = {"type": "schedules.flow"}
LEADING = {"timestep_spacing": "leading", "steps_offset": 1}
DDIM = {**LEADING, "clip_sample": False, "set_alpha_to_one": False}

METHODS: dict[str, tuple[Arch, str, dict[str, Any], dict[str, Any], str]] = {
    "sd1, PNDM": ("sd1", "PNDMScheduler", {}, CHAIN, "samplers.pndm"),
    "sd1, DDIM": ("sd1", "DDIMScheduler", DDIM, CHAIN, "samplers.ddim"),
    "sd1, Euler": ("sd1", "EulerDiscreteScheduler", LEADING, EULER, "samplers.euler"),
    "sd2 v, DDIM": ("sd2", "DDIMScheduler", {}, CHAIN, "samplers.ddim"),
    "sd2 v, Euler": ("sd2", "EulerDiscreteScheduler", LEADING, EULER, "samplers.euler"),
    "sd3, Euler": ("sd3", "FlowMatchEulerDiscreteScheduler", {}, FLOW, "samplers.euler"),
    "sd3, Heun": ("sd3", "FlowMatchHeunDiscreteScheduler", {}, FLOW, "samplers.heun"),
}


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own folders and no network."""

    def refuse(*arguments: object, **options: object) -> NoReturn:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    for root in ("inputs", "outputs", "cache", "data"):
        monkeypatch.setenv(f"GRAPHGEN_{root.upper()}_DIR", str(tmp_path / root))
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny("sd1").folder.parent))
    monkeypatch.chdir(tmp_path)


def node(kind: str, inputs: dict[str, str] | None = None, **settings: object) -> dict[str, Any]:
    return {"type": kind, "version": 1, "inputs": inputs or {}, "settings": settings}


def workflow(path: str, schedule: dict[str, Any], sampler: str, **model: Any) -> dict[str, Any]:
    """Return text-to-image as a workflow, for any family."""
    sampled = {"guider": "guider.guider", "sampler": "sampler.sampler", "schedule": "schedule.schedule"}
    guided = {"denoiser": "model.denoiser", "positive": "positive.conditioning", "negative": "negative.conditioning"}
    nodes = {
        "model": node("models.load", path=path, **model),
        "positive": node("text.encode", {"encoder": "model.text_encoder"}, text=PROMPT),
        "negative": node("text.encode", {"encoder": "model.text_encoder"}, text=NEGATIVE),
        "latent": node("latents.empty", {"denoiser": "model.denoiser"}, width=SIZE, height=SIZE),
        "noise": node("noise.gaussian", seed=SEED),
        "schedule": node(schedule["type"], {"denoiser": "model.denoiser"}, steps=STEPS, **schedule.get("settings", {})),
        "sampler": node(sampler),
        "guider": node("guiders.classifier_free", guided, scale=SCALE),
        "sample": node("sampling.sample", {**sampled, "noise": "noise.noise", "latent": "latent.latent"}),
        "picture": node("autoencoder.decode", {"autoencoder": "model.autoencoder", "latent": "sample.latent"}),
    }
    return {"graphgen": 1, "nodes": nodes, "outputs": {"picture": {"from": "picture.image"}}}


def ours(path: str, schedule: dict[str, Any], sampler: str, **model: Any) -> Tensor:
    return pixels_of(graphgen.run(workflow(path, schedule, sampler, **model))["picture"])


def pixels_of(value: object) -> Tensor:
    assert isinstance(value, Image)
    return value.pixels


def theirs(arch: Arch, scheduler: str, changes: dict[str, Any]) -> Tensor:
    import diffusers

    pipeline = make_pipeline(arch, seed=0)
    pipeline.scheduler = getattr(diffusers, scheduler).from_config(pipeline.scheduler.config, **changes)
    return from_pipeline(pipeline)


def from_pipeline(pipeline: Any) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        found = pipeline(
            PROMPT,
            negative_prompt=NEGATIVE,
            height=SIZE,
            width=SIZE,
            num_inference_steps=STEPS,
            guidance_scale=SCALE,
            generator=torch.Generator().manual_seed(SEED),
            output_type="pt",
        ).images
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize("name", METHODS)
def test_picture_equals_the_pipeline_s(name: str, record_property: Any) -> None:
    arch, scheduler, changes, schedule, sampler = METHODS[name]
    shared_tiny(arch)
    reference = theirs(arch, scheduler, changes)
    assert reference.std() > 0.05, "a flat picture proves nothing"
    folder = ours(arch, schedule, sampler)
    difference = float((folder - reference).abs().max())
    record_property("difference", difference)
    print(f"{name}: {difference:.1e}")
    assert difference < 1e-4

    single = ours(f"{arch}.safetensors", schedule, sampler)
    difference = float((single - folder).abs().max())
    record_property("difference of the single file", difference)
    print(f"{name}, single file against folder: {difference:.1e}")
    assert difference < 1e-5


def flow_folder(folder: Path) -> Path:
    """Turn the tiny SD 1 folder into a flow model: the same networks under another scheduler_config.json."""
    import diffusers

    shutil.copytree(shared_tiny("sd1").folder, folder)
    diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0).save_pretrained(folder / "scheduler")
    return folder


@torch.no_grad()
def test_flow_unet_equals_a_plain_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a flow-matching UNet, which no pipeline of diffusers takes, against a loop over its scheduler."""
    import diffusers

    folder = flow_folder(tmp_path / "models" / "flow")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(folder.parent))
    found = ours("flow", FLOW, "samplers.euler")

    parts = make_pipeline("sd1", seed=0)
    scheduler = diffusers.FlowMatchEulerDiscreteScheduler.from_pretrained(folder / "scheduler")
    scheduler.set_timesteps(STEPS)
    words = parts.tokenizer([NEGATIVE, PROMPT], padding="max_length", max_length=77, return_tensors="pt")
    states = parts.text_encoder(words.input_ids).last_hidden_state
    x = torch.randn(1, 4, SIZE // 8, SIZE // 8, generator=torch.Generator().manual_seed(SEED))
    for timestep in scheduler.timesteps:
        without, along = parts.unet(torch.cat([x, x]), timestep, states).sample.chunk(2)
        x = scheduler.step(without + SCALE * (along - without), timestep, x).prev_sample
    picture = parts.vae.decode(x / parts.vae.config.scaling_factor).sample
    difference = float((found - (picture / 2 + 0.5).clamp(0, 1)).abs().max())
    print(f"flow UNet: {difference:.1e}")
    assert difference < 1e-4


def test_missing_t5_is_zeros(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out SD3's third text encoder, as most of its single files do, against the pipeline without it."""
    from diffusers import SD3Transformer2DModel

    pipeline = make_pipeline("sd3", seed=0)
    config = {**pipeline.transformer.config, "joint_attention_dim": 4096}
    pipeline.transformer = SD3Transformer2DModel.from_config(config)
    randomise(pipeline.transformer, torch.Generator().manual_seed(1))
    pipeline.text_encoder_3 = pipeline.tokenizer_3 = None
    pipeline.save_pretrained(tmp_path / "models" / "no_t5")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(tmp_path / "models"))
    difference = float((ours("no_t5", FLOW, "samplers.euler") - from_pipeline(pipeline)).abs().max())
    print(f"sd3 without T5: {difference:.1e}")
    assert difference < 1e-4


def test_a_picture_of_a_batch_equals_its_single_run() -> None:
    """Make pictures of seeds 7 and 8 as a batch, and the second alone."""
    plan = workflow(str(shared_tiny("sd1").folder.name), CHAIN, "samplers.ddim")
    alone = workflow(str(shared_tiny("sd1").folder.name), CHAIN, "samplers.ddim")
    plan["nodes"]["latent"]["settings"]["batch"] = 2
    alone["nodes"]["noise"]["settings"]["seed"] = SEED + 1
    batch, single = (pixels_of(graphgen.run(item)["picture"]) for item in (plan, alone))
    assert batch.shape == (2, 3, SIZE, SIZE)
    torch.testing.assert_close(batch[1:], single, rtol=0, atol=1e-5)


def problems_of(plan: dict[str, Any]) -> list[str]:
    with pytest.raises(WorkflowError) as caught:
        graphgen.run(plan)
    return [str(problem) for problem in caught.value.problems]


def test_mixed_models_are_refused_before_anything_runs() -> None:
    """Wire SD 3's latents into SD 1's autoencoder, and SD 1's prompt into SD 3's guider."""
    shared_tiny("sd1"), shared_tiny("sd3")
    plan = workflow("sd3", FLOW, "samplers.euler")
    plan["nodes"]["other"] = node("models.load", path="sd1")
    plan["nodes"]["picture"]["inputs"]["autoencoder"] = "other.autoencoder"
    plan["nodes"]["positive"]["inputs"]["encoder"] = "other.text_encoder"
    found = "\n".join(problems_of(plan))
    assert "picture.latent: is a latent of family sd3 with 16 channels" in found
    assert "guider.positive: is made for sd1" in found


def test_unusable_checkpoints_are_problems(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = tmp_path / "models"
    models.mkdir()
    (models / "old.ckpt").write_bytes(pickle.dumps({}))
    (models / "cut.safetensors").write_bytes(b"\xff" * 7)
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(models))
    for path, words in (("old.ckpt", "runs code"), ("cut.safetensors", "too short"), ("none", "there is no 'none'")):
        (problem,) = [line for line in problems_of(workflow(path, CHAIN, "samplers.ddim")) if words in line]
        assert problem.startswith("model")


def test_ambiguous_prediction_is_a_problem_with_a_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_file(load_file(shared_tiny("sd2").file), tmp_path / "silent.safetensors")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(tmp_path))
    plan = workflow("silent.safetensors", CHAIN, "samplers.ddim")
    assert any("set prediction to epsilon, v or flow" in line for line in problems_of(plan))
    told = ours("silent.safetensors", CHAIN, "samplers.ddim", prediction="v")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny("sd2").folder.parent))
    assert torch.equal(told, ours("sd2.safetensors", CHAIN, "samplers.ddim"))


def test_parts_from_files_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the transformer, the text encoders and the autoencoder of SD 3 from three files, as many are published."""
    tensors = load_file(shared_tiny("sd3").file)
    for name, prefix in (("net", "model."), ("texts", "text_encoders."), ("vae", "first_stage_model.")):
        chosen = {key: value for key, value in tensors.items() if key.startswith(prefix)}
        save_file(chosen, tmp_path / f"{name}.safetensors")
    whole = ours("sd3.safetensors", FLOW, "samplers.euler")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(tmp_path))
    plan = workflow("", FLOW, "samplers.euler")
    del plan["nodes"]["model"]
    plan["nodes"] |= {
        "net": node("models.load_denoiser", path="net.safetensors"),
        "texts": node("models.load_text_encoder", path="texts.safetensors"),
        "vae": node("models.load_autoencoder", path="vae.safetensors", family="sd3"),
    }
    text = (
        json.dumps(plan).replace("model.denoiser", "net.denoiser").replace("model.text_encoder", "texts.text_encoder")
    )
    plan = json.loads(text.replace("model.autoencoder", "vae.autoencoder"))
    torch.testing.assert_close(pixels_of(graphgen.run(plan)["picture"]), whole, rtol=0, atol=1e-5)
    incomplete = "\n".join(problems_of(workflow("net.safetensors", FLOW, "samplers.euler")))
    assert "add a models.load_text_encoder node" in incomplete


@pytest.mark.gpu
@pytest.mark.parametrize(("arch", "schedule"), [("sd1", EULER), ("sd2", EULER), ("sdxl", EULER), ("sd3", FLOW)])
def test_the_same_workflow_runs_on_a_gpu(arch: Arch, schedule: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the unchanged workflow on CUDA, in half precision and in float32, against the CPU."""
    folder = shared_tiny(arch).folder.name
    reference = ours(folder, schedule, "samplers.euler")
    monkeypatch.setenv("GRAPHGEN_DEVICE", "cuda")
    for precision, allowed in (("float32", 0.02), ("auto", 0.1)):
        found = ours(folder, schedule, "samplers.euler", precision=precision)
        assert found.device.type == "cpu"
        assert torch.isfinite(found).all()
        assert float((found - reference).abs().mean()) < allowed
