"""`ip_adapter.apply`: pictures as prompts, as diffusers draws them, refused when checked where they cannot be used.

Against StableDiffusionPipeline and StableDiffusionXLPipeline with `load_ip_adapter`, in float32 on the CPU.
"""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy
import PIL.Image
import pytest
import torch
from engine_kit import Log, N, config, engine
from nodes.ip_adapter_kit import Kind
from nodes.test_lora import drawing
from nodes.test_parity import DDIM, LEADING, NEGATIVE, PROMPT, SCALE, SEED, SIZE
from nodes.test_patches import quiet
from safetensors.torch import save_file
from tiny import Arch, make_pipeline, shared_tiny
from torch import Tensor

from graphgen import Place
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.events import NodeLog
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import Registry, build_registry
from graphgen.residency import Residency
from graphgen_nodes import Image, TextConditioning
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.ip_adapter.handles import adapter_handle
from graphgen_nodes.ip_adapter.loading import ImagePromptLoader
from graphgen_nodes.ip_adapter.patch import ImagePrompt
from graphgen_nodes.ip_adapter.reading import clip_pixels
from graphgen_nodes.loading import ModelLoader
from nodes import ip_adapter_kit as kit

WORKFLOW = Path(__file__).parents[2] / "workflows" / "ip_adapter.json"
STEPS = 3
PICTURES = ("one.png", "two.png")
KINDS: tuple[Kind, ...] = ("plain", "plus", "full", "faceid")
ARCHES: tuple[Arch, ...] = ("sd1", "sdxl")


@pytest.fixture(scope="module")
def registry() -> Registry:
    made = build_registry(find_plugins())
    assert "ip_adapter.apply" in made.nodes
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, registry: Registry) -> Iterator[Engine]:
    """Return an engine over tiny models that all tests here share: they write files of their own names only."""
    folder = tmp_path_factory.mktemp("ip_adapter")
    roots = config(folder).roots
    for arch in (*ARCHES, "sd3"):
        shutil.copytree(shared_tiny(arch).folder, roots.models / arch, copy_function=os.link)
    kit.vision().save_pretrained(roots.models / "image_encoder")
    shutil.copy(roots.models / "image_encoder" / "model.safetensors", roots.models / "vision.safetensors")
    for index, name in enumerate(PICTURES):
        picture(index).save(roots.inputs / name)
    save_file({"face": face()}, roots.inputs / "face.safetensors")
    for side in ("left", "right"):
        half(side).save(roots.inputs / f"{side}.png")
    with engine(folder, installed=registry, device="cpu") as found:
        yield found


def picture(seed: int) -> PIL.Image.Image:
    values = numpy.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=numpy.uint8)
    return PIL.Image.fromarray(values).resize((70, 50), PIL.Image.Resampling.BICUBIC)


