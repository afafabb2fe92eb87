"""Parts cut out around masks and put back, colours given to other pictures, latents made larger."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from graphgen import Refusal
from graphgen_nodes import Image, Latent, LatentFormat, Mask
from graphgen_nodes.imaging import colours, parts
from graphgen_nodes.imaging.cutouts import Cutout, cutout_around
from graphgen_nodes.imaging.geometry import Size
from graphgen_nodes.packs import latents

SIDES = st.integers(1, 60)


@given(st.data(), SIDES, SIDES, st.floats(0, 2), st.integers(8, 64), st.integers(8, 64))
def test_a_part_holds_what_is_marked_and_lies_in_the_picture(
    data: st.DataObject, width: int, height: int, context: float, wide: int, high: int
) -> None:
    left, right = sorted(data.draw(st.integers(0, width - 1)) for _ in range(2))
    top, bottom = sorted(data.draw(st.integers(0, height - 1)) for _ in range(2))
    marked = Cutout(left, top, right - left + 1, bottom - top + 1)
    found = cutout_around(marked, Size(width, height), context, Size(wide, high))
    assert 0 <= found.x <= marked.x
    assert 0 <= found.y <= marked.y
    assert marked.x + marked.width <= found.x + found.width <= width
    assert marked.y + marked.height <= found.y + found.height <= height


def test_a_part_has_the_shape_asked_for_where_there_is_room() -> None:
    found = cutout_around(Cutout(50, 40, 20, 10), Size(200, 200), 0.5, Size(64, 64))
    assert found == Cutout(40, 25, 40, 40)


@given(st.integers(0, 2**16 - 1), st.floats(0, 1))
def test_stitching_changes_nothing_outside_the_mask(seed: int, context: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    whole = Image(torch.rand(2, 3, 20, 30, generator=generator))
    values = torch.zeros(1, 20, 30)
    values[:, 5:9, 12:22] = torch.rand(4, 10, generator=generator)
    values[:, 7, 15] = 1.0
    part, mask, place = parts.cut_out(whole, Mask(values), context, Size(16, 24))
    assert part.pixels.shape == (2, 3, 24, 16)
    assert mask.values.shape == (1, 24, 16)
    found = parts.stitch(Image(1 - part.pixels), whole, place, Mask(values)).pixels
    outside = (values == 0)[0]
    assert torch.equal(found[:, :, outside], whole.pixels[:, :, outside])
    assert not torch.equal(found, whole.pixels)


def test_a_part_of_its_own_size_is_put_back_as_it_was() -> None:
    whole = Image(torch.rand(1, 3, 20, 30))
    values = torch.zeros(1, 20, 30)
    values[:, 4:12, 10:18] = 1
    part, _, place = parts.cut_out(whole, Mask(values), 0.0, Size(8, 8))
    assert place == Cutout(10, 4, 8, 8)
    torch.testing.assert_close(parts.stitch(part, whole, place, Mask(values)).pixels, whole.pixels, rtol=0, atol=1e-6)


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="marks nothing to cut out"):
        parts.cut_out(Image(torch.rand(1, 3, 8, 8)), Mask(torch.zeros(1, 8, 8)), 0.0, Size(8, 8))


# --- colours ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [((1, 1, 1), (100, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 0, 0), (53.24, 80.09, 67.20)),
     ((0, 1, 0), (87.73, -86.18, 83.18)), ((0, 0, 1), (32.30, 79.19, -107.86))],
)  # fmt: skip
def test_lab_is_that_of_the_published_tables(rgb: Any, lab: Any) -> None:
    found = colours.to_lab(torch.tensor(rgb, dtype=torch.float32).reshape(1, 3, 1, 1)).flatten()
    torch.testing.assert_close(found, torch.tensor(lab, dtype=torch.float64), rtol=0, atol=0.02)


@given(st.integers(0, 2**16 - 1))
def test_lab_leads_back(seed: int) -> None:
    pixels = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(colours.from_lab(colours.to_lab(pixels)).float(), pixels, rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", ["statistics", "histogram", "wavelet"])
def test_a_picture_s_own_colours_change_nothing(method: colours.Matching) -> None:
    image = Image(torch.rand(2, 4, 40, 48, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(colours.match(image, image, method, 1.0).pixels, image.pixels, rtol=0, atol=2e-5)
    other = Image(torch.rand(1, 3, 40, 48, generator=torch.Generator().manual_seed(1)))
    assert torch.equal(colours.match(image, other, method, 0.0).pixels, image.pixels)


def test_statistics_are_those_of_the_reference() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels, wanted = (0.5 + scale * torch.rand(1, 3, 16, 16, generator=generator) for scale in (0.1, 0.2))
    found = colours.to_lab(colours.by_statistics(pixels, wanted))
    for of in (torch.mean, torch.std):
        torch.testing.assert_close(of(found, dim=(2, 3)), of(colours.to_lab(wanted), dim=(2, 3)), rtol=0, atol=1e-3)


def test_the_histogram_is_that_of_the_reference() -> None:
    generator = torch.Generator().manual_seed(0)
    pixels, wanted = torch.rand(1, 3, 8, 8, generator=generator), torch.rand(1, 3, 8, 8, generator=generator) ** 2
    found = colours.by_histogram(pixels, wanted)
    assert torch.equal(found.flatten(2).sort(dim=2).values, wanted.flatten(2).sort(dim=2).values)
    assert torch.equal(found.flatten(2).argsort(dim=2), pixels.flatten(2).argsort(dim=2))
    assert colours.by_histogram(pixels, torch.rand(1, 3, 5, 7)).shape == pixels.shape


def test_wavelets_move_what_is_coarse_alone() -> None:
    """A cast of one colour is taken over, and the details stay."""
    pixels = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0)) * 0.5
    cast = torch.tensor([0.2, 0.0, 0.1]).reshape(1, 3, 1, 1)
    torch.testing.assert_close(colours.by_wavelet(pixels, pixels + cast), pixels + cast, rtol=0, atol=1e-5)


# --- latents ---------------------------------------------------------------------------------------------------------


def test_latents_are_resized_and_keep_their_format() -> None:
    latent = Latent(torch.rand(2, 4, 4, 6), LatentFormat("sd", 4, 0.18215))
    found = latents.resize(latent, width=96, height=64, method="nearest")
    assert torch.equal(found.samples, latent.samples.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert found.format == latent.format
    with pytest.raises(Refusal, match="no multiple of 8"):
        latents.resize(latent, width=100, height=64)


def test_latents_are_repeated_image_by_image() -> None:
    latent = Latent(torch.rand(2, 4, 4, 6), LatentFormat("sd", 4, 0.18215))
    found = latents.repeat(latent, count=3)
    assert found.format == latent.format
    assert torch.equal(found.samples, latent.samples[[0, 0, 0, 1, 1, 1]])
    with pytest.raises(Refusal, match="more than 268,435,456 pixels"):
        latents.repeat(Latent(torch.zeros(1, 1, 512, 512), latent.format), count=17)
