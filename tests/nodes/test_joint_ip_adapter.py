"""IP-Adapters for Flux and Stable Diffusion 3: as diffusers' pipelines draw with them, refused where none fits."""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy
import PIL.Image
import pytest
import torch
from engine_kit import N, config, engine
from nodes.test_ip_adapter import PICTURES, digest, half, picture, registry
from nodes.test_lora import drawing
from nodes.test_parity import NEGATIVE, PROMPT, SCALE, SEED, SIZE
from safetensors.torch import save_file
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.registry import Registry
from graphgen_nodes import Image
from graphgen_nodes.ip_adapter.reading import siglip_pixels
from nodes import ip_adapter_kit as kit

__all__ = ["registry"]  # a fixture

STEPS = 3
FLUX = Path(__file__).parents[2] / "workflows" / "flux_dev.json"
ARCHES: tuple[Arch, ...] = ("flux", "sd3", "sd1")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Iterator[Engine]:
    """Return an engine over tiny models, image encoders and adapters that all tests here share."""
    folder = tmp_path_factory.mktemp("joint_ip_adapter")
    roots = config(folder).roots
    for arch in ARCHES:
        shutil.copytree(shared_tiny(arch).folder, roots.models / arch, copy_function=os.link)
    kit.vision().save_pretrained(roots.models / "image_encoder")
    kit.siglip().save_pretrained(roots.models / "siglip")
    for index, name in enumerate(PICTURES):
        picture(index).save(roots.inputs / name)
    half("left").save(roots.inputs / "left.png")
    save_file(kit.in_xlabs_names(kit.flux_adapter(network("flux"))), roots.models / "flux.safetensors")
    kit.save(roots.models / "sd3.safetensors", kit.sd3_adapter(network("sd3")))
    kit.save(roots.models / "other_sd3.safetensors", kit.sd3_adapter(network("sd3"), 2))
    kit.save(roots.models / "sd1.safetensors", kit.adapter("plain", "sd1"))
    with engine(folder, installed=registry, device="cpu") as found:
        yield found


def network(arch: Arch) -> Any:
    return make_pipeline(arch, seed=0).transformer


def prompted(arch: Arch, *adapters: Mapping[str, Any], encoder: str = "") -> dict[str, Any]:
    """Return text-to-image guided away from a negative prompt, with a chain of adapters: `path` and settings."""
    plan: Any = json.loads(FLUX.read_text()) if arch == "flux" else drawing(arch=arch, steps=STEPS, texts=False)
    nodes = plan["nodes"]
    if arch == "flux":
        nodes["model"]["settings"]["path"] = arch
        nodes["words"] = N("text.encode", {"text": NEGATIVE}, encoder="model.text_encoder")
        nodes["negative"] = N("text.guidance", {"scale": 3.5}, conditioning="words.conditioning")
        nodes["guider"]["type"] = "guiders.classifier_free"
        nodes["guider"]["inputs"]["negative"] = "negative.conditioning"
        nodes["guider"]["settings"] = {"scale": SCALE}
    nodes["encoder"] = N("image_encoder.load", {"path": encoder or ("image_encoder" if arch == "flux" else "siglip")})
    nodes["shown"] = N("images.load", {"path": PICTURES[0]})
    nodes["read"] = N("image_encoder.encode", encoder="encoder.image_encoder", image="shown.image")
    nodes["left"] = N("images.load", {"path": "left.png"})
    nodes["mask"] = N("masks.from_image", image="left.image")
    last = "model.denoiser"
    for index, given in enumerate(adapters):
        settings = {name: value for name, value in given.items() if name not in ("path", "mask")}
        wires = {"adapter": f"adapter{index}.ip_adapter", "embedding": "read.image_embedding"}
        wires |= {"mask": "mask.mask"} if given.get("mask") else {}
        nodes[f"adapter{index}"] = N("ip_adapter.load", {"path": given["path"]})
        nodes[f"apply{index}"] = N("ip_adapter.apply", settings, denoiser=last, **wires)
        last = f"apply{index}.denoiser"
    nodes["guider"]["inputs"]["denoiser"] = last
    found: dict[str, Any] = plan
    return found


def drawn(made: Engine, arch: Arch, *adapters: Mapping[str, Any], **more: Any) -> Tensor:
    given: dict[str, JSON] = {}
    if arch == "flux":
        given = {"prompt": PROMPT, "seed": SEED, "steps": STEPS, "width": SIZE, "height": SIZE}
    image: Any = made.run(prompted(arch, *adapters, **more), given).outputs["picture"]
    pixels: Tensor = image.pixels
    return pixels