def half(side: str) -> PIL.Image.Image:
    """Return a mask of the left or the right half of what is drawn."""
    mask = PIL.Image.new("L", (SIZE, SIZE))
    mask.paste(255, (0, 0, SIZE // 2, SIZE) if side == "left" else (SIZE // 2, 0, SIZE, SIZE))
    return mask


def face() -> Tensor:
    return torch.randn(1, kit.FACE, generator=torch.Generator().manual_seed(3))


FACE = {"ip_adapter_image_embeds": [torch.cat([torch.zeros(1, 1, kit.FACE), face()[None]])]}
"""A picture of nothing and a face, as diffusers takes them."""


def put(made: Engine, kind: Kind, arch: Arch, seed: int = 1) -> str:
    """Save an adapter in the models root; return its name."""
    name = f"{kind}_{arch}_{seed}.safetensors"
    kit.save(made.config.roots.models / name, kit.adapter(kind, arch, seed))
    return name


def prompted(*adapters: dict[str, Any], arch: Arch = "sd1", encoder: str = "image_encoder", **more: Any) -> Any:
    """Return text-to-image with a chain of adapters: `path`, `pictures` or `face`, a `mask`, and settings."""
    plan: Any = drawing(arch=arch, steps=more.get("steps", STEPS), texts=False)
    nodes = plan["nodes"]
    nodes["encoder"] = N("image_encoder.load", {"path": encoder})
    last = "model.denoiser"
    for index, given in enumerate(adapters):
        settings = dict(given)
        loading: dict[str, JSON] = {name: settings.pop(name) for name in ("path", "shortcut") if name in settings}
        nodes[f"adapter{index}"] = N("ip_adapter.load", loading)
        embedding = _embedding(nodes, index, settings)
        wires = {"denoiser": last, "adapter": f"adapter{index}.ip_adapter", "embedding": embedding}
        if settings.pop("second_face", False):
            nodes[f"face{index}"] = N("image_encoder.load_embedding", {"path": "face.safetensors"})
            wires["face"] = f"face{index}.image_embedding"
        if "mask" in settings:
            wires["mask"] = _mask(nodes, index, settings.pop("mask"))
        nodes[f"apply{index}"] = N("ip_adapter.apply", settings, **wires)
        last = f"apply{index}.denoiser"
    nodes["guider"]["inputs"]["denoiser"] = last
    return plan


def _embedding(nodes: Any, index: int, settings: dict[str, Any]) -> str:
    if settings.pop("face", False):
        nodes[f"face{index}"] = N("image_encoder.load_embedding", {"path": "face.safetensors"})
        return f"face{index}.image_embedding"
    names = [f"picture{index}{place}" for place, _ in enumerate(settings.get("pictures", (0,)))]
    for name, place in zip(names, settings.pop("pictures", (0,)), strict=True):
        nodes[name] = N("images.load", {"path": PICTURES[place]})
    nodes[f"batch{index}"] = N("images.batch", images=[f"{name}.image" for name in names])
    nodes[f"read{index}"] = N("image_encoder.encode", encoder="encoder.image_encoder", image=f"batch{index}.image")
    return f"read{index}.image_embedding"


def _mask(nodes: Any, index: int, sides: tuple[str, ...]) -> str:
    for place, side in enumerate(sides):
        nodes[f"side{index}{place}"] = N("images.load", {"path": f"{side}.png"})
    nodes[f"sides{index}"] = N("images.batch", images=[f"side{index}{place}.image" for place, _ in enumerate(sides)])
    nodes[f"mask{index}"] = N("masks.from_image", image=f"sides{index}.image")
    return f"mask{index}.mask"


def drawn(made: Engine, *adapters: dict[str, Any], **more: Any) -> Tensor:
    image: Any = made.run(prompted(*adapters, **more)).outputs["picture"]
    pixels: Tensor = image.pixels
    return pixels


def digest(pixels: Tensor) -> str:
    return sha256(pixels.numpy().tobytes()).hexdigest()


def reference(arch: Arch, kinds: list[Kind], scales: list[Any], images: Any, **more: Any) -> Tensor:
    """Run diffusers' pipeline with adapters of seeds 1, 2, ..."""
    states = [kit.adapter(kind, arch, seed) for seed, kind in enumerate(kinds, 1)]
    return by_pipeline(arch, states, scales, images, **more)


def by_pipeline(
    arch: Arch,
    states: list[Any],
    scales: list[Any],
    images: Any,
    prepare: Callable[[Any], None] = lambda _: None,
    **more: Any,
) -> Tensor:
    """Run diffusers' pipeline with adapters; `prepare` does what is left to its users."""
    import diffusers
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    pipeline = make_pipeline(arch, seed=0)
    scheduler, changes = ("DDIMScheduler", DDIM) if arch == "sd1" else ("EulerDiscreteScheduler", LEADING)
    pipeline.scheduler = getattr(diffusers, scheduler).from_config(pipeline.scheduler.config, **changes)
    pipeline.register_modules(
        image_encoder=kit.vision(), feature_extractor=CLIPImageProcessorPil(size=kit.SIDE, crop_size=kit.SIDE)
    )
    nothing = [""] * len(states)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the oracle's own use of numpy
        pipeline.load_ip_adapter(states, subfolder=nothing, weight_name=nothing, image_encoder_folder=None)
        pipeline.set_ip_adapter_scale(scales)
        prepare(pipeline)
        found = pipeline(
            PROMPT,
            negative_prompt=NEGATIVE,
            height=SIZE,
            width=SIZE,
            num_inference_steps=STEPS,
            guidance_scale=SCALE,
            generator=torch.Generator().manual_seed(SEED),
            output_type="pt",
            **images,
            **more,
        ).images
    assert isinstance(found, Tensor)
    return found


def close(found: Tensor, expected: Tensor, name: str) -> None:
    assert expected.std() > 0.05, "a flat picture proves nothing"
    difference = float((found - expected).abs().max())
    print(f"{name}: {difference:.1e}")
    assert difference < 1e-4


# --- as diffusers draws -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "arch"),
    [("plain", "sd1"), ("plus", "sd1"), ("full", "sd1"), ("faceid", "sd1"), ("plain", "sdxl"), ("plus", "sdxl")],
)
def test_picture_equals_the_pipeline_s(kind: Kind, arch: Arch, made: Engine) -> None:
    found = drawn(made, {"path": put(made, kind, arch), "strength": 0.6, "face": kind == "faceid"}, arch=arch)
    images: dict[str, Any] = {"ip_adapter_image": [picture(0)]} if kind != "faceid" else FACE
    close(found, reference(arch, [kind], [0.6], images), f"{arch}, {kind}")
    assert float((found - drawn(made, arch=arch)).abs().max()) > 0.01


@pytest.mark.parametrize("arch", ARCHES)
def test_the_lora_inside_a_face_adapter_acts_as_the_pipeline_s(arch: Arch, made: Engine) -> None:
    """It has a strength of its own, in diffusers always 1, and does not depend on the adapter's."""
    found = kit.with_lora(kit.adapter("faceid", arch), arch)
    given = {"path": kit.save(made.config.roots.models / f"face_lora_{arch}.safetensors", found).name, "face": True}
    drew = drawn(made, {**given, "strength": 0.6}, arch=arch)
    close(drew, by_pipeline(arch, [found], [0.6], FACE), f"{arch}, faceid with its LoRA")
    without = drawn(made, {"path": put(made, "faceid", arch), "face": True, "strength": 0.6}, arch=arch)
    assert (drew - without).abs().max() > 0.01
    assert digest(drawn(made, {**given, "strength": 0.6, "lora_strength": 0.0}, arch=arch)) == digest(without)
    alone = drawn(made, {**given, "strength": 0.0}, arch=arch)
    close(alone, by_pipeline(arch, [found], [0.0], FACE), f"{arch}, the LoRA alone")
    off = drawn(made, {**given, "strength": 0.0, "lora_strength": 0.0}, arch=arch)
    assert digest(off) == digest(drawn(made, arch=arch))


@pytest.mark.parametrize("arch", ARCHES)
@pytest.mark.parametrize("second", [False, True])
def test_faceid_plus_equals_the_pipeline_s(second: bool, arch: Arch, made: Engine) -> None:
    """Both versions, told apart by the file's name; the second adds what the face says by itself."""
    found = kit.adapter("faceid_plus", arch)
    name = f"faceid-plus{'v2' if second else ''}_{arch}.safetensors"
    kit.save(made.config.roots.models / name, found)

    def prepare(pipeline: Any) -> None:
        pixels = pipeline.feature_extractor(picture(0), return_tensors="pt").pixel_values
        both = torch.cat([torch.zeros_like(pixels), pixels])
        (layer,) = pipeline.unet.encoder_hid_proj.image_projection_layers
        layer.clip_embeds = kit.vision()(both, output_hidden_states=True).hidden_states[-2][:, None].detach()
        layer.shortcut = second

    given = {"path": name, "strength": 0.6, "second_face": True}
    drew = drawn(made, given, arch=arch)
    close(drew, by_pipeline(arch, [found], [0.6], FACE, prepare), f"{arch}, {name}")
    assert (drew - drawn(made, arch=arch)).abs().max() > 0.01
    other = kit.save(made.config.roots.models / f"renamed_{arch}.safetensors", found).name
    shortcut = "on" if second else "off"
    assert digest(drawn(made, {**given, "path": other, "shortcut": shortcut}, arch=arch)) == digest(drew)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        ("faceid_plus", {}, "is not wired, but a FaceID Plus IP-Adapter reads what a face network says beside CLIP"),
        ("plus", {"second_face": True}, "is read by FaceID Plus alone, and this is a plus IP-Adapter"),
        ("faceid_plus", {"second_face": True, "pictures": (0, 1)}, "has 1 faces for 2 pictures"),
    ],
)
def test_a_face_that_does_not_fit_is_refused_when_checked(
    kind: Kind, settings: dict[str, Any], message: str, made: Engine
) -> None:
    said = refused(made, {"path": put(made, kind, "sd1"), **settings})
    assert "apply0.face" in said
    assert message in said
    assert "image_encoder.load_embedding" in said


