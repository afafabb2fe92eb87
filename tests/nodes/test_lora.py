"""`lora.load`: refused when checked where it cannot fit, exact where it does nothing, else as diffusers draws."""

from __future__ import annotations

import json
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_kit import Log, N, config, engine, workflow
from nodes.test_lora_files import pipeline
from nodes.test_parity import CHAIN, DDIM, EULER, FLOW, NEGATIVE, PROMPT, SCALE, SEED, SIZE, STEPS, from_pipeline
from released import bare, flux, ldm_unet
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.events import NodeLog
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import Registry, build_registry
from nodes import lora_kit as kit

WORKFLOW = Path(__file__).parents[2] / "workflows" / "lora.json"
SCHEDULES: dict[str, dict[str, Any]] = {"sd1": CHAIN, "sdxl": EULER, "sd3": FLOW}
Pairs = dict[str, tuple[Tensor, Tensor]]
LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "conv1", "proj_in")
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = build_registry(find_plugins())
    assert "lora.load" in made.nodes
    return made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with tiny models, to put LoRA files beside."""
    folder = tmp_path_factory.mktemp("models")
    arches: tuple[Arch, ...] = ("sd1", "sdxl", "sd3", "flux")
    for arch in arches:
        shutil.copytree(shared_tiny(arch).folder, folder / arch)
    return folder


@pytest.fixture
def made(tmp_path: Path, models: Path, registry: Registry) -> Iterator[Engine]:
    roots = replace(config(tmp_path).roots, models=models)
    with engine(tmp_path, installed=registry, roots=roots, device="cpu") as found:
        yield found


def attention(arch: Arch) -> dict[str, Tensor]:
    parts = pipeline(arch)
    return kit.layers_of(parts.transformer if arch in ("sd3", "flux") else parts.unet, *LAYERS)


def words(arch: Arch, part: str = "text_encoder") -> dict[str, Tensor]:
    """Return layers of a text encoder, by the names that trainers know them by."""
    found = kit.layers_of(getattr(pipeline(arch), part), *TEXT_LAYERS)
    return {f"text_model.{bare(name)}": weight for name, weight in found.items()}


def released(pairs: Pairs) -> Pairs:
    """Name a UNet's layers as its release does."""
    order = {f"{name}.weight": torch.tensor(index) for index, name in enumerate(pairs)}
    values = list(pairs.values())
    return {name.removesuffix(".weight"): values[int(index)] for name, index in ldm_unet(order, layers=1).items()}


def put(made: Engine, name: str, *tensors: kit.Parts, **more: Any) -> str:
    """Save a LoRA file in the models root; return its name."""
    return kit.save(made.config.roots.models / name, *tensors, **more).name


def lora(path: str, **settings: Any) -> dict[str, Any]:
    return {"path": path, **settings}


def drawing(*loras: dict[str, Any], arch: Arch = "sd1", texts: bool = True, steps: int = 3) -> dict[str, Any]:
    """Return text-to-image with a chain of LoRAs, given by their settings."""
    nodes = {"model": N("models.load", {"path": arch})}
    last = "model"
    for index, settings in enumerate(loras):
        wires = {"denoiser": f"{last}.denoiser", **({"text_encoder": f"{last}.text_encoder"} if texts else {})}
        last = f"lora{index}"
        nodes[last] = N("lora.load", settings, **wires)
    encoder = f"{last if texts else 'model'}.text_encoder"
    schedule = SCHEDULES[arch]
    nodes |= {
        "positive": N("text.encode", {"text": PROMPT}, encoder=encoder),
        "negative": N("text.encode", {"text": "blurry"}, encoder=encoder),
        "latent": N("latents.empty", {"width": SIZE, "height": SIZE}, denoiser="model.denoiser"),
        "noise": N("noise.gaussian", {"seed": SEED}),
        "schedule": N(schedule["type"], {"steps": steps, **schedule.get("settings", {})}, denoiser="model.denoiser"),
        "sampler": N("samplers.ddim" if arch == "sd1" else "samplers.euler"),
        "guider": N(
            "guiders.classifier_free",
            {"scale": SCALE},
            denoiser=f"{last}.denoiser",
            positive="positive.conditioning",
            negative="negative.conditioning",
        ),
        "sample": N(
            "sampling.sample",
            guider="guider.guider",
            sampler="sampler.sampler",
            schedule="schedule.schedule",
            noise="noise.noise",
            latent="latent.latent",
        ),
        "picture": N("autoencoder.decode", autoencoder="model.autoencoder", latent="sample.latent"),
    }
    return workflow(nodes, "picture.image")