def theirs(arch: Arch, scale: float) -> Tensor:
    """Draw by diffusers' pipeline with the adapter of seed 1."""
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    pipeline = make_pipeline(arch, seed=0)
    if arch == "flux":
        reads, processor = kit.vision(), CLIPImageProcessorPil(size=kit.SIDE, crop_size=kit.SIDE)
        adapter, more = kit.flux_adapter(network(arch)), {"true_cfg_scale": SCALE, "guidance_scale": 3.5}
    else:
        reads, processor = kit.siglip(), SiglipImageProcessorPil(size={"height": kit.SIDE, "width": kit.SIDE})
        adapter, more = kit.sd3_adapter(network(arch)), {"guidance_scale": SCALE}
    pipeline.register_modules(image_encoder=reads, feature_extractor=processor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        pipeline.load_ip_adapter(adapter, weight_name="")
        pipeline.set_ip_adapter_scale(scale)
        found = pipeline(
            PROMPT,
            negative_prompt=NEGATIVE,
            ip_adapter_image=picture(0),
            height=SIZE,
            width=SIZE,
            num_inference_steps=STEPS,
            generator=torch.Generator().manual_seed(SEED),
            output_type="pt",
            **more,
        ).images
    assert isinstance(found, Tensor)
    return found


@pytest.mark.parametrize("arch", ["flux", "sd3"])
@pytest.mark.parametrize("scale", [0.6, 1.0])
def test_picture_equals_the_pipeline_s(arch: Arch, scale: float, made: Engine, record_property: Any) -> None:
    found = drawn(made, arch, {"path": f"{arch}.safetensors", "strength": scale})
    expected = theirs(arch, scale)
    assert expected.std() > 0.05, "a flat picture proves nothing"
    difference = float((found - expected).abs().max())
    record_property("difference", difference)
    print(f"{arch}, {scale}: {difference:.1e}")
    assert difference < 1e-4
    assert float((found - drawn(made, arch)).abs().max()) > 0.01


@pytest.mark.parametrize("arch", ["flux", "sd3"])
def test_what_changes_nothing_is_exact_and_what_adds_up_does(arch: Arch, made: Engine) -> None:
    path = f"{arch}.safetensors"
    before, whole = digest(drawn(made, arch)), drawn(made, arch, {"path": path})
    assert digest(drawn(made, arch, {"path": path, "strength": 0.0})) == before
    assert digest(drawn(made, arch, {"path": path, "blocks": "all 0"})) == before
    early, late = {"path": path, "end": 0.5}, {"path": path, "start": 0.5}
    assert digest(drawn(made, arch, early, late)) == digest(whole)
    twice = drawn(made, arch, {"path": path, "strength": 0.25}, {"path": path, "strength": 0.75})
    torch.testing.assert_close(twice, whole, rtol=0, atol=1e-4)
    masked = drawn(made, arch, {"path": path, "mask": True})
    assert len({before, digest(whole), digest(masked)}) == 3


def test_two_adapters_each_tell_their_own_time(made: Engine) -> None:
    one, other = {"path": "sd3.safetensors", "strength": 0.5}, {"path": "other_sd3.safetensors", "strength": 0.3}
    both = drawn(made, "sd3", one, other)
    torch.testing.assert_close(both, drawn(made, "sd3", other, one), rtol=0, atol=1e-4)
    assert (both - drawn(made, "sd3", one)).abs().max() > 0.01


def test_a_bare_siglip_file_reads_as_its_folder(made: Engine) -> None:
    """As older versions of transformers named it, and as part of a file with its text half."""
    tensors = {f"vision_model.{name}": value for name, value in kit.siglip().state_dict().items()}
    save_file({**tensors, "logit_scale": torch.ones(1)}, made.config.roots.models / "siglip_file.safetensors")
    adapter = {"path": "sd3.safetensors"}
    found = digest(drawn(made, "sd3", adapter, encoder="siglip_file.safetensors"))
    assert found == digest(drawn(made, "sd3", adapter))


@pytest.mark.parametrize("size", [(70, 50), (50, 71), (28, 28), (9, 400)])
def test_pictures_are_prepared_as_transformers_does(size: tuple[int, int]) -> None:
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    values = numpy.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=numpy.uint8)
    processor = SiglipImageProcessorPil(size={"height": 28, "width": 28})
    expected = processor(PIL.Image.fromarray(values), return_tensors="pt")
    found = siglip_pixels(Image(torch.from_numpy(values).permute(2, 0, 1)[None].float() / 255), 28)
    torch.testing.assert_close(found, expected.pixel_values, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("arch", "path", "message"),
    [
        ("flux", "sd3", "is made for Stable Diffusion 3, and Flux.1 is none"),
        ("sd3", "flux", "is made for Flux.1, and Stable Diffusion 3 is none"),
        ("sd3", "sd1", "is made for UNets, and Stable Diffusion 3 is none"),
        ("sd1", "sd3", "is made for Stable Diffusion 3, and Stable Diffusion 1.x is none"),
    ],
)
def test_an_adapter_for_another_model_is_refused_when_checked(
    arch: Arch, path: str, message: str, made: Engine
) -> None:
    encoder = "siglip" if path == "sd3" else "image_encoder"
    with pytest.raises(WorkflowError) as caught:
        made.check(prompted(arch, {"path": f"{path}.safetensors"}, encoder=encoder))
    assert "apply0.adapter" in str(caught.value)
    assert message in str(caught.value)


def test_an_encoder_of_another_width_is_refused_with_the_right_one(made: Engine) -> None:
    with pytest.raises(WorkflowError) as caught:
        made.check(prompted("flux", {"path": "flux.safetensors"}, encoder="siglip"))
    assert "has 64 numbers, but the IP-Adapter reads 32" in str(caught.value)
    assert "CLIP ViT-L" in str(caught.value)