def test_two_adapters_and_several_pictures_equal_the_pipeline_s(made: Engine) -> None:
    """The first adapter sees two pictures and the second one, each where its mask is."""
    from diffusers.image_processor import IPAdapterMaskProcessor

    adapters = [
        {"path": put(made, "plain", "sd1", 1), "strength": 0.7, "pictures": (0, 1), "mask": ("left", "right")},
        {"path": put(made, "plus", "sd1", 2), "strength": 0.4, "pictures": (1,), "mask": ("left",)},
    ]
    masks = IPAdapterMaskProcessor().preprocess([half("left"), half("right")], height=SIZE, width=SIZE)
    both = [masks.reshape(1, 2, SIZE, SIZE), masks[:1].reshape(1, 1, SIZE, SIZE)]
    images = {"ip_adapter_image": [[picture(0), picture(1)], picture(1)]}
    told = {"cross_attention_kwargs": {"ip_adapter_masks": both}}
    expected = reference("sd1", ["plain", "plus"], [[0.7, 0.7], 0.4], images, **told)
    close(drawn(made, *adapters), expected, "two adapters, masked")
    unmasked = [{name: value for name, value in item.items() if name != "mask"} for item in adapters]
    close(drawn(made, *unmasked), reference("sd1", ["plain", "plus"], [0.7, 0.4], images), "two adapters")


