"""ControlNets: exact where they add nothing, else as diffusers' pipelines draw; refused at once where they cannot."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_kit import Log, N, config, engine
from nodes.control_kit import difference, drawing, make_control, save_control, save_original, save_picture
from nodes.test_parity import NEGATIVE, PROMPT, SCALE, SEED, SIZE, STEPS
from released import control_flux, t2i_adapter
from safetensors.torch import save_file
from tiny import Arch, make_adapter, shared_tiny
from torch import Tensor

from graphgen import Loaded, Place
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.events import NodeLog
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import Registry, build_registry
from graphgen.residency import Residency
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.control.handles import controlnet_handle
from graphgen_nodes.control.patch import Control
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.imaging import masks
from graphgen_nodes.imaging.hints import canny
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.sockets import Image
from nodes import control_kit as kit

ARCHES: tuple[Arch, ...] = ("sd1", "sdxl", "sd3", "flux")
UNETS: tuple[Arch, ...] = ("sd1", "sdxl")
CLOSE = 1e-4
WORKFLOW = Path(__file__).parents[2] / "workflows" / "controlnet.json"


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = build_registry(find_plugins())
    assert "controlnet.apply" in made.nodes
    return made


@pytest.fixture
def made(tmp_path: Path, registry: Registry) -> Iterator[Engine]:
    """Return an engine with tiny models, ControlNets for them and a picture to follow."""
    roots = config(tmp_path).roots
    for arch in ARCHES:
        shutil.copytree(shared_tiny(arch).folder, roots.models / arch, copy_function=os.link)
    save_control(make_control("sd1"), roots.models, "net")
    save_picture(roots.inputs, "hint.png")
    with engine(tmp_path, installed=registry, device="cpu") as found:
        yield found


def net(path: str = "net", **settings: Any) -> dict[str, Any]:
    return {"path": path, **settings}


def drawn(made: Engine, *controls: dict[str, Any], arch: Arch = "sd1", **settings: Any) -> Tensor:
    image: Any = made.run(drawing(arch, *controls, **settings)).outputs["picture"]
    pixels: Tensor = image.pixels
    return pixels


def digest(pixels: Tensor) -> str:
    return sha256(pixels.numpy().tobytes()).hexdigest()


def put(made: Engine, name: str, arch: Arch = "sd1", seed: int = 1, **options: Any) -> Any:
    """Save a ControlNet in the models root; return its module."""
    module = make_control(arch, seed, **options)
    save_control(module, made.config.roots.models, name)
    return module


def hint(made: Engine, name: str = "hint.png", **options: Any) -> Tensor:
    return save_picture(made.config.roots.inputs, name, **options)


# --- what must change nothing, and what must add up -------------------------------------------------------------------


def test_what_adds_nothing_is_exact(made: Engine) -> None:
    """As training begins, at strength 0, or for a prompt that does not guide: the same picture to the last bit."""
    put(made, "zero", zero=True)
    before = drawn(made)
    assert digest(drawn(made, net("zero"))) == digest(before)
    assert digest(drawn(made, net(strength=0.0))) == digest(before)
    followed = drawn(made, net())
    assert difference(followed, before) > 0.01
    assert digest(drawn(made, net(), net("zero"))) == digest(followed)
    graph = drawing("sd1", net(), marked=True)
    graph["nodes"]["guider"]["inputs"]["positive"] = "positive.conditioning"
    image: Any = made.run(graph).outputs["picture"]
    assert digest(image.pixels) == digest(before)


@pytest.mark.parametrize("settings", [{}, {"strength": 0.5}], ids=["network", "strength"])
def test_a_prompt_of_one_branch_is_not_taken_for_one_of_another(settings: dict[str, JSON], made: Engine) -> None:
    """Two ControlNets, each the first on its branch: a prompt that is for one is plain to the other."""
    put(made, "other", "sd1", seed=5)
    graph = drawing("sd1", net(), marked=True)
    nodes = graph["nodes"]
    nodes["net1"] = N("controlnet.load", {"path": "net" if settings else "other"})
    branch = {**nodes["apply0"]["inputs"], "controlnet": "net1.controlnet"}
    nodes["apply1"] = N("controlnet.apply", settings, **branch)
    images: dict[str, Any] = {}
    for prompt in ("apply0", "apply1"):
        wires = {**nodes["guider"]["inputs"], "denoiser": "apply1.denoiser", "positive": f"{prompt}.conditioning"}
        nodes["guider"] = {**nodes["guider"], "inputs": wires}
        images[prompt] = made.run(graph).outputs["picture"]
    assert difference(images["apply0"].pixels, drawn(made)) < 1e-5
    assert difference(images["apply1"].pixels, drawn(made)) > 1e-3


def test_two_halves_are_one(made: Engine) -> None:
    whole = drawn(made, net())
    assert difference(drawn(made, net(strength=0.5), net(strength=0.5)), whole) < 1e-5
    assert (
        difference(drawn(made, net(strength=0.25), net(strength=0.75), marked=True), drawn(made, net(), marked=True))
        < 1e-5
    )
    undone = drawn(made, net(), net(strength=-1.0))
    assert difference(undone, drawn(made)) < 1e-5


def test_a_range_is_the_steps_put_together_by_hand(made: Engine) -> None:
    """The first steps with it and the rest without, handed over in the middle, are one run with an end."""
    graph = drawing("sd1", net())
    nodes = graph["nodes"]
    nodes["plain"] = {**nodes["guider"], "inputs": {**nodes["guider"]["inputs"], "denoiser": "model.denoiser"}}
    nodes["first"] = N("schedules.slice", {"end": 0.5}, schedule="schedule.schedule")
    nodes["rest"] = N("schedules.slice", {"start": 0.5}, schedule="schedule.schedule")
    wires = nodes["sample"]["inputs"]
    nodes["begun"] = N("sampling.sample", **{**wires, "schedule": "first.schedule"})
    handed = {**wires, "schedule": "rest.schedule", "guider": "plain.guider", "latent": "begun.latent"}
    nodes["sample"] = N("sampling.sample", {"add_noise": False}, **handed)
    image: Any = made.run(graph).outputs["picture"]
    found = drawn(made, net(end=0.5))
    assert difference(found, image.pixels) < 1e-5
    assert difference(found, drawn(made, net())) > 0.01
    assert digest(drawn(made, net(end=0.5), net(start=0.5))) == digest(drawn(made, net()))


def test_a_later_end_computes_the_tail_alone(made: Engine) -> None:
    """The steps up to the earlier end are gone on from, bit for bit; so are those of one wired to a prompt."""
    for marked in (False, True):
        drawn(made, net(end=0.8), steps=10, marked=marked)
        log = Log()
        graph = drawing("sd1", net(end=0.9), steps=10, marked=marked)
        image: Any = made.run(graph, listen=log).outputs["picture"]
        said = [event.message for event in log.events if isinstance(event, NodeLog)]
        assert said == ["goes on from step 8 of 10"]
        with engine(made.config.roots.data.parent, installed=made.registry, use_cache=False, device="cpu") as again:
            assert digest(drawn(again, net(end=0.9), steps=10, marked=marked)) == digest(image.pixels)


def test_it_is_loaded_once_and_stays(made: Engine) -> None:
    """Leases with other strengths, ranges and chains load nothing again, and leave the denoiser's module alone."""
    loads: list[str] = []

    class Counting(ModelLoader):
        def load(self, handle: object, place: Place, report: Any) -> Loaded:
            loads.append(type(handle).__name__)
            return super().load(handle, place, report)

    def quiet(done: int, total: int) -> None:
        """Take a report and do nothing."""

    models = made.config.roots.models
    denoiser = denoiser_handle(open_checkpoint(models / "sd1"))
    control = Control(controlnet_handle(open_checkpoint(models / "net")), hint(made), cell=8)
    residency = Residency([Counting()], Place("cpu", "float32"))
    for patches in [(control,), (replace(control, strength=0.5), replace(control, end=0.5)), ()]:
        for _ in range(2):
            with residency.lease(replace(denoiser, patches=patches), quiet) as network:
                assert network.device.type == "cpu"  # type: ignore[attr-defined]
    assert sorted(loads) == ["ControlNet", "Denoiser"]
    assert not network.module._forward_pre_hooks  # type: ignore[attr-defined]
    assert {file.name for file in control.files()} == {"config.json", "diffusion_pytorch_model.safetensors"}


