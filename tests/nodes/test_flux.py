"""Check Flux against diffusers' pipeline and its converter, and what is refused; most is checked with all families."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from released import flux
from safetensors.torch import load_file, save_file
from tiny import make_pipeline, shared_tiny
from torch import Tensor

import graphgen
from graphgen.errors import WorkflowError
from graphgen_nodes import Flow, GuidedConditioning, Image, LatentFormat, SizedFlow
from graphgen_nodes.checkpoints import CheckpointError, open_checkpoint
from graphgen_nodes.checkpoints.keys import translate
from graphgen_nodes.checkpoints.layouts.flux import FluxTransformer
from graphgen_nodes.families.flux import Flux, pack, positions, unpack
from graphgen_nodes.families.handles import autoencoder_handle, denoiser_handle, text_encoder_handle
from graphgen_nodes.stored import made_of

WORKFLOWS = Path(__file__).parents[2] / "workflows"
PROMPT, NEGATIVE = "A red Apple, on 2 blue tables", "blurry"
SMALL: dict[str, Any] = {"prompt": PROMPT, "seed": 7, "steps": 4, "width": 96, "height": 64}
LATENT = LatentFormat("flux", 16, 0.3611, 0.1159, 8)


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for the tiny models, and compute on the CPU."""
    shared_tiny("flux"), shared_tiny("schnell")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny("flux").folder.parent))


def workflow(name: str, **settings: dict[str, Any]) -> dict[str, Any]:
    """Return a workflow of the family with some nodes' settings changed."""
    found: dict[str, Any] = json.loads((WORKFLOWS / f"{name}.json").read_text(encoding="utf-8"))
    for node, values in settings.items():
        found["nodes"][node].setdefault("settings", {}).update(values)
    return found


def pixels(found: Mapping[str, object]) -> Tensor:
    picture = found["picture"]
    assert isinstance(picture, Image)
    return picture.pixels


# --- the network's own arithmetic -------------------------------------------------------------------------------------


def test_packing_is_the_pipeline_s_and_unpacking_its_inverse() -> None:
    from diffusers import FluxPipeline

    latent = torch.randn(2, 16, 6, 10, generator=torch.Generator().manual_seed(0))
    packed = pack(latent)
    assert torch.equal(packed, FluxPipeline._pack_latents(latent, 2, 16, 6, 10))
    assert torch.equal(unpack(packed, 3, 5), latent)
    assert torch.equal(unpack(packed, 3, 5), FluxPipeline._unpack_latents(packed, 48, 80, 8))
    with pytest.raises(ValueError, match="5 rows and 8 columns; Flux takes even numbers"):
        pack(torch.zeros(1, 16, 5, 8))


def test_positions_are_row_and_column_in_the_order_of_packing() -> None:
    from diffusers import FluxPipeline

    wanted = FluxPipeline._prepare_latent_image_ids(1, 3, 5, torch.device("cpu"), torch.float32)
    assert torch.equal(positions(3, 5), wanted)


@torch.no_grad()
def test_the_order_of_text_tokens_does_not_matter() -> None:
    """All text tokens stand at one place of the rotary embedding, so the picture does not see their order."""
    network, family = make_pipeline("flux", seed=0).transformer, Flux()
    x, states = torch.randn(1, 16, 4, 6), torch.randn(1, 7, 96)
    pooled, time = torch.randn(1, 64), torch.tensor([500.0])
    one = family.predict(network, x, time, GuidedConditioning("flux", states, pooled, 3.0))
    two = family.predict(network, x, time, GuidedConditioning("flux", states.flip(1), pooled, 3.0))
    torch.testing.assert_close(one, two, rtol=1e-4, atol=1e-4)
    usual = family.predict(network, x, time, GuidedConditioning("flux", states, pooled))
    assert torch.equal(usual, family.predict(network, x, time, GuidedConditioning("flux", states, pooled, 3.5)))
    assert not torch.allclose(usual, one)


def test_the_table_agrees_with_diffusers_converter_at_the_published_width() -> None:
    """Convert tensors with all their rows and one column each; the converter knows no width but 3072."""
    from diffusers import FluxTransformer2DModel
    from diffusers.loaders.single_file_utils import convert_flux_transformer_checkpoint_to_diffusers

    with torch.device("meta"):
        network = FluxTransformer2DModel(num_layers=2, num_single_layers=2, guidance_embeds=True).state_dict()
    generator = torch.Generator().manual_seed(0)
    narrow = {
        name: torch.randn(len(value), *[1] * (value.ndim - 1), generator=generator) for name, value in network.items()
    }
    released = flux(narrow)
    shapes = {name: tuple(value.shape) for name, value in released.items()}
    sources = translate(shapes, FluxTransformer().rules(shapes), "file")
    made = {name: made_of(released[source.name], source) for name, source in sources.items()}
    expected = convert_flux_transformer_checkpoint_to_diffusers(dict(released))
    assert made.keys() == expected.keys() == narrow.keys()
    for name, value in expected.items():
        assert torch.equal(made[name], value), name
        assert torch.equal(made[name], narrow[name]), name