def test_diffusers_names_and_a_single_file_s_encoder_give_the_same(made: Engine) -> None:
    released = put(made, "plus", "sd1")
    save_file(
        kit.in_diffusers_names(kit.adapter("plus", "sd1"), "sd1"), made.config.roots.models / "diffusers.safetensors"
    )
    found = digest(drawn(made, {"path": released}))
    assert digest(drawn(made, {"path": "diffusers.safetensors"})) == found
    assert digest(drawn(made, {"path": released}, encoder="vision.safetensors")) == found


@pytest.mark.parametrize("size", [(70, 50), (50, 71), (28, 28), (9, 400)])
def test_pictures_are_prepared_as_transformers_does(size: tuple[int, int]) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    values = numpy.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=numpy.uint8)
    expected = CLIPImageProcessorPil(size=28, crop_size=28)(PIL.Image.fromarray(values), return_tensors="pt")
    found = clip_pixels(Image(torch.from_numpy(values).permute(2, 0, 1)[None].float() / 255), 28)
    torch.testing.assert_close(found, expected.pixel_values, rtol=0, atol=1e-6)


# --- what must change nothing, or add up ------------------------------------------------------------------------------


def test_what_changes_nothing_is_exact(made: Engine) -> None:
    path = put(made, "plain", "sd1")
    before = digest(drawn(made))
    assert digest(drawn(made, {"path": path, "strength": 0.0})) == before
    assert digest(drawn(made, {"path": path, "blocks": "all 0"})) == before
    whole = digest(drawn(made, {"path": path}))
    assert digest(drawn(made, {"path": path, "blocks": "mid 1"})) == whole
    part = digest(drawn(made, {"path": path, "blocks": "all 0, mid 1"}))
    assert len({before, whole, part}) == 3


