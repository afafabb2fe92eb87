"""Tone curves: the interpolation against scipy's, and what becomes of pictures."""

from __future__ import annotations

from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.interpolate import PchipInterpolator

from graphgen.node import spec_of
from graphgen.validation import problems_of
from graphgen_nodes.imaging.curves import along, luminance
from graphgen_nodes.packs.images import curves
from graphgen_nodes.sockets import Image

PIXELS = torch.rand(2, 4, 9, 11, generator=torch.Generator().manual_seed(3))
NEGATIVE = [[0.0, 1.0], [1.0, 0.0]]
LIFTED = [[0.0, 0.1], [0.3, 0.5], [0.8, 0.85], [1.0, 1.0]]


@st.composite
def points(draw: st.DrawFn) -> list[list[float]]:
    """Two to eight points from left to right."""
    steps = st.integers(0, 1000)
    xs = sorted(draw(st.sets(steps, min_size=2, max_size=8)))
    return [[x / 1000, draw(steps) / 1000] for x in xs]


@given(points())
def test_curves_are_scipys_between_the_points_and_level_beyond(given_points: list[list[float]]) -> None:
    x, y = numpy.array(given_points).T
    asked = numpy.linspace(0, 1, 501)
    expected = PchipInterpolator(x, y)(asked.clip(x[0], x[-1]))
    found = along(torch.from_numpy(asked), given_points).numpy()
    assert numpy.abs(found - expected).max() < 1e-9


@given(points())
def test_curves_rise_where_their_points_do(given_points: list[list[float]]) -> None:
    rising = [[x, y] for (x, _), y in zip(given_points, sorted(y for _, y in given_points), strict=True)]
    found = along(torch.linspace(0, 1, 501, dtype=torch.float64), rising)
    assert float(found.diff().min()) > -1e-12
    assert found.min() >= rising[0][1] - 1e-12
    assert found.max() <= rising[-1][1] + 1e-12


def test_straight_curves_change_nothing_and_others_act_where_they_are_told_to() -> None:
    image = Image(PIXELS)
    assert torch.equal(curves(image).pixels, PIXELS)
    red = curves(image, red=NEGATIVE).pixels
    assert torch.equal(red[:, 1:], PIXELS[:, 1:])
    assert torch.allclose(red[:, 0], 1 - PIXELS[:, 0], atol=1e-6)
    whole = curves(image, curve=LIFTED, green=NEGATIVE).pixels
    for channel, before in enumerate((PIXELS[:, 0], 1 - PIXELS[:, 1], PIXELS[:, 2])):
        assert torch.allclose(whole[:, channel], along(before, LIFTED), atol=1e-6)
    assert torch.equal(whole[:, 3], PIXELS[:, 3])


@pytest.mark.parametrize("curve", [LIFTED, NEGATIVE, [[0.2, 0.0], [0.5, 1.0]]])
def test_luminance_follows_the_curve_and_colours_keep_their_hue(curve: list[list[float]]) -> None:
    before, after = PIXELS[:, :3], curves(Image(PIXELS), curve=curve, on="luminance").pixels[:, :3]
    assert torch.allclose(luminance(after), along(luminance(before), curve), atol=2e-6)
    assert float(after.min()) >= 0
    assert float(after.max()) <= 1
    apart = [pixels - pixels.mean(dim=1, keepdim=True) for pixels in (before, after)]
    crossed = torch.linalg.cross(apart[0], apart[1], dim=1)
    assert float(crossed.abs().max()) < 1e-6  # they point the same way from grey
    assert float((apart[0] * apart[1]).sum(dim=1).min()) > -1e-6


@pytest.mark.parametrize(
    ("curve", "told"),
    [
        ([[0.0, 0.0]], "2 or more"),
        ([[0.5, 0.0], [0.5, 1.0]], "left to right"),
        ([[0.9, 0.0], [0.1, 1.0]], "left to right"),
        ([[0.0, 0.0], [1.0, 1.5]], "at most 1"),
        ([[0.0, 0.0], [1.0]], "2 or more"),
        ([[0.0, 0.0], [1.0, "1"]], "a number"),
        ("0,0 1,1", "a list"),
    ],
)
def test_what_is_no_curve_is_refused(curve: object, told: str) -> None:
    with pytest.raises(ValidationError) as refused:
        spec_of(curves).model.model_validate({"curve": curve})
    assert told in str(problems_of(refused.value)[0])


def test_an_editor_is_told_what_a_curve_is() -> None:
    schema: Any = spec_of(curves).settings_schema()
    shown = schema["properties"]["curve"]
    assert (shown["widget"], shown["default"]) == ({"kind": "curve"}, [[0, 0], [1, 1]])
    assert (shown["minItems"], shown["items"]["maxItems"], shown["items"]["items"]["maximum"]) == (2, 2, 1)
