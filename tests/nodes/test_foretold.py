"""Whole workflows on tiny models: what `graphgen check` knows of every wire is what a run then puts on it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, cast

import PIL.Image
import pytest
import torch
from engine_kit import N, config, problems_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodes.facts_kit import assert_foretold, facts_of
from safetensors.torch import load_file, save_file
from tiny import Arch, shared_tiny

from graphgen import Place
from graphgen.engine import Engine
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.wirefacts import notes_of
from graphgen_nodes import Denoiser, GuidedConditioning, SizedConditioning, TextConditioning, TextEncoder
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.families.known import known_denoiser
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.text.encode import PromptEncoder
from graphgen_nodes.weights import FamilyNetwork

WORKFLOWS = Path(__file__).parents[2] / "workflows"
IMPOSSIBLE = Path(__file__).parents[1] / "graphs" / "impossible"
DOCUMENTED = set(re.findall(r"`(\w+)`", (Path(__file__).parents[2] / "docs" / "facts.md").read_text(encoding="utf-8")))
ARCHES: tuple[Arch, ...] = ("sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux")
EMBEDDING = {"sd1": 64, "sd2": 64, "sdxl": 128, "sdxl_refiner": 64, "sd3": 192, "flux": 96}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine over the built-in nodes, with tiny models and a picture of 48 x 40."""
    folder = tmp_path_factory.mktemp("machine")
    found = config(folder, device="cpu")
    for arch in ARCHES:
        shutil.copy(shared_tiny(arch).file, found.roots.models)
        shutil.copytree(shared_tiny(arch).folder, found.roots.models / arch)
    save_file(wider(load_file(shared_tiny("sd1").file)), found.roots.models / "wide.safetensors")
    PIL.Image.new("RGB", (48, 40), "red").save(found.roots.inputs / "red.png")
    with Engine(found, build_registry(find_plugins()), use_cache=False) as made:
        yield made