def test_a_layer_adds_attention_to_pictures(made: Engine) -> None:
    """Out == out of attention(text) + strength * attention(pictures): the blank ones at rows of negative prompts."""
    models = made.config.roots.models
    adapter = kit.adapter("plain", "sd1")
    handle = adapter_handle(open_checkpoint(models / put(made, "plain", "sd1")))
    plain = denoiser_handle(open_checkpoint(models / "sd1"))
    pictures, blank = torch.randn(2, kit.EMBEDDING, generator=torch.Generator().manual_seed(1)), torch.zeros(1, 32)
    prompt = ImagePrompt(handle, pictures, blank, strength=0.3)
    residency = Residency([ModelLoader(), ImagePromptLoader()], Place("cpu", "float32"))
    name = kit.cross_attentions("sd1")[0]
    generator = torch.Generator().manual_seed(0)
    states, words = (torch.randn(shape, generator=generator) for shape in ((2, 16, 32), (2, 77, 64)))
    with residency.lease(plain, quiet) as one, residency.lease(replace(plain, patches=(prompt,)), quiet) as two:
        layer, seeing = (network.module.get_submodule(name) for network in (one, two))  # type: ignore[attr-defined]
        two.negative = torch.tensor([False, True])  # type: ignore[attr-defined]
        found, text = seeing(states, words), layer(states, words)
    tokens = torch.stack([plain_tokens(adapter, pictures), plain_tokens(adapter, blank.expand(2, -1))])
    matrices = (adapter["ip_adapter"][f"1.to_{which}_ip.weight"] for which in "kv")
    query, key, value = (
        part.unflatten(-1, (8, -1)).transpose(1, 2)
        for part in (
            layer.to_q(states),
            *(tokens @ matrix.T for matrix in matrices),
        )
    )
    seen = torch.softmax(query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5, dim=-1) @ value
    expected = text + 0.3 * seen.transpose(1, 2).flatten(2) @ layer.to_out[0].weight.T
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
    assert (found - text).abs().max() > 0.01


def plain_tokens(adapter: Any, read: Tensor) -> Tensor:
    """Return the tokens of a plain adapter by its definition, all pictures' in a row."""
    found = adapter["image_proj"]
    tokens = (read @ found["proj.weight"].T + found["proj.bias"]).reshape(len(read), 4, -1)
    normed = torch.nn.functional.layer_norm(tokens, tokens.shape[-1:], found["norm.weight"], found["norm.bias"])
    return normed.flatten(0, 1)