def drawn(made: Engine, *loras: dict[str, Any], **settings: Any) -> Tensor:
    image: Any = made.run(drawing(*loras, **settings)).outputs["picture"]
    pixels: Tensor = image.pixels
    return pixels


def digest(pixels: Tensor) -> str:
    return sha256(pixels.numpy().tobytes()).hexdigest()


# --- what must change nothing, and what must add up -------------------------------------------------------------------


def test_what_changes_nothing_is_exact(made: Engine) -> None:
    """Untrained (B = 0), at strength 0, in blocks of weight 0, or gone again: the same picture to the last bit."""
    before = drawn(made)
    fresh = put(made, "fresh.safetensors", kit.kohya(kit.pairs(attention("sd1"), 1, zero=True), "lora_unet_"))
    told = put(made, "told.safetensors", kit.kohya(kit.pairs(attention("sd1"), 1), "lora_unet_"))
    assert digest(drawn(made, lora(fresh))) == digest(before)
    changed = drawn(made, lora(told))
    assert (changed - before).abs().max() > 0.01
    assert digest(drawn(made, lora(told, strength=0.0))) == digest(before)
    assert digest(drawn(made, lora(told, blocks="all 0"))) == digest(before)
    assert digest(drawn(made, lora(told), lora(fresh))) == digest(changed)
    with Engine(made.config, made.registry, use_cache=False) as again:
        assert digest(drawn(again, lora(told))) == digest(changed)
        assert digest(drawn(again)) == digest(before)  # by the weights that were patched a moment ago


def test_loras_add(made: Engine) -> None:
    """Two files after each other are one of their sum, in any order; strengths scale, and minus one undoes."""
    one, other = kit.pairs(attention("sd1"), 1), kit.pairs(attention("sd1"), 100)
    both = {
        name: (torch.cat([0.5 * one[name][0], -2 * other[name][0]]), torch.cat([one[name][1], other[name][1]], dim=1))
        for name in one
    }
    first = put(made, "one.safetensors", kit.peft(one, "unet."))
    second = put(made, "other.safetensors", kit.kohya(other, "lora_unet_", alpha=kit.RANK))
    joined = put(made, "both.safetensors", kit.peft(both, "unet."))
    found = drawn(made, lora(first, strength=0.5), lora(second, strength=-2.0))
    torch.testing.assert_close(found, drawn(made, lora(joined)), rtol=0, atol=1e-4)
    turned = drawn(made, lora(second, strength=-2.0), lora(first, strength=0.5))
    torch.testing.assert_close(found, turned, rtol=0, atol=1e-4)
    undone = drawn(made, lora(first), lora(first, strength=-1.0))
    torch.testing.assert_close(undone, drawn(made), rtol=0, atol=1e-4)


def test_encoded_prompts_are_kept_when_only_the_denoiser_s_part_changes(made: Engine) -> None:
    file = put(
        made,
        "both.safetensors",
        kit.kohya(kit.pairs(attention("sd1"), 1), "lora_unet_"),
        kit.kohya(kit.pairs(words("sd1"), 50), "lora_te_"),
    )
    made.run(drawing(lora(file)))
    log = Log()
    made.run(drawing(lora(file, strength=0.25)), listen=log)
    assert "sample" in log.ran
    assert not {"positive", "negative"} & log.ran
    log = Log()
    made.run(drawing(lora(file, strength=0.25, text_strength=0.5)), listen=log)
    assert {"positive", "negative", "sample"} <= log.ran