# --- parity -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", UNETS)
def test_picture_equals_the_pipeline_s(arch: Arch, made: Engine, record_property: Any) -> None:
    module, picture = put(made, "other", arch, seed=5), hint(made)
    reference = kit.theirs(arch, module, picture, controlnet_conditioning_scale=0.8)
    assert reference.std() > 0.05, "a flat picture proves nothing"
    found = drawn(made, net("other", strength=0.8), arch=arch)
    record_property("difference", difference(found, reference))
    print(f"{arch}: {difference(found, reference):.1e}")
    assert difference(found, reference) < CLOSE
    assert difference(found, drawn(made, arch=arch)) > 0.01
    single = save_original(module, made.config.roots.models / "original.safetensors")
    assert difference(drawn(made, net(single, strength=0.8), arch=arch), found) < 1e-5


@pytest.mark.parametrize(("arch", "channels"), [("sd1", 1), ("sd1", 3), ("sdxl", 3)])
def test_adapters_equal_the_pipeline_s(arch: Arch, channels: int, made: Engine) -> None:
    """T2I-Adapters from a folder and, as they were released, from a file; also beside a ControlNet."""
    adapter = make_adapter(kit.pipeline_of(arch), seed=5, channels=channels)
    save_control(adapter, made.config.roots.models, "adapter")
    picture = hint(made)
    gray = (picture * torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    given = gray if channels == 1 else picture
    reference = kit.by_adapter(arch, adapter, given, adapter_conditioning_scale=0.8)
    found = drawn(made, net("adapter", strength=0.8), arch=arch)
    print(f"adapter, {arch}, {channels} channels: {difference(found, reference):.1e}")
    assert difference(found, reference) < CLOSE
    assert difference(found, drawn(made, arch=arch)) > 0.01
    file = bare_file(made, t2i_adapter(adapter.state_dict()))
    assert digest(drawn(made, net(file, strength=0.8), arch=arch)) == digest(found)
    if arch == "sd1":
        one, other = net("adapter", strength=0.4), net(strength=0.5)
        assert difference(drawn(made, one, other, one), drawn(made, net("adapter", strength=0.8), other)) < 1e-5


@pytest.mark.parametrize("large", [False, True])
def test_picture_by_sd3_equals_the_pipeline_s(large: bool, made: Engine) -> None:
    """Networks that read the prompt and none pooled, and such as read the pooled one alone; also in a bare file."""
    module, picture = put(made, "other", "sd3", seed=5, large=large), hint(made)
    reference = kit.theirs("sd3", module, picture, controlnet_conditioning_scale=0.8)
    found = drawn(made, net("other", strength=0.8), arch="sd3")
    print(f"sd3, {'large' if large else 'medium'}: {difference(found, reference):.1e}")
    assert difference(found, reference) < CLOSE
    assert difference(found, drawn(made, arch="sd3")) > 0.01
    single = bare_file(made, module.state_dict())
    assert digest(drawn(made, net(single, strength=0.8), arch="sd3")) == digest(found)


def masked(made: Engine, graph: dict[str, Any], **size: int) -> dict[str, Any]:
    """Have the ControlNet of a workflow told to paint where a picture of blocks is bright."""
    hint(made, "mask.png", seed=8, **size)
    graph["nodes"]["blocks"] = N("images.load", {"path": "mask.png"})
    graph["nodes"]["mask"] = N("masks.from_image", {"channel": "luminance"}, image="blocks.image")
    graph["nodes"]["apply0"]["inputs"]["mask"] = "mask.mask"
    return graph


def mask_of(made: Engine) -> Tensor:
    values = masks.from_image(Image(hint(made, "mask.png", seed=8)), "luminance").values[:, None]
    assert 0.2 < float((values >= 0.5).float().mean()) < 0.8
    return values


def test_what_is_to_be_painted_is_shown_as_the_network_for_inpainting_knows_it(made: Engine) -> None:
    """As -1, in pixels that else are 0..1: so do diffusers' examples for control_v11p_sd15_inpaint."""
    module, picture = put(made, "net"), hint(made)
    mask = mask_of(made)
    told = torch.where(mask < 0.5, picture, -1.0)
    found: Any = made.run(masked(made, drawing("sd1", net()))).outputs["picture"]
    assert difference(found.pixels, kit.theirs("sd1", module, told)) < CLOSE
    assert difference(found.pixels, drawn(made, net())) > 0.01


def test_inpainting_by_sd3_equals_the_pipeline_s(made: Engine) -> None:
    module, picture = put(made, "other", "sd3", seed=5, masked=True), hint(made)
    put(made, "net")
    mask = (mask_of(made) >= 0.5).float()
    told: dict[str, Any] = {"control_mask": mask, "height": SIZE, "width": SIZE, "controlnet_conditioning_scale": 0.8}
    reference = kit.theirs("sd3", module, picture, **told)
    found: Any = made.run(masked(made, drawing("sd3", net("other", strength=0.8)))).outputs["picture"]
    print(f"sd3, inpainting: {difference(found.pixels, reference):.1e}")
    assert difference(found.pixels, reference) < CLOSE
    assert difference(found.pixels, drawn(made, arch="sd3")) > 0.01


@pytest.mark.parametrize(("modes", "pixels"), [(None, False), (7, False), (None, True)])
def test_picture_by_flux_equals_the_pipeline_s(modes: int | None, pixels: bool, made: Engine) -> None:
    """Plain networks, unions, and those over pixels; also in a bare file, the last as XLabs names them."""
    module, picture = put(made, "other", "flux", seed=5, modes=modes, pixels=pixels), hint(made)
    told: dict[str, Any] = {} if modes is None else {"control_mode": 2}
    reference = kit.theirs("flux", module, picture, controlnet_conditioning_scale=0.8, **told)
    mode = "" if modes is None else "depth"
    found = drawn(made, net("other", strength=0.8, mode=mode), arch="flux", scale=1.0)
    print(f"flux, {modes or 'no'} modes, {'pixels' if pixels else 'latents'}: {difference(found, reference):.1e}")
    assert difference(found, reference) < CLOSE
    assert difference(found, drawn(made, arch="flux", scale=1.0)) > 0.01
    single = bare_file(made, control_flux(module.state_dict()) if pixels else module.state_dict())
    assert digest(drawn(made, net(single, strength=0.8, mode=mode), arch="flux", scale=1.0)) == digest(found)
    halves = drawn(made, *[net("other", strength=0.4, mode=mode)] * 2, arch="flux", scale=1.0)
    assert difference(halves, found) < 1e-5


def bare_file(made: Engine, tensors: Mapping[str, Tensor]) -> str:
    """Save a network's tensors alone; return the file's name."""
    named = {name: value.contiguous().clone() for name, value in tensors.items()}
    save_file(named, made.config.roots.models / "bare.safetensors")
    return "bare.safetensors"


def test_the_workflow_equals_the_pipeline(made: Engine) -> None:
    """Run workflows/controlnet.json with its own sampler and schedule, which are the pipeline's."""
    reference = kit.theirs("sd1", make_control("sd1"), hint(made), scheduler=None, controlnet_conditioning_scale=0.8)
    given: dict[str, JSON] = {"prompt": PROMPT, "negative": NEGATIVE, "seed": SEED, "steps": STEPS, "guidance": SCALE}
    given |= {
        "model": "sd1",
        "controlnet": "net",
        "picture": "hint.png",
        "strength": 0.8,
        "width": SIZE,
        "height": SIZE,
    }
    image: Any = made.run(WORKFLOW, given).outputs["picture"]
    print(f"workflow: {difference(image.pixels, reference):.1e}")
    assert difference(image.pixels, reference) < CLOSE


def test_the_edges_are_followed(made: Engine) -> None:
    """workflows/controlnet_canny.json finds edges and draws along them; other thresholds, another picture."""
    given: dict[str, JSON] = {"prompt": PROMPT, "negative": NEGATIVE, "seed": SEED, "steps": STEPS, "guidance": SCALE}
    given |= {"model": "sd1", "controlnet": "net", "picture": "hint.png", "width": SIZE, "height": SIZE}
    workflow = WORKFLOW.with_name("controlnet_canny.json")
    report = made.run(workflow, given)
    picture, edges = (report.outputs[name].pixels for name in ("picture", "edges"))  # type: ignore[attr-defined]
    assert torch.equal(edges, canny(hint(made), 0.4, 0.8, 1.0))
    assert 0.02 < edges.mean() < 0.5
    reference = kit.theirs("sd1", make_control("sd1"), edges, scheduler=None)
    print(f"edges: {difference(picture, reference):.1e}")
    assert difference(picture, reference) < CLOSE
    fewer: Any = made.run(workflow, {**given, "low": 2.0, "high": 2.5}).outputs["picture"]
    assert difference(fewer.pixels, picture) > 0.01


def test_several_with_ranges_equal_the_pipeline_s(made: Engine) -> None:
    from diffusers import MultiControlNetModel

    nets = MultiControlNetModel([make_control("sd1"), put(made, "other", seed=5)])
    pictures = [hint(made), hint(made, "second.png", seed=4)]
    reference = kit.theirs(
        "sd1",
        nets,
        pictures,
        controlnet_conditioning_scale=[0.7, 0.4],
        control_guidance_start=[0.0, 1 / 3],
        control_guidance_end=[0.5, 1.0],
    )
    first, second = net(strength=0.7, end=0.5), net("other", picture="second.png", strength=0.4, start=1 / 3)
    found = drawn(made, first, second)
    print(f"two: {difference(found, reference):.1e}")
    assert difference(found, reference) < CLOSE


@pytest.mark.parametrize("arch", UNETS)
def test_guess_mode_equals_the_pipeline_s(arch: Arch, made: Engine) -> None:
    module, picture = put(made, "other", arch, seed=5), hint(made)
    reference = kit.theirs(arch, module, picture, guess_mode=True)
    found = drawn(made, net("other", guess=True), arch=arch, marked=True)
    print(f"guess, {arch}: {difference(found, reference):.1e}")
    assert difference(found, reference) < CLOSE
    assert difference(found, drawn(made, net("other"), arch=arch, marked=True)) > 1e-3


def test_union_equals_the_pipeline_s(made: Engine) -> None:
    module, picture = put(made, "union", "sdxl", union=True), hint(made)
    found = {}
    for mode, number in (("canny", 3), ("depth", 1)):
        reference = kit.theirs("sdxl", module, [picture], control_mode=[number], controlnet_conditioning_scale=0.8)
        found[mode] = drawn(made, net("union", mode=mode, strength=0.8), arch="sdxl")
        print(f"union, {mode}: {difference(found[mode], reference):.1e}")
        assert difference(found[mode], reference) < 1e-5
    assert difference(found["canny"], found["depth"]) > 5e-5
    assert digest(drawn(made, net("union", mode="lineart", strength=0.8), arch="sdxl")) == digest(found["canny"])


# --- what is refused, before anything is loaded -----------------------------------------------------------------------


def refused(made: Engine, graph: dict[str, Any]) -> str:
    with pytest.raises(WorkflowError) as caught:
        made.check(graph)
    return "\n".join(str(problem) for problem in caught.value.problems)


def test_one_for_another_family_is_refused(made: Engine) -> None:
    said = refused(made, drawing("sdxl", net()))
    assert "apply0.controlnet: is a ControlNet for Stable Diffusion 1.x, but the denoiser is Stable" in said
    assert "load one that was made for this model" in said


def test_a_picture_of_another_size_is_refused(made: Engine) -> None:
    hint(made, "wide.png", width=128)
    said = refused(made, drawing("sd1", net(), net(picture="wide.png")))
    assert "sample.guider: follows a picture of 128 x 64, but the latent is of 64 x 64" in said
    assert "put images.resize before controlnet.apply" in said


def test_as_many_pictures_as_images(made: Engine) -> None:
    """Pictures go to the images of a batch one by one; another number of them is refused."""
    hint(made, "second.png", seed=4)
    graph = drawing("sd1", net())
    graph["nodes"]["more"] = N("images.load", {"path": "second.png"})
    graph["nodes"]["batch"] = N("images.batch", images=["image0.image", "more.image"])
    graph["nodes"]["apply0"]["inputs"]["image"] = "batch.image"
    graph["nodes"]["latent"]["settings"]["batch"] = 2
    image: Any = made.run(graph).outputs["picture"]
    assert difference(image.pixels[:1], drawn(made, net())) < 1e-5
    graph["nodes"]["sample"]["settings"]["batch_limit"] = 2
    limited: Any = made.run(graph).outputs["picture"]
    assert difference(limited.pixels, image.pixels) < 1e-5
    graph["nodes"]["latent"]["settings"]["batch"] = 3
    assert "sample.guider: follows 2 pictures, but the latent is a batch of 3" in refused(made, graph)
    graph["nodes"]["latent"]["settings"]["batch"] = 2
    graph["nodes"]["sample"]["settings"]["batch_limit"] = 1
    (failure,) = made.run(graph).failures
    assert "let batch_limit be 0 or a multiple of it" in str(failure)


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ({"mode": "canny"}, "apply0.mode", "is 'canny', but this ControlNet knows one kind of picture alone"),
        ({"start": 0.5, "end": 0.5}, "apply0.start", "at or after the end"),
        ({"guess": True}, "apply0.guess", "wire the positive prompt through `conditioning`"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], place: str, message: str, made: Engine) -> None:
    said = refused(made, drawing("sd1", net(**settings)))
    assert place in said
    assert message in said