def test_masked_regions_are_disjoint(made: Engine) -> None:
    """The first cross-attention changes where the mask is, and nowhere else."""
    models = made.config.roots.models
    handle = adapter_handle(open_checkpoint(models / put(made, "plain", "sd1")))
    plain = denoiser_handle(open_checkpoint(models / "sd1"))
    mask = torch.zeros(1, SIZE, SIZE)
    mask[:, :, : SIZE // 2] = 1
    residency = Residency([ModelLoader(), ImagePromptLoader()], Place("cpu", "float32"))
    name, x = kit.cross_attentions("sd1")[0], torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    seen: list[Tensor] = []
    for patches in ((), (ImagePrompt(handle, torch.ones(1, 32), torch.zeros(1, 32), masks=mask),)):
        with residency.lease(replace(plain, patches=patches), quiet) as network:
            layer = watched(network, name, seen)
            network(x, torch.tensor([300.0]), TextConditioning("sd1", torch.ones(1, 77, 64)))  # type: ignore[operator]
            layer.remove()
    one, two = (output.reshape(8, 8, -1) for output in seen)
    assert torch.equal(one[:, 4:], two[:, 4:])
    assert (one[:, :4] - two[:, :4]).abs().amin(dim=-1).max() > 0


def watched(network: Any, name: str, seen: list[Tensor]) -> Any:
    """Keep what a layer puts out."""
    layer = network.module.get_submodule(name)
    return layer.register_forward_hook(lambda _, __, output: seen.append(output))


def test_adapters_for_parts_of_the_steps_are_one_for_all(made: Engine) -> None:
    path = put(made, "plain", "sd1")
    off, on = digest(drawn(made, steps=4)), digest(drawn(made, {"path": path}, steps=4))
    early, late = {"path": path, "end": 0.5}, {"path": path, "start": 0.5}
    half = digest(drawn(made, early, steps=4))
    assert len({off, on, half}) == 3
    assert digest(drawn(made, early, late, steps=4)) == on


def test_another_end_computes_only_the_last_steps_again(made: Engine) -> None:
    path = put(made, "plain", "sd1", seed=9)
    made.run(prompted({"path": path, "end": 0.5}, steps=4))
    log = Log()
    made.run(prompted({"path": path, "end": 0.75}, steps=4), listen=log)
    said = [event.message for event in log.events if isinstance(event, NodeLog)]
    assert said == ["goes on from step 2 of 4"]
    assert not {"read0", "positive", "apply_load"} & log.ran


# --- what is refused, before anything is loaded -----------------------------------------------------------------------


def refused(made: Engine, *adapters: dict[str, Any], **more: Any) -> str:
    with pytest.raises(WorkflowError) as caught:
        made.check(prompted(*adapters, **more))
    return str(caught.value)


def test_an_adapter_for_another_model_is_refused_when_checked(made: Engine) -> None:
    said = refused(made, {"path": put(made, "plain", "sdxl")})
    assert "apply0.adapter" in said
    assert "is made for prompts of 128 numbers a token, and Stable Diffusion 1.x has 64" in said
    assert "choose an IP-Adapter made for this model" in said


def test_an_embedding_that_the_adapter_does_not_read_is_refused_when_checked(made: Engine) -> None:
    said = refused(made, {"path": put(made, "plain", "sd1"), "face": True})
    assert "apply0.embedding" in said
    assert "has 24 numbers, but the IP-Adapter reads 32" in said
    assert "ViT-H for most" in said
    said = refused(made, {"path": put(made, "plus", "sd1"), "face": True})
    assert "is no picture's, read by an image encoder" in said
    said = refused(made, {"path": put(made, "faceid", "sd1")})
    assert "a FaceID IP-Adapter wants that of a face" in said
    assert "image_encoder.load_embedding" in said


@pytest.mark.parametrize(
    ("settings", "place", "message"),
    [
        ({"blocks": "down"}, "apply0.blocks", "is no block and weight"),
        ({"blocks": "single 1"}, "apply0.blocks", "has no block 'single_transformer_blocks'"),
        ({"start": 0.5, "end": 0.5}, "apply0.start", "at or after the end"),
        ({"pictures": (0, 1, 0), "mask": ("left", "right")}, "apply0.mask", "has 2 masks for 3 pictures"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], place: str, message: str, made: Engine) -> None:
    said = refused(made, {"path": put(made, "plain", "sd1"), **settings})
    assert place in said
    assert message in said


def test_other_files_are_refused(made: Engine) -> None:
    models = made.config.roots.models
    (models / "ip-adapter.bin").write_bytes(b"PK")
    assert "runs code" in refused(made, {"path": "ip-adapter.bin"})
    assert "holds no IP-Adapter (it holds image_encoder)" in refused(made, {"path": "vision.safetensors"})
    path = put(made, "plain", "sd1")
    assert "holds no image encoder (it holds ip_adapter)" in refused(made, {"path": path}, encoder=path)


def test_a_lora_inside_an_adapter_for_another_model_is_refused_when_checked(made: Engine) -> None:
    found = kit.with_lora(kit.adapter("faceid", "sd1"), "sd1")
    more = {f"ip_adapter.99.to_q_lora.{part}.weight": torch.ones(2, 2) for part in ("down", "up")}
    path = kit.save(made.config.roots.models / "long_lora.safetensors", found, **more)
    said = refused(made, {"path": path.name, "face": True})
    assert "apply0.adapter" in said
    assert "has a LoRA for attention 99, where this UNet has " in said
    found["ip_adapter"]["0.to_q_lora.up.weight"] = torch.ones(7, 2)
    path = kit.save(made.config.roots.models / "wide_lora.safetensors", found)
    assert "it has other shapes for 'down_blocks.0" in refused(made, {"path": path.name, "face": True})


def test_the_workflow_draws_what_a_picture_says(made: Engine) -> None:
    """The same file without its picture draws something else; the embedding is kept when the strength changes."""
    given: dict[str, JSON] = {"model": "sd1", "adapter": put(made, "plus", "sd1"), "picture": PICTURES[0]}
    given |= {"width": SIZE, "height": SIZE, "steps": STEPS}
    followed: Any = made.run(WORKFLOW, given).outputs["picture"]
    log = Log()
    alone: Any = made.run(WORKFLOW, {**given, "strength": 0.0}, listen=log).outputs["picture"]
    assert (followed.pixels - alone.pixels).abs().max() > 0.01
    assert "sample" in log.ran
    assert not {"read", "positive"} & log.ran