# --- pictures ---------------------------------------------------------------------------------------------------------


def test_true_guidance_with_a_negative_prompt_equals_the_pipeline_s() -> None:
    """Tell both prompts the distilled scale, and guide by the negative one as well."""
    plan = workflow("flux_dev")
    nodes = plan["nodes"]
    nodes["no"] = {"type": "text.encode", "version": 1, "inputs": {"encoder": "model.text_encoder"}}
    nodes["no"]["settings"] = {"text": NEGATIVE}
    nodes["negative"] = {"type": "text.guidance", "version": 1, "inputs": {"conditioning": "no.conditioning"}}
    nodes["guider"]["type"] = "guiders.classifier_free"
    nodes["guider"]["inputs"]["negative"] = "negative.conditioning"
    nodes["guider"]["settings"] = {"scale": 2.5}
    found = pixels(graphgen.run(plan, **SMALL, model="flux"))
    pipeline = make_pipeline("flux", seed=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        wanted = pipeline(
            PROMPT,
            negative_prompt=NEGATIVE,
            true_cfg_scale=2.5,
            guidance_scale=3.5,
            width=96,
            height=64,
            num_inference_steps=4,
            generator=torch.Generator().manual_seed(7),
            output_type="pt",
        ).images
    difference = float((found - wanted).abs().max())
    print(f"flux with a negative prompt: {difference:.1e}")
    assert difference < 1e-4


def test_each_text_encoder_reads_a_prompt_of_its_own() -> None:
    """CLIP reads the first, T5 the second, as in the pipeline."""
    pipeline = make_pipeline("flux", seed=0)
    found = graphgen.run(
        {
            "graphgen": 1,
            "nodes": {
                "encoder": {"type": "models.load_text_encoder", "version": 1, "settings": {"path": "flux"}},
                "words": {
                    "type": "text.encode",
                    "version": 1,
                    "inputs": {"encoder": "encoder.text_encoder"},
                    "settings": {"text": PROMPT, "text_2": NEGATIVE, "length": 64},
                },
            },
            "outputs": {"words": {"from": "words.conditioning"}},
        }
    )["words"]
    assert isinstance(found, GuidedConditioning)
    states, pooled, _ = pipeline.encode_prompt(PROMPT, NEGATIVE, max_sequence_length=64)
    torch.testing.assert_close(found.embeddings, states, rtol=0, atol=2e-5)
    torch.testing.assert_close(found.pooled, pooled, rtol=0, atol=1e-5)


# --- files ------------------------------------------------------------------------------------------------------------


def parts(folder: Path) -> Path:
    """Save the parts of the dev model in files of their own, as they are published."""
    tensors = load_file(shared_tiny("flux").file)
    names = {
        "flux1-dev": "model.diffusion_model.",
        "ae": "vae.",
        "clip_l": "text_encoders.clip_l.transformer.",
        "t5xxl_fp16": "text_encoders.t5xxl.transformer.",
    }
    for name, prefix in names.items():
        own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
        save_file(own, folder / f"{name}.safetensors")
    return folder


TEXTS = {"path": "t5xxl_fp16.safetensors", "path_2": "clip_l.safetensors"}


def test_parts_in_files_of_their_own_draw_the_same_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = pixels(graphgen.run(WORKFLOWS / "flux_dev.json", **SMALL, model="flux.safetensors"))
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(parts(tmp_path)))
    plan = workflow("flux_dev")
    del plan["nodes"]["model"], plan["parameters"]["model"]
    loaders = {
        "denoiser": ("models.load_denoiser", {"path": "flux1-dev.safetensors"}),
        "text_encoder": ("models.load_text_encoder", TEXTS),
        "autoencoder": ("models.load_autoencoder", {"path": "ae.safetensors", "family": "flux"}),
    }
    text = json.dumps(plan)
    for part in loaders:
        text = text.replace(f"model.{part}", f"{part}.{part}")
    plan = json.loads(text)
    for part, (kind, settings) in loaders.items():
        plan["nodes"][part] = {"type": kind, "version": 1, "settings": settings}
    assert torch.equal(pixels(graphgen.run(plan, **SMALL)), whole)


def test_what_a_file_lacks_is_said_with_the_loader_to_add(tmp_path: Path) -> None:
    folder = parts(tmp_path)
    alone = open_checkpoint(folder / "flux1-dev.safetensors")
    assert denoiser_handle(alone).latent == LATENT
    with pytest.raises(CheckpointError, match=r"holds no autoencoder.*models\.load_autoencoder"):
        autoencoder_handle(alone)
    with pytest.raises(CheckpointError, match=r"holds no text encoder.*of Flux\.1.*models\.load_text_encoder"):
        text_encoder_handle([alone])
    found = text_encoder_handle([open_checkpoint(folder / f"{name}.safetensors") for name in ("clip_l", "t5xxl_fp16")])
    assert found.family == "flux"