def test_what_reads_latents_wants_the_autoencoder_and_no_guessing(made: Engine) -> None:
    put(made, "other", "sd3")
    graph = drawing("sd3", net("other"))
    del graph["nodes"]["apply0"]["inputs"]["autoencoder"]
    said = refused(made, graph)
    assert "apply0.autoencoder: is not wired, but a ControlNet for Stable Diffusion 3 reads the picture" in said
    said = refused(made, drawing("sd3", net("other", guess=True), marked=True))
    assert "apply0.guess: is on, but a SD3ControlNetModel knows no guess mode" in said


def test_an_adapter_wants_whole_units_and_no_guessing(made: Engine) -> None:
    save_control(make_adapter(kit.pipeline_of("sdxl"), seed=5), made.config.roots.models, "adapter")
    hint(made, "odd.png", width=72)
    said = refused(made, drawing("sdxl", net("adapter", picture="odd.png")))
    assert "apply0.image: is 72 pixels in width, which is no multiple of 16" in said
    said = refused(made, drawing("sdxl", net("adapter", guess=True), marked=True))
    assert "apply0.guess: is on, but a T2IAdapter knows no guess mode" in said


def test_masks_are_for_those_that_read_one(made: Engine) -> None:
    put(made, "plain", "sd3")
    put(made, "mask", "sd3", masked=True)
    assert "apply0.mask: is not wired, but this ControlNet is for inpainting" in refused(
        made, drawing("sd3", net("mask"))
    )
    said = refused(made, masked(made, drawing("sd3", net("plain"))))
    assert "apply0.mask: is wired, but this ControlNet reads unshifted latents without a mask" in said
    said = refused(made, masked(made, drawing("sd3", net("mask")), width=128))
    assert "apply0.mask: image is 64 x 64, mask is 128 x 64; they must have one size" in said
    path = made.config.roots.models / "mask" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "extra_conditioning_channels": 2}))
    assert "reads 18 channels where a picture has 16" in refused(made, drawing("sd3", net("mask")))