def test_a_lora_for_a_part_of_the_steps(made: Engine) -> None:
    file = put(made, "early.safetensors", kit.kohya(kit.pairs(attention("sd1"), 1), "lora_unet_"))
    off, on = drawn(made, steps=4), drawn(made, lora(file), steps=4)
    half = drawn(made, lora(file, end=0.5), steps=4)
    assert len({digest(off), digest(on), digest(half)}) == 3
    assert digest(drawn(made, lora(file, end=0.5), lora(file, start=0.5), steps=4)) == digest(on)


# --- what is refused, before anything is loaded -----------------------------------------------------------------------


def refused(made: Engine, *loras: dict[str, Any], **settings: Any) -> str:
    with pytest.raises(WorkflowError) as caught:
        made.check(drawing(*loras, **settings))
    return str(caught.value)


def test_a_lora_for_another_family_is_refused_when_checked(made: Engine) -> None:
    file = put(made, "sd3.safetensors", kit.peft(kit.pairs(attention("sd3"), 1), "transformer."))
    said = refused(made, lora(file))
    assert "lora0.path" in said
    assert "is a LoRA for Stable Diffusion 3, and this is Stable Diffusion 1.x" in said
    assert "choose one made for this model" in said
    assert refused(made, lora(file, partial=True)) == said
    made.check(drawing(lora(file), arch="sd3"))


def test_layers_that_match_nothing_are_listed(made: Engine) -> None:
    pairs = kit.pairs(attention("sd1"), 1)
    name, value = next(iter(pairs.items()))
    strange = {f"down_blocks.9.{word}.to_q": value for word in ("one", "two")}
    file = put(made, "partly.safetensors", kit.kohya({**pairs, **strange}, "lora_unet_"))
    said = refused(made, lora(file))
    assert "the model has no layers 'lora_unet_down_blocks_9_one_to_q', 'lora_unet_down_blocks_9_two_to_q'" in said
    assert f"set partial to use the {len(pairs)} layers that match" in said
    whole = put(made, "whole.safetensors", kit.kohya(pairs, "lora_unet_"))
    log = Log()
    made.run(drawing(lora(file, partial=True), texts=False), listen=log)
    (warning,) = [event for event in log.events if isinstance(event, NodeLog) and event.node == "lora0"]
    assert "lora_unet_down_blocks_9_one_to_q" in warning.message
    assert digest(drawn(made, lora(file, partial=True))) == digest(drawn(made, lora(whole)))
    wider = {name: (torch.cat([value[0], value[0]], dim=1), value[1])}
    said = refused(made, lora(put(made, "wide.safetensors", kit.kohya({**pairs, **wider}, "lora_unet_"))))
    assert "it has other shapes for 'lora_unet_" in said
    assert "is needed" in said


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ({"blocks": "down"}, "lora0.blocks", "is no block and weight"),
        ({"blocks": "single 1"}, "lora0.blocks", "has no block 'single_transformer_blocks'; it has 'down_blocks.0'"),
        ({"start": 0.5, "end": 0.5}, "lora0.start", "at or after the end"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], place: str, message: str, made: Engine) -> None:
    file = put(made, "one.safetensors", kit.kohya(kit.pairs(attention("sd1"), 1), "lora_unet_"))
    said = refused(made, lora(file, **settings))
    assert place in said
    assert message in said


def test_what_is_for_a_text_encoder_that_is_not_wired_is_left_out(made: Engine) -> None:
    """And a text encoder is not given where none is wired."""
    unet, text = kit.pairs(attention("sd1"), 1), kit.pairs(words("sd1"), 50)
    file = put(made, "both.safetensors", kit.kohya(unet, "lora_unet_"), kit.kohya(text, "lora_te_"))
    alone = put(made, "alone.safetensors", kit.kohya(unet, "lora_unet_"))
    assert digest(drawn(made, lora(file), texts=False)) == digest(drawn(made, lora(alone), texts=False))
    assert digest(drawn(made, lora(file))) != digest(drawn(made, lora(file), texts=False))
    graph = drawing(lora(file), texts=False)
    graph["nodes"]["positive"]["inputs"]["encoder"] = "lora0.text_encoder"
    report = made.run(graph)
    assert "picture" not in report.outputs