def test_an_autoencoder_is_known_by_its_scale_alone(tmp_path: Path) -> None:
    bare = open_checkpoint(parts(tmp_path) / "ae.safetensors")
    with pytest.raises(CheckpointError, match=r"could be an autoencoder of flux, sd3; set family to one of them"):
        autoencoder_handle(bare)
    assert autoencoder_handle(bare, "flux").latent == LATENT
    assert autoencoder_handle(open_checkpoint(shared_tiny("flux").folder / "vae")).latent == LATENT


@pytest.mark.parametrize(("arch", "still"), [("flux", False), ("schnell", True)])
@pytest.mark.parametrize("single", [False, True], ids=["folder", "file"])
def test_dev_and_schnell_are_told_apart_by_the_guidance_embedding(arch: Any, still: bool, single: bool) -> None:
    tiny = shared_tiny(arch)
    handle = denoiser_handle(open_checkpoint(tiny.file if single else tiny.folder))
    assert handle.path == (Flow() if still else SizedFlow())
    assert (handle.family, handle.prediction, handle.latent) == ("flux", "flow", LATENT)


def test_a_scheduler_s_own_line_of_mu_is_read() -> None:
    config = {"guidance_embeds": True}
    told = {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True, "max_shift": 1.5}
    assert Flux().path(told, "flow", config) == SizedFlow(most_mu=1.5)
    with pytest.raises(CheckpointError, match="time_shift_type is 'linear'; graphgen knows exponential"):
        Flux().path({**told, "time_shift_type": "linear"}, "flow", config)


def test_weights_in_eight_bits_are_computed_with_in_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Store all matrices as float8_e4m3fn, as many Flux files are, and draw what these very numbers draw."""
    tensors = load_file(shared_tiny("flux").file)
    eight = {name: value.to(torch.float8_e4m3fn) if value.ndim == 2 else value for name, value in tensors.items()}
    save_file(eight, tmp_path / "eight.safetensors")
    save_file({name: value.float() for name, value in eight.items()}, tmp_path / "more.safetensors")
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(tmp_path))
    one, two = (
        pixels(graphgen.run(WORKFLOWS / "flux_dev.json", **SMALL, model=f"{name}.safetensors"))
        for name in ("eight", "more")
    )
    assert float((one - two).abs().max()) < 1e-4, "the same but for rounding"


# --- what is refused before anything runs -----------------------------------------------------------------------------


def problems_of(plan: dict[str, Any], **parameters: Any) -> str:
    with pytest.raises(WorkflowError) as caught:
        graphgen.run(plan, **{**SMALL, **parameters})
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_what_does_not_fit_is_refused_with_place_and_cure() -> None:
    shared_tiny("sd1"), shared_tiny("sd3")
    assert "latent.width: is 72 pixels in width, which is no multiple of 16" in problems_of(
        workflow("flux_dev"), model="flux", width=72
    )
    plan = workflow("flux_dev")
    plan["nodes"]["other"] = {"type": "models.load", "version": 1, "settings": {"path": "sd3"}}
    plan["nodes"]["prompt"]["inputs"]["encoder"] = "other.text_encoder"
    found = problems_of(plan, model="flux")
    assert "positive.conditioning: is made for sd3, whose models are told no guidance scale" in found
    plan["nodes"]["guider"]["inputs"]["positive"] = "prompt.conditioning"
    del plan["nodes"]["positive"], plan["parameters"]["guidance"]
    assert "guider.positive: is made for sd3, but the denoiser is flux" in problems_of(plan, model="flux")
    plan = workflow("flux_dev")
    plan["nodes"]["other"] = {"type": "models.load", "version": 1, "settings": {"path": "sd1"}}
    plan["nodes"]["latent"]["inputs"]["denoiser"] = "other.denoiser"
    assert "sample.latent: is a latent of family sd with 4 channels" in problems_of(plan, model="flux")


def test_a_schedule_whose_shift_follows_the_size_wants_the_latent() -> None:
    plan = workflow("flux_dev")
    del plan["nodes"]["schedule"]["inputs"]["latent"]
    assert "schedule.latent: the model's time shift follows the size" in problems_of(plan, model="flux")


def test_schnell_is_told_no_guidance() -> None:
    found = problems_of(workflow("flux_dev"), model="schnell")
    assert "guider.positive: tells a guidance scale of 3.5, but this model was not distilled to be told one" in found
    network = make_pipeline("schnell", seed=0).transformer
    words = GuidedConditioning("flux", torch.zeros(1, 3, 96), torch.zeros(1, 64), 3.5)
    with pytest.raises(ValueError, match=r"leave out text\.guidance"):
        Flux().predict(network, torch.zeros(1, 16, 4, 4), torch.zeros(1), words)