def wider(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return a text encoder twice as wide as Stable Diffusion 1's tiny one."""
    start = "cond_stage_model.transformer."
    texts = {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
    return {
        name: torch.zeros([side * 2 if side in (64, 96) else side for side in value.shape])
        for name, value in texts.items()
    }


def every_output(machine: Engine, nodes: Mapping[str, Any]) -> dict[str, JSON]:
    """Return a workflow that gives the value of every wire."""
    wires = [
        f"{name}.{output.name}"
        for name, node in nodes.items()
        for output in machine.registry.nodes[node["type"]].outputs
        if not machine.registry.nodes[node["type"]].effect
    ]
    return {"graphgen": 1, "nodes": dict(nodes), "outputs": {wire.replace(".", "_"): {"from": wire} for wire in wires}}


def assert_comes_as_foretold(machine: Engine, nodes: Mapping[str, Any]) -> None:
    workflow = every_output(machine, nodes)
    graph = machine.check(workflow)
    report = machine.run(workflow)
    assert report.status == "done", report
    for name, node in graph.nodes.items():
        for output in node.spec.outputs:
            words = node.facts[output.name].keys() - {setting.name for setting in node.spec.settings}
            assert words <= DOCUMENTED, f"docs/facts.md does not say what {words - DOCUMENTED} are"
            if node.spec.effect:
                assert node.facts[output.name]["count"] == len(report.files)
                continue
            value = report.outputs[f"{name}_{output.name}"]
            assert_foretold(node.facts[output.name], value, f"{name}.{output.name}")


# --- runs -------------------------------------------------------------------------------------------------------------

SAMPLERS = st.sampled_from(
    ["euler", "euler_ancestral", "heun", "dpmpp_2m", "dpmpp_2m_sde", "lms", "ddim", "unipc", "lcm"]
)
SCHEDULES = st.sampled_from(["default", "karras", "exponential", "uniform"])
PROMPTS = st.sampled_from(["", "a red apple", "apple " * 90, "빨간 사과 🍎"])


@st.composite
def text_to_image(draw: st.DrawFn, arch: Arch) -> dict[str, Any]:
    unit = 16 if arch in ("sd3", "flux") else 8
    sides = {side: unit * draw(st.integers(3, 5)) for side in ("width", "height")}
    denoiser, schedule = "model.denoiser", draw(SCHEDULES)
    sized = {"latent": "latent.latent"} if schedule in ("default", "uniform") else {}
    nodes: dict[str, Any] = {
        "model": N("models.load", {"path": draw(st.sampled_from([arch, f"{arch}.safetensors"]))}),
        "words": N("values.text", {"value": draw(PROMPTS)}),
        "yes": N("text.encode", encoder="model.text_encoder", text="words.str"),
        "no": N("text.encode", encoder="model.text_encoder"),
        "guider": N(
            "guiders.classifier_free", denoiser=denoiser, positive="yes.conditioning", negative="no.conditioning"
        ),
        "alone": N("guiders.none", denoiser=denoiser, positive="yes.conditioning"),
        "sampler": N(f"samplers.{draw(SAMPLERS)}"),
        "steps": N("values.whole_number", {"value": draw(st.integers(2, 4))}),
        "schedule": N(f"schedules.{schedule}", None, steps="steps.int", denoiser=denoiser, **sized),
        "part": N("schedules.slice", {"start": draw(st.sampled_from([0.0, 0.5]))}, schedule="schedule.schedule"),
        "noise": N("noise.gaussian", {"seed": draw(st.integers(0, 9))}),
        "latent": N("latents.empty", {**sides, "batch": draw(st.integers(1, 3))}, denoiser=denoiser),
        "sample": N(
            "sampling.sample",
            guider=draw(st.sampled_from(["guider.guider", "alone.guider"])),
            sampler="sampler.sampler",
            schedule="part.schedule",
            noise="noise.noise",
            latent="latent.latent",
        ),
        "picture": N("autoencoder.decode", autoencoder="model.autoencoder", latent="sample.latent"),
        "again": N("autoencoder.encode", autoencoder="model.autoencoder", image="picture.image"),
    }
    if arch == "flux":
        scale = draw(st.sampled_from([1.0, 3.5]))
        nodes["told"] = N("text.guidance", {"scale": scale}, conditioning="yes.conditioning")
        nodes["guider"]["inputs"]["positive"] = "told.conditioning"
    return nodes


@pytest.mark.parametrize("arch", ARCHES)
@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_every_wire_of_text_to_image_carries_what_was_foretold(
    arch: Arch, data: st.DataObject, machine: Engine
) -> None:
    assert_comes_as_foretold(machine, data.draw(text_to_image(arch)))


@pytest.mark.parametrize("sampler", ["dpmpp_sde", "pndm", "ddpm"])
def test_every_other_wire_carries_what_was_foretold(machine: Engine, sampler: str) -> None:
    """Loaders of parts, files, masks, upscaling, saving, and the methods that are left."""
    nodes = {
        "photo": N("images.load", {"path": "red.png"}),
        "upscaler": N("upscalers.load"),
        "large": N("images.upscale", upscaler="upscaler.upscaler", image="photo.image"),
        "save": N("images.save", {"name": sampler}, image="large.image"),
        "mask": N("masks.solid", {"width": 48, "height": 40, "batch": 2}),
        "seen": N("images.with_alpha", image="photo.image", mask="mask.mask"),
        "choice": N("values.choice", {"options": ["sd1", "sd2"], "index": 3}),
        "half": N("values.number", {"value": 0.5}),
        "denoiser": N("models.load_denoiser", {"precision": "float32"}, path="choice.str"),
        "texts": N("models.load_text_encoder", {"path": "sd1.safetensors"}),
        "autoencoder": N("models.load_autoencoder", {"path": "sd1", "family": "sd1"}),
        "chain": N("schedules.model", {"steps": 3, "spacing": "trailing"}, denoiser="denoiser.denoiser"),
        "part": N("schedules.slice", schedule="chain.schedule", end="half.float"),
        "flow": N("models.load_denoiser", {"path": "sd3"}),
        "other": N("schedules.flow", {"steps": 3}, denoiser="flow.denoiser"),
        "long": N("models.load_text_encoder", {"path": "sd3"}),
        "short": N("text.encode", {"text": "a red apple", "length": 20}, encoder="long.text_encoder"),
        "area": N("conditioning.area", {"alone": True, "width": 0.3}, conditioning="short.conditioning"),
        "masked": N("conditioning.mask", conditioning="short.conditioning", mask="mask.mask"),
        "both": N("conditioning.combine", conditionings=["area.conditioning", "masked.conditioning"]),
        "later": N("conditioning.switch", first="short.conditioning", then="both.conditioning"),
        "while": N(
            "conditioning.between", {"start": 0.2}, conditioning="both.conditioning", otherwise="area.conditioning"
        ),
        "mixed": N("conditioning.blend", first="short.conditioning", second="zero.conditioning"),
        "longer": N("conditioning.join", first="short.conditioning", second="mixed.conditioning"),
        "zero": N("conditioning.zero", {"what": "tokens"}, conditioning="short.conditioning"),
        "sampler": N(f"samplers.{sampler}"),
        "draw": N("autoencoder.encode", {"draw": True}, autoencoder="autoencoder.autoencoder", image="photo.image"),
    }
    assert_comes_as_foretold(machine, nodes)


def test_every_wire_of_editing_carries_what_was_foretold(machine: Engine) -> None:
    prompt: dict[str, Any] = {"conditioning": "words.conditioning", "latent": "seen.latent"}
    both: dict[str, Any] = {"image": "photo.image", "mask": "mask.mask"}
    nodes = {
        "photo": N("images.load", {"path": "red.png"}),
        "mask": N("masks.solid", {"width": 48, "height": 40, "value": 0.5}),
        "model": N("models.load", {"path": "sd1"}),
        "words": N("text.encode", {"text": "a red apple"}, encoder="model.text_encoder"),
        "rest": N("editing.erase", **both),
        "seen": N("autoencoder.encode", autoencoder="model.autoencoder", image="rest.image"),
        "shown": N("editing.picture", **prompt),
        "masked": N("editing.masked_picture", mask="mask.mask", **prompt),
        "deep": N("editing.depth", depths="mask.mask", **prompt),
        "method": N("samplers.euler"),
        "within": N("editing.inpaint", sampler="method.sampler", latent="seen.latent", mask="mask.mask"),
        "wide": N("editing.extend", {"left": 8, "right": 3}, image="photo.image"),
        "part": N("editing.cut_out", {"width": 16, "height": 24}, **both),
        "whole": N("editing.stitch", image="part.image", over="photo.image", cutout="part.cutout", mask="mask.mask"),
        "alike": N("editing.match_colors", image="part.image", reference="photo.image"),
        "large": N("latents.resize", {"width": 96, "height": 80}, latent="seen.latent"),
        "twice": N("latents.repeat", latent="seen.latent"),
    }
    assert_comes_as_foretold(machine, nodes)


def test_every_wire_of_an_edit_by_prompts_carries_what_was_foretold(machine: Engine) -> None:
    nodes = json.loads((WORKFLOWS / "prompt_to_prompt_local.json").read_text())["nodes"]
    nodes["model"]["settings"]["path"] = "sd1"
    nodes["schedule"]["settings"]["steps"] = 2
    nodes["several"] = N("conditioning.combine", conditionings=["negative.conditioning", "edit.conditioning"])
    nodes["guider"]["inputs"]["negative"] = "several.conditioning"
    assert_comes_as_foretold(machine, nodes)


@pytest.mark.parametrize("name", ["dit", "ddpm", "ncsnpp"])
def test_every_wire_of_a_model_without_text_carries_what_was_foretold(machine: Engine, name: str) -> None:
    """Run the workflows of DiT, DDPM and NCSN++, whose models are told a label or nothing."""
    shutil.copytree(shared_tiny(cast(Arch, name)).folder, machine.config.roots.models / name)
    nodes = json.loads((WORKFLOWS / f"{name}.json").read_text())["nodes"]
    nodes["model"]["settings"]["path"] = name
    nodes["schedule"]["settings"]["steps"] = 2
    nodes["latent"]["settings"] |= {"width": 64, "height": 64, "batch": 2}
    nodes["mixed"] = N("latents.blend", {"ratio": 0.2}, first="sample.latent", second="latent.latent")
    assert_comes_as_foretold(machine, nodes)


@st.composite
def pictures_in_zones(draw: st.DrawFn) -> dict[str, Any]:
    side, turns = st.integers(1, 24), st.integers(0, 3)
    solid = N("images.solid", {"width": draw(side), "height": draw(side), "batch": draw(st.integers(1, 2))})
    loop: dict[str, JSON] = {"times": draw(turns), "carry": {"image": "image"}}
    over: dict[str, JSON] = {"over": ["width"], "carry": {"image": "image"}}
    each = N("images.resize", {"height": draw(side)}, image="solid.image", width="widths.numbers")
    return {
        "solid": solid,
        "widths": N("flow.numbers", {"start": draw(side), "count": draw(turns)}),
        "each": {**each, "map": {"over": ["width"]}},
        "pairs": {
            **N("images.resize", image="each.image", width="widths.numbers"),
            "map": {"over": ["image", "width"], "how": draw(st.sampled_from(["zip", "product"]))},
        },
        "turned": {
            **N("images.resize", {"width": draw(side), "height": draw(side)}, image="solid.image"),
            "loop": loop,
        },
        "kept": {
            **N("images.crop", {"width": 1, "height": 1}, image="solid.image"),
            "loop": {**loop, "collect": ["image"]},
        },
        "last": {**each, "loop": over},
        "grey": {**N("masks.invert", mask="pairs.image"), "map": {"over": ["mask"]}},
    }


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(nodes=pictures_in_zones())
def test_maps_and_loops_give_what_was_foretold(machine: Engine, nodes: dict[str, Any]) -> None:
    ends = {"widths": "numbers", "grey": "mask"}
    outputs = {name: {"from": f"{name}.{ends.get(name, 'image')}"} for name in nodes}
    workflow: dict[str, JSON] = {"graphgen": 1, "nodes": nodes, "outputs": outputs}
    graph, report = machine.check(workflow), machine.run(workflow)
    assert report.status == "done", report
    for name in nodes:
        output = ends.get(name, "image")
        facts = {fact: value for fact, value in graph.nodes[name].facts.get(output, {}).items() if fact != "note"}
        value = report.outputs[name]
        if isinstance(value, list):
            assert facts["count"] == len(value), name
            for item in value:
                assert cast("dict[str, JSON]", facts.get("item", {})).items() <= facts_of(item).items(), name
        else:
            assert facts
            assert facts.items() <= facts_of(value).items(), name


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("single", [False, True], ids=["folder", "file"])
def test_what_a_denoiser_wants_is_what_its_network_takes(arch: Arch, single: bool) -> None:
    """Every size that is let through keeps its shape, every size that is refused does not; widths are the network's."""
    checkpoint = open_checkpoint(shared_tiny(arch).file if single else shared_tiny(arch).folder)
    wants, handle = known_denoiser(checkpoint), denoiser_handle(checkpoint)
    assert wants["embedding"] == EMBEDDING[arch]
    network = loaded(handle)
    assert isinstance(network, FamilyNetwork)
    for sides in ((1, 3), (4, 4), (3, 5), (2, 5), (6, 4), (48, 4), (50, 4)):
        fits = not any(side % int(str(wants["multiple"])) for side in sides)
        fits = fits and max(sides) <= int(str(wants.get("most_cells", 999)))
        assert fits == works(network, handle, wants, *sides), sides
    assert not works(network, handle, {**wants, "embedding": 32}, 2, 2)


@cache
def loaded(handle: object) -> object:
    return ModelLoader().load(handle, Place("cpu", "float32"), lambda *_: None).module


def works(network: FamilyNetwork, handle: Denoiser, wants: Mapping[str, Any], columns: int, rows: int) -> bool:
    """Tell whether a network gives what it gets the shape of."""
    x = torch.zeros(1, handle.latent.channels, rows, columns)
    pooled = torch.zeros(1, wants["pooled"]) if wants["pooled"] else None
    states, sizes = torch.zeros(1, 7, wants["embedding"]), torch.zeros(1, 6, dtype=torch.int64)
    words: TextConditioning = SizedConditioning(handle.family, states, pooled, sizes=sizes, score=torch.zeros(1))
    if handle.family == "flux":
        words = GuidedConditioning(handle.family, states, pooled)
    try:
        return network(x, torch.zeros(1), words).shape == x.shape
    except (ValueError, RuntimeError):
        return False


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(IMPOSSIBLE.glob("*.json")), ids=lambda path: path.stem)
def test_impossible_workflows_are_refused_with_place_value_and_cure(machine: Engine, path: Path) -> None:
    problems = problems_of(machine, path)
    found = "\n".join(str(problem) for problem in problems) + "\n"
    assert found == path.with_suffix(".expected.txt").read_text(encoding="utf-8")
    assert all(problem.code == "refused" for problem in problems)


def test_every_expectation_of_the_impossible_has_its_workflow() -> None:
    names = {path.name.partition(".")[0] for path in IMPOSSIBLE.iterdir()}
    assert names == {path.stem for path in IMPOSSIBLE.glob("*.json")} != set()


# --- what is noted ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("text", ["", "apple " * 75, "apple " * 76, "apple " * 300, "é" * 74, "é" * 80, "사과 " * 40])
def test_a_prompt_that_is_too_long_is_noted_in_the_words_of_the_run(machine: Engine, arch: Arch, text: str) -> None:
    nodes = {
        "encoder": N("models.load_text_encoder", {"path": f"{arch}.safetensors"}),
        "prompt": N("text.encode", {"text": text}, encoder="encoder.text_encoder"),
    }
    graph = machine.check(every_output(machine, nodes))
    handle = machine.run(every_output(machine, nodes)).outputs["encoder_text_encoder"]
    assert isinstance(handle, TextEncoder)
    warnings: list[str] = []
    encoder = loaded(handle)
    assert isinstance(encoder, PromptEncoder)
    encoder.encode(text, warnings.append)
    assert notes_of(graph) == ([("prompt", "; ".join(warnings))] if warnings else [])