def test_facts_go_through(made: Engine) -> None:
    file = put(made, "one.safetensors", kit.kohya(kit.pairs(attention("sd1"), 1), "lora_unet_"))
    nodes = made.check(drawing(lora(file))).nodes
    for output in ("denoiser", "text_encoder"):
        assert nodes["lora0"].facts[output] == nodes["model"].facts[output]


# --- parity -----------------------------------------------------------------------------------------------------------


def theirs(arch: Arch, path: Path, strength: float = 1.0, *, scheduler: bool = True) -> Tensor:
    """Draw by diffusers' pipeline with the same file."""
    import diffusers

    found = make_pipeline(arch, seed=0)
    if arch == "sd1" and scheduler:
        found.scheduler = diffusers.DDIMScheduler.from_config(found.scheduler.config, **DDIM)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own
        found.load_lora_weights(path.parent, weight_name=path.name, adapter_name="one", local_files_only=True)
        found.set_adapters(["one"], [strength])
    return from_pipeline(found)


def test_the_workflow_equals_the_pipeline(made: Engine, record_property: Any) -> None:
    """Run workflows/lora.json with its own sampler and schedule, which are the pipeline's."""
    file = put(
        made,
        "workflow.safetensors",
        kit.kohya(kit.pairs(attention("sd1"), 1), "lora_unet_", alpha=2.0),
        kit.kohya(kit.pairs(words("sd1"), 50), "lora_te_"),
    )
    reference = theirs("sd1", made.config.roots.models / file, 0.8, scheduler=False)
    given: dict[str, JSON] = {"prompt": PROMPT, "negative": NEGATIVE, "seed": SEED, "steps": STEPS, "guidance": SCALE}
    given |= {"model": "sd1", "lora": file, "strength": 0.8, "width": SIZE, "height": SIZE}
    image: Any = made.run(WORKFLOW, given).outputs["picture"]
    difference = float((image.pixels - reference).abs().max())
    record_property("difference", difference)
    print(f"workflow: {difference:.1e}")
    assert difference < 1e-4
    plain: Any = made.run(WORKFLOW, {**given, "strength": 0.0}).outputs["picture"]
    assert (plain.pixels - reference).abs().max() > 0.01


@pytest.mark.parametrize(
    ("arch", "dialect", "strength"),
    [
        ("sd1", "kohya", 1.0),
        ("sd1", "kohya", 0.6),
        ("sd1", "peft", 1.0),
        ("sdxl", "kohya", 0.8),
        ("sdxl", "release", 0.8),
        ("sdxl", "peft", 1.0),
        ("sd3", "peft", 0.7),
    ],
)
def test_picture_equals_the_pipeline_s(
    arch: Arch, dialect: str, strength: float, made: Engine, record_property: Any
) -> None:
    """Draw with a file for the denoiser and the text encoders by our nodes and by diffusers."""
    pairs, numbers = kit.pairs(attention(arch), 1), {"text_encoder": "1", "text_encoder_2": "2"}
    texts = {part: kit.pairs(words(arch, part), 50) for part in numbers if arch == "sdxl" or part == "text_encoder"}
    if dialect == "peft":
        tensors = [kit.peft(pairs, "transformer." if arch == "sd3" else "unet.")]
        tensors += [kit.peft(found, f"{part}.") for part, found in texts.items()]
    else:
        tensors = [kit.kohya(released(pairs) if dialect == "release" else pairs, "lora_unet_", alpha=2.0)]
        tensors += [kit.kohya(found, f"lora_te{numbers[part]}_", alpha=1.0) for part, found in texts.items()]
    file = put(made, "parity.safetensors", *tensors)
    reference = theirs(arch, made.config.roots.models / file, strength)
    found = drawn(made, lora(file, strength=strength, text_strength=strength), arch=arch, steps=STEPS)
    difference = float((found - reference).abs().max())
    record_property("difference", difference)
    print(f"{arch}, {dialect}: {difference:.1e}")
    assert difference < 1e-4
    assert (found - drawn(made, arch=arch, steps=STEPS)).abs().max() > 0.01


