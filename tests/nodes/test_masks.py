"""Mask nodes, against their definitions and independent references."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image as Pillow
from scipy import ndimage

from graphgen import Facts, Known, Refusal
from graphgen.errors import PathError
from graphgen.node import spec_of
from graphgen_nodes.imaging.geometry import Mode
from graphgen_nodes.packs import images, masks
from graphgen_nodes.packs.masks import Channel
from graphgen_nodes.sockets import Image, Mask


def noise(*shape: int, seed: int = 4) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


MASK = Mask(noise(2, 20, 30))
OTHER = Mask(noise(2, 20, 30, seed=7))
DOT = torch.zeros(1, 21, 31)
DOT[0, 10, 15] = 1


@pytest.mark.parametrize(("channel", "index"), [("red", 0), ("green", 1), ("blue", 2), ("alpha", 3)])
def test_a_channel_becomes_the_mask(channel: Channel, index: int) -> None:
    image = Image(noise(2, 4, 20, 30))
    assert torch.equal(masks.from_image(image, channel=channel).values, image.pixels[:, index])


def test_alpha_of_an_opaque_picture_is_one_and_luminance_weighs_colours() -> None:
    white, green = Image(torch.ones(1, 3, 2, 2)), Image(torch.tensor([0.0, 1, 0]).reshape(1, 3, 1, 1))
    assert torch.equal(masks.from_image(white, channel="alpha").values, torch.ones(1, 2, 2))
    assert (masks.from_image(white).values - 1).abs().max() < 1e-6
    assert masks.from_image(green).values.item() == pytest.approx(0.7152)


def test_a_mask_as_picture_and_back_is_the_same() -> None:
    picture = masks.to_image(MASK)
    assert picture.pixels.shape == (2, 3, 20, 30)
    assert torch.equal(masks.from_image(picture, channel="green").values, MASK.values)


def test_inverting_twice_changes_nothing() -> None:
    assert (masks.invert(masks.invert(MASK)).values - MASK.values).abs().max() < 1e-6
    assert torch.equal(masks.invert(masks.solid(value=1.0)).values, torch.zeros(1, 512, 512))


def test_combining_obeys_the_laws_of_sets() -> None:
    def combine(a: Mask, b: Mask, operation: masks.Operation) -> torch.Tensor:
        return masks.combine(a, b, operation=operation).values

    everything, nothing = (masks.solid(width=30, height=20, value=value) for value in (1.0, 0.0))
    assert torch.equal(combine(MASK, nothing, "union"), MASK.values)
    assert torch.equal(combine(MASK, everything, "intersection"), MASK.values)
    assert torch.equal(combine(MASK, nothing, "difference"), MASK.values)
    assert torch.equal(combine(MASK, everything, "difference"), torch.zeros(2, 20, 30))
    assert torch.equal(combine(MASK, MASK, "exclusion"), torch.zeros(2, 20, 30))
    union = combine(MASK, OTHER, "union")
    both = combine(masks.invert(MASK), masks.invert(OTHER), "intersection")
    assert (union - (1 - both)).abs().max() < 1e-6  # De Morgan


def test_masks_of_different_sizes_or_batches_are_not_combined() -> None:
    with pytest.raises(ValueError, match=r"first is 30 x 20, second is 8 x 8; they must have one size"):
        masks.combine(MASK, Mask(noise(1, 8, 8)))
    with pytest.raises(ValueError, match="first has 2, second has 3"):
        masks.combine(MASK, Mask(noise(3, 20, 30)))


def test_growing_a_dot_makes_a_square_and_shrinking_undoes_it() -> None:
    grown = masks.grow(Mask(DOT), pixels=3)
    assert grown.values.sum() == 49
    assert torch.equal(masks.grow(grown, pixels=-3).values, DOT)
    assert masks.grow(MASK, pixels=0) is MASK


@pytest.mark.parametrize("pixels", [2, -2])
def test_growing_agrees_with_scipy(pixels: int) -> None:
    morphology: Callable[..., numpy.ndarray] = ndimage.grey_dilation if pixels > 0 else ndimage.grey_erosion
    expected = morphology(MASK.values[0].numpy(), size=(5, 5), mode="nearest")
    assert numpy.array_equal(masks.grow(MASK, pixels=pixels).values[0].numpy(), expected)


@pytest.mark.parametrize("radius", [0.7, 3.0])
def test_blurring_agrees_with_scipy(radius: float) -> None:
    expected = ndimage.gaussian_filter(
        MASK.values[0].double().numpy(), radius, mode="nearest", radius=math.ceil(3 * radius)
    )
    assert numpy.abs(masks.blur(MASK, radius=radius).values[0].numpy() - expected).max() < 1e-6


def test_blurring_keeps_what_is_even_and_its_sum() -> None:
    even = masks.solid(width=40, height=9, value=0.25)
    assert (masks.blur(even, radius=20.0).values - 0.25).abs().max() < 1e-6
    assert masks.blur(Mask(DOT), radius=2.0).values.sum().item() == pytest.approx(1, abs=1e-5)
    assert masks.blur(MASK, radius=0.0) is MASK


def test_resizing_agrees_with_pillow() -> None:
    resized = masks.resize(MASK, width=12, height=33, mode="stretch").values
    expected = Pillow.fromarray(MASK.values[1].numpy()).resize((12, 33), Pillow.Resampling.BILINEAR)
    assert numpy.array_equal(resized[1].numpy(), numpy.asarray(expected))


@pytest.mark.parametrize("mode", ["stretch", "fit", "fill", "pad"])
def test_a_mask_stays_with_its_picture(mode: Mode) -> None:
    picture = masks.to_image(MASK)
    for width, height in ((10, 10), (40, 11), (30, 20)):
        expected = images.resize(picture, width=width, height=height, mode=mode, method="bicubic").pixels[:, 0]
        assert torch.equal(masks.resize(MASK, width=width, height=height, mode=mode, method="bicubic").values, expected)
    expected = images.crop(picture, x=3, y=4, width=9, height=8).pixels[:, 0]
    assert torch.equal(masks.crop(MASK, x=3, y=4, width=9, height=8).values, expected)


def test_facts_of_masks_are_known() -> None:
    def path(root: str, name: str) -> Path:
        raise PathError(f"{root}: {name}")

    def infer(node: Callable[..., object], settings: Facts, **inputs: Facts) -> object:
        found = spec_of(node).infer
        assert found is not None
        return found(Known(inputs, {}, settings, path))

    picture = {"width": 8, "height": 6, "channels": 3, "batch": 2}
    mask = {"width": 8, "height": 6, "batch": 2}
    assert infer(masks.from_image, {}, image=picture) == {"mask": mask}
    assert infer(masks.to_image, {}, mask=mask) == {"image": picture}
    assert infer(masks.blur, {}, mask=mask) == {"mask": mask}
    assert infer(masks.combine, {}, first=mask, second={**mask, "batch": 1}) == {"mask": mask}
    assert infer(masks.resize, {"width": 3, "height": 4, "mode": "pad"}, mask=mask) == {
        "mask": {"width": 3, "height": 4, "batch": 2}
    }
    assert infer(masks.solid, {"width": 3, "height": 4, "batch": 1}) == {"mask": {"width": 3, "height": 4, "batch": 1}}
    with pytest.raises(Refusal, match="leaves the picture of 8 x 6"):
        infer(masks.crop, {"x": 0, "y": 0, "width": 9, "height": 6}, mask=mask)
    with pytest.raises(Refusal, match="one size"):
        infer(masks.combine, {}, first=mask, second={**mask, "width": 9})
    with pytest.raises(Refusal, match="at most"):
        infer(masks.solid, {"width": 16384, "height": 16384, "batch": 1})


def test_a_painted_mask_is_as_large_as_the_picture_it_was_painted_over(tmp_path: Path) -> None:
    grey = (noise(20, 30) * 255).round().to(torch.uint8)
    Pillow.fromarray(grey.numpy()).save(tmp_path / "painting.png")
    tall = Image(torch.zeros(2, 3, 40, 60))

    def painted(path: str, image: Image | None = None) -> torch.Tensor:
        return masks.paint(_InFolder(tmp_path), image, path=path).values  # type: ignore[arg-type]  # a context's `path`

    own = painted("painting.png")
    assert own.shape == (1, 20, 30)
    assert (own[0] - grey / 255).abs().max() < 1e-6
    stretched = painted("painting.png", tall)
    assert torch.equal(
        stretched, masks.resize(Mask(own), width=60, height=40, mode="stretch", method="bilinear").values
    )
    assert torch.equal(painted("", tall), torch.zeros(1, 40, 60))
    with pytest.raises(Refusal, match="nothing is painted"):
        painted("")


def test_what_is_transparent_is_not_painted(tmp_path: Path) -> None:
    pixels = numpy.zeros((2, 2, 4), numpy.uint8)
    pixels[0] = (255, 255, 255, 255)
    pixels[1] = (255, 255, 255, 0)
    Pillow.fromarray(pixels).save(tmp_path / "painting.png")
    found = masks.paint(_InFolder(tmp_path), path="painting.png").values  # type: ignore[arg-type]  # a context's `path`
    assert (found - torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])).abs().max() < 1e-6


def test_a_painting_is_known_and_noticed_when_it_changes(tmp_path: Path) -> None:
    spec = spec_of(masks.paint)
    Pillow.new("L", (30, 20)).save(tmp_path / "painting.png")

    def known(path: str | None, **inputs: Facts) -> Known:
        settings: dict[str, str] = {} if path is None else {"path": path}
        return Known(inputs, {}, settings, lambda _, name: tmp_path / name)

    assert spec.infer is not None
    assert spec.fingerprint is not None
    assert spec.infer(known("painting.png")) == {"mask": {"width": 30, "height": 20, "batch": 1}}
    over = {"width": 8, "height": 6, "channels": 3, "batch": 2}
    assert spec.infer(known("", image=over)) == {"mask": {"width": 8, "height": 6, "batch": 1}}
    assert spec.infer(known(None)) == {"mask": {"batch": 1}}
    with pytest.raises(Refusal, match="nothing is painted"):
        spec.infer(known(""))
    before = spec.fingerprint(known("painting.png"))
    assert (spec.fingerprint(known("")), len(before)) == ("", 40)
    Pillow.new("L", (30, 20), 255).save(tmp_path / "painting.png")
    assert spec.fingerprint(known("painting.png")) != before
    shown: Any = spec.settings_schema()
    assert shown["properties"]["path"]["widget"] == {
        "kind": "mask",
        "root": "inputs",
        "kinds": [".png"],
        "over": "image",
    }


class _InFolder:
    """The part of a context that says where inputs lie."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, root: str, name: str) -> Path:
        assert root == "inputs"
        return self._folder / name
