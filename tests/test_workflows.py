"""Each workflow in workflows/ that runs on what comes along does what it says; test_family_workflows has the others."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PIL import Image as Picture
from tiny import Arch, shared_tiny

import graphgen
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.events import Event, NodeLog
from graphgen.jsontypes import JSON
from graphgen.report import Report
from graphgen.verify import read_record_of, verify
from graphgen_nodes import Image

SMALL: dict[str, JSON] = {"width": 64, "height": 64, "steps": 3}
TINY: dict[str, dict[str, JSON]] = {
    "controlnet": {"model": "sd1", "controlnet": "sd1_controlnet", **SMALL},
    "controlnet_canny": {"model": "sd1", "controlnet": "sd1_controlnet", **SMALL},
    "dit": {"model": "dit", "size": 64, "steps": 3},
    "ddpm": {"model": "ddpm", "size": 16, "steps": 3},
    "ddpm_interpolation": {"model": "ddpm", "size": 16, "steps": 4},
    "ip_adapter": {"model": "sd1", "adapter": "sd1_ip_adapter.safetensors", **SMALL},
    "lora": {"model": "sd1", "lora": "sd1_lora.safetensors", "width": 64, "height": 64, "steps": 3},
    "ncsnpp": {"model": "ncsnpp", "size": 16, "steps": 3},
    "previews": {"model": "sd1", "tiny": "taesd", **SMALL},
    "sdxl": {"model": "sdxl", "width": 64, "height": 64, "steps": 3},
    "sdxl_refiner": {"model": "sdxl", "refiner": "sdxl_refiner", "width": 64, "height": 64, "steps": 5},
    "sd1": {"model": "sd1", **SMALL},
    "sd2": {"model": "sd2", **SMALL},
    "sd3": {"model": "sd3", **SMALL},
    "flux_dev": {"model": "flux", **SMALL},
    "flux_kontext": {"model": "flux", **SMALL},
    "instruct_pix2pix": {"model": "pix2pix", **SMALL},
    "inpainting": {"model": "inpainting", **SMALL},
    "flux_schnell": {"model": "schnell", **SMALL},
}
"""What makes a workflow, whose model does not come along, run on a tiny one with random weights."""

WORKFLOWS = sorted((Path(__file__).parent.parent / "workflows").glob("*.json"))
TEXT_TO_IMAGE = Path(__file__).parent.parent / "workflows" / "text_to_image.json"
IMAGE_TO_IMAGE = TEXT_TO_IMAGE.with_name("image_to_image.json")
FORK = TEXT_TO_IMAGE.with_name("fork.json")


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine(Config.load({})) as engine:
        yield engine


def picture(report: Report) -> np.ndarray:
    image = report.outputs["picture"]
    assert isinstance(image, Image)
    return image.pixels.numpy()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflow_checks_out(path: Path) -> None:
    parameters = TINY.get(path.stem, {})
    flags = {}
    for name in {"model", "refiner"} & parameters.keys():
        flags["models"] = str(shared_tiny(cast(Arch, parameters[name])).folder.parent)
    with Engine(Config.load(flags)) as engine:
        graph = engine.check(path, parameters)
    assert graph.workflow.name
    assert graph.workflow.description
    assert all(output.description for output in graph.workflow.outputs.values())
    assert all(parameter.description for parameter in graph.workflow.parameters.values())


def test_text_to_image_draws_what_it_is_told(engine: Engine) -> None:
    """A blue heart is mostly blue and white, a red apple mostly red and white, in the middle of the picture."""
    blue = picture(engine.run(TEXT_TO_IMAGE, {"prompt": "a blue heart on a white background", "seed": 1}))
    red = picture(engine.run(TEXT_TO_IMAGE, {"prompt": "a red apple on a white background", "seed": 1}))
    assert blue.shape == red.shape == (1, 3, 256, 256)
    middle = (slice(None), slice(None), slice(96, 160), slice(96, 160))
    assert blue[middle].mean(axis=(0, 2, 3)).argmax() == 2
    assert red[middle].mean(axis=(0, 2, 3)).argmax() == 0
    assert blue[:, :, :8, :8].mean() > 0.9


def test_second_run_computes_nothing_and_puts_a_lost_file_back(engine: Engine) -> None:
    first = engine.run(TEXT_TO_IMAGE, {"steps": 2})
    path = Path(first.files[0])
    data = path.read_bytes()
    path.unlink()
    second = engine.run(TEXT_TO_IMAGE, {"steps": 2})
    assert second.ran == 0
    assert second.files == first.files
    assert path.read_bytes() == data


def test_changed_seed_computes_only_what_depends_on_it(engine: Engine) -> None:
    engine.run(TEXT_TO_IMAGE, {"steps": 2, "seed": 1})
    plan = engine.plan(engine.check(TEXT_TO_IMAGE, {"steps": 2, "seed": 2}))
    assert set(plan.order) == {"noise", "sample", "decoded", "enlarged", "save"}


def test_cached_run_in_a_new_process_does_without_torch(engine: Engine) -> None:
    engine.run(TEXT_TO_IMAGE, {"steps": 2})
    arguments = ["run", str(TEXT_TO_IMAGE), "--set", "steps=2", "--json"]
    script = (
        "import sys; from graphgen.cli import main; code = main(sys.argv[1:]);"
        "heavy = sorted({'torch', 'numpy', 'PIL', 'diffusers', 'transformers'} & set(sys.modules));"
        "print(f'heavy={heavy}', file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True, text=True)
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[-1]["ran"] == 0
    assert Path(events[-1]["files"][0]).exists()
    assert "heavy=[]" in done.stderr


def test_picture_runs_again(engine: Engine, tmp_path: Path) -> None:
    parameters: dict[str, JSON] = {"steps": 2, "prompt": "a green frog", "seed": 11}
    first = engine.run(TEXT_TO_IMAGE, parameters)
    made = Path(first.files[0])
    with Picture.open(made) as opened:
        assert opened.size == (256, 256)
        assert json.loads(opened.info["graphgen.parameters"])["prompt"] == "a green frog"
    again = engine.run(made)
    assert again.ran == 0
    assert again.files == first.files


def test_run_from_python_takes_parameters() -> None:
    outputs = graphgen.run(TEXT_TO_IMAGE, steps=2, count=2)
    image = outputs["picture"]
    assert isinstance(image, Image)
    assert tuple(image.pixels.shape) == (2, 3, 256, 256)


def test_image_to_image_begins_with_a_picture_that_comes_along(engine: Engine) -> None:
    """It keeps what it is told to keep: nearly all of a red apple, or only its place and size in another colour."""
    kept = picture(engine.run(IMAGE_TO_IMAGE, {"keep": 0.9}))
    redrawn = picture(engine.run(IMAGE_TO_IMAGE))
    assert kept.shape == redrawn.shape == (1, 3, 256, 256)
    middle = (slice(None), slice(None), slice(96, 160), slice(96, 160))
    assert kept[middle].mean(axis=(0, 2, 3)).argmax() == 0
    assert redrawn[middle].mean(axis=(0, 2, 3)).argmax() == 1
    assert redrawn[:, :, :8, :8].mean() > 0.9


def test_image_to_image_takes_any_picture_among_the_inputs(engine: Engine) -> None:
    folder = engine.config.roots.inputs
    folder.mkdir(parents=True, exist_ok=True)
    Picture.new("RGBA", (90, 50), "blue").save(folder / "wide.png")
    kept = picture(engine.run(IMAGE_TO_IMAGE, {"picture": "wide.png", "keep": 0.95, "steps": 20}))
    assert kept.shape == (1, 3, 256, 256)
    assert kept.mean(axis=(0, 2, 3)).argmax() == 2


@pytest.mark.gpu
def test_text_to_image_on_a_gpu_in_half_precision() -> None:
    """The same file, unchanged, draws the same picture on CUDA, up to half precision."""
    parameters: dict[str, JSON] = {"steps": 8, "seed": 3}
    gpu_flags = {"device": "cuda", "precision": "auto"}
    with Engine(Config.load({"device": "cpu", "cache": "cpu-cache"})) as cpu, Engine(Config.load(gpu_flags)) as gpu:
        assert gpu.device.kind == "cuda"
        assert gpu.device.dtype in ("float16", "bfloat16")
        one, other = picture(cpu.run(TEXT_TO_IMAGE, parameters)), picture(gpu.run(TEXT_TO_IMAGE, parameters))
    assert np.abs(one - other).mean() < 0.05


def test_inpainting_paints_within_the_mask_alone(engine: Engine) -> None:
    """The red apple becomes green; half of the picture, which the mask leaves out, stays as it was."""
    folder = engine.config.roots.inputs
    folder.mkdir(parents=True, exist_ok=True)
    marked = np.zeros((64, 64), np.uint8)
    marked[:, :32] = 255
    Picture.fromarray(marked).save(folder / "left.png")
    path = TEXT_TO_IMAGE.with_name("inpaint.json")
    painted = picture(engine.run(path))
    assert painted[:, :, 96:160, 96:160].mean(axis=(0, 2, 3)).argmax() == 1
    half = picture(engine.run(path, {"mask": "left.png"}))
    assert half[:, :, 96:160, 150:200].mean(axis=(0, 2, 3)).argmax() == 0


def test_outpainting_keeps_what_is_there(engine: Engine) -> None:
    found = picture(engine.run(TEXT_TO_IMAGE.with_name("outpainting.json"), {"steps": 4}))
    assert found.shape == (1, 3, 64, 64)
    inner = engine.run(TEXT_TO_IMAGE.with_name("outpainting.json"), {"steps": 4}).outputs["before"]
    assert isinstance(inner, Image)
    assert np.array_equal(found[:, :, 20:44, 20:44], inner.pixels.numpy()[:, :, 4:28, 4:28])


def test_hires_fix_draws_the_same_picture_larger(engine: Engine) -> None:
    """What is seen stays when the enlarged picture is redrawn: a red apple, with four times the pixels."""
    found = engine.run(TEXT_TO_IMAGE.with_name("hires_fix.json"))
    large, small = (found.outputs[name] for name in ("picture", "small"))
    assert isinstance(large, Image)
    assert isinstance(small, Image)
    assert large.pixels.shape == (1, 3, 128, 128)
    halved = large.pixels.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5))
    assert float((halved - small.pixels).abs().mean()) < 0.15
    assert large.pixels[:, :, 48:80, 48:80].mean(dim=(0, 2, 3)).argmax() == 0


def test_hires_fix_in_latents_draws_the_same_picture_larger(engine: Engine) -> None:
    """Redrawn from a latent that is enlarged without being decoded; what little is redrawn of it keeps its blur."""
    workflow, sharpness = TEXT_TO_IMAGE.with_name("hires_fix_latent.json"), {}
    for keep in (0.4, 0.95):
        found = engine.run(workflow, {"keep": keep})
        large, small = (found.outputs[name] for name in ("picture", "small"))
        assert isinstance(large, Image)
        assert isinstance(small, Image)
        assert large.pixels.shape == (1, 3, 128, 128)
        halved = large.pixels.unfold(2, 2, 2).unfold(3, 2, 2).mean(dim=(4, 5))
        assert float((halved - small.pixels).abs().mean()) < 0.1
        assert large.pixels[:, :, 48:80, 48:80].mean(dim=(0, 2, 3)).argmax() == 0
        sharpness[keep] = float(large.pixels.diff(dim=3).square().mean())
    assert sharpness[0.4] > 1.05 * sharpness[0.95]


def test_fork_draws_both_pictures_and_shares_their_beginning(engine: Engine) -> None:
    """A red apple, and a green one in its place; when the fork comes late, nearly the same twice."""
    said: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, NodeLog):
            said.append(event.message)

    both = picture(engine.run(FORK, listen=listen))
    assert said == ["goes on from step 5 of 20"], "whichever of the two runs first"
    red, green = both[:, :, 96:160, 96:160].mean(axis=(2, 3))
    assert (red.argmax(), green.argmax()) == (0, 1)
    late = picture(engine.run(FORK, {"fork": 19}))
    assert np.array_equal(late[0], both[0])
    assert 0 < np.abs(late[1] - late[0]).mean() < 0.02


@pytest.mark.parametrize("alone", [True, False])
def test_regions_draw_each_thing_in_its_half(engine: Engine, *, alone: bool) -> None:
    """A red apple on the left and a blue heart on the right."""
    both = picture(engine.run(TEXT_TO_IMAGE.with_name("regions.json"), {"alone": alone, "steps": 12}))
    assert both.shape == (1, 3, 256, 512)
    left, right = both[0, :, 96:160, 96:160].mean(axis=(1, 2)), both[0, :, 96:160, 352:416].mean(axis=(1, 2))
    assert (left.argmax(), right.argmax()) == (0, 2)


def test_seeds_draw_a_picture_each_and_more_seeds_draw_only_the_new_ones(engine: Engine) -> None:
    first = engine.run(WORKFLOWS[0].with_name("seeds.json"), {"count": 2})
    assert first.status == "done"
    assert len(first.files) == 2
    more = engine.run(WORKFLOWS[0].with_name("seeds.json"), {"count": 3})
    one, two, three = (image.pixels for image in more.outputs["pictures"])  # type: ignore[attr-defined]
    assert len(more.files) == 3
    assert more.ran < first.ran
    assert not np.allclose(one, two)
    assert not np.allclose(two, three)


def test_a_picture_whose_parts_came_from_the_disk_is_verified() -> None:
    seeds = TEXT_TO_IMAGE.with_name("seeds.json")
    for count in (1, 2):
        with Engine(Config.load({})) as engine:
            made = engine.run(seeds, {"steps": 2, "count": count})
    with Engine(Config.load({}), use_cache=False) as engine:
        picture = Path(made.files[0])
        verdict = verify(engine, picture, engine.check(picture), read_record_of(engine, picture))
    assert verdict.same, verdict