@pytest.mark.parametrize("dialect", ["peft", "kohya", "xlabs"])
def test_flux_equals_the_pipeline(dialect: str, made: Engine, record_property: Any) -> None:
    """Draw by workflows/flux_dev.json with a LoRA; kohya's and XLabs' names are the release's, with fused matrices."""
    if dialect == "peft":
        tensors = [kit.peft(kit.pairs(attention("flux"), 1), "transformer.")]
    elif dialect == "xlabs":
        tensors = [xlabs_tensors()]
    else:
        fused = ("img_attn.qkv", "img_attn.proj", "txt_attn.qkv", "txt_attn.proj", "img_mlp.0", "txt_mlp.2")
        layers = {name: value for name, value in flux_release().items() if name.endswith(fused)}
        tensors = [kit.kohya(kit.pairs(layers, 1), "lora_unet_", alpha=2.0)]
    tensors.append(kit.kohya(kit.pairs(words("flux"), 50), "lora_te1_") if dialect == "kohya" else {})
    file = put(made, "flux.safetensors", *tensors)
    workflow = json.loads(WORKFLOW.with_name("flux_dev.json").read_text())
    wires = {"denoiser": "model.denoiser", "text_encoder": "model.text_encoder"}
    workflow["nodes"]["lora"] = N("lora.load", {"path": file}, **wires)
    workflow["nodes"]["guider"]["inputs"]["denoiser"] = "lora.denoiser"
    workflow["nodes"]["prompt"]["inputs"]["encoder"] = "lora.text_encoder"
    given: dict[str, JSON] = {"prompt": PROMPT, "seed": SEED, "steps": STEPS, "guidance": SCALE}
    given |= {"model": "flux", "width": SIZE, "height": SIZE}
    image: Any = made.run(workflow, given).outputs["picture"]
    plain: Any = made.run(WORKFLOW.with_name("flux_dev.json"), given).outputs["picture"]
    assert (image.pixels - plain.pixels).abs().max() > 0.01
    reference = theirs("flux", made.config.roots.models / file)
    difference = float((image.pixels - reference).abs().max())
    record_property("difference", difference)
    print(f"flux, {dialect}: {difference:.1e}")
    assert difference < 1e-4


def xlabs_tensors() -> kit.Parts:
    """Return a LoRA for the attention of all of the tiny Flux's blocks, as XLabs names it."""
    words = {"img_attn.qkv": "qkv_lora1", "img_attn.proj": "proj_lora1", "txt_attn.qkv": "qkv_lora2"}
    words |= {"txt_attn.proj": "proj_lora2", "linear1": "qkv_lora", "linear2": "proj_lora"}
    tensors: kit.Parts = {}
    for index, (name, weight) in enumerate(flux_release().items()):
        for own, word in words.items():
            if name.endswith(f".{own}"):
                rows = 3 * weight.shape[1] if own == "linear1" else len(weight)
                down, up = kit.pair(weight[:rows], index)
                key = f"{name.removesuffix(own)}processor.{word}"
                tensors |= {f"{key}.down.weight": down, f"{key}.up.weight": up}
    assert len(tensors) == 2 * (4 + 2 * 2)  # one double block and two single ones
    return tensors


def flux_release() -> dict[str, Tensor]:
    """Return the weights of the tiny Flux by the names of its release."""
    stored = flux(pipeline("flux").transformer.state_dict())
    return {name.removesuffix(".weight"): value for name, value in stored.items() if name.endswith(".weight")}