def test_a_union_wants_a_mode_it_knows(made: Engine) -> None:
    put(made, "union", "sdxl", union=True)
    assert "apply0.mode: is empty, but this ControlNet knows several kinds" in refused(
        made, drawing("sdxl", net("union"))
    )
    said = refused(made, drawing("sdxl", net("union", mode="colour")))
    assert "is 'colour', which this ControlNet does not know; allowed are pose, depth, softedge, canny" in said
    for mode in ("5", "scribble", "Segmentation"):
        made.check(drawing("sdxl", net("union", mode=mode)))


def test_files_without_one_are_refused(made: Engine) -> None:
    said = refused(made, drawing("sd1", net("sd1")))
    assert "net0.path" in said
    assert "holds no ControlNet (it holds unet, text_encoder, vae)" in said


# --- handles ----------------------------------------------------------------------------------------------------------


def test_what_is_known_of_one(made: Engine) -> None:
    put(made, "union", "sdxl", union=True)
    graph = made.check(drawing("sdxl", net("union", mode="canny")))
    facts = graph.nodes["net0"].facts["controlnet"]
    assert facts["family"] == "sdxl"
    assert facts["reads"] == "pixels"
    assert facts["modes"] == ["pose", "depth", "softedge", "canny", "normal", "segments"]
    followed = {"width": 64, "height": 64, "batch": 1, "for_all": True}
    assert graph.nodes["apply0"].facts["denoiser"]["control"] == [followed]
