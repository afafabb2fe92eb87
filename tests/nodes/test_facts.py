"""What is foretold of pictures, masks and schedules is what comes: random settings, through the real nodes.

In both directions: what is refused while a workflow is checked fails when it is run, and what is let through does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nodes.facts_kit import assert_foretold, facts_of
from nodes.sampling_oracles import PATHS, handle

from graphgen import Facts, Known, Refusal
from graphgen.node import spec_of
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen_nodes import Image, Mask, TextConditioning
from graphgen_nodes.facts import denoiser_facts
from graphgen_nodes.packs import guiders, images, masks, schedules

REGISTRY = build_registry(find_plugins())
BUILT_IN = {id_: spec for id_, spec in REGISTRY.nodes.items() if spec.function.__module__.startswith("graphgen_nodes.")}
SAYS_NOTHING: Mapping[str, str] = {}
"""Built-in nodes without an infer, and why nothing is known of what they give."""


def nowhere(root: str, name: str) -> Path:
    raise AssertionError(f"{root}/{name} is not looked at")


# --- every node -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("id_", BUILT_IN)
def test_every_node_says_what_it_knows_or_why_it_does_not(id_: str) -> None:
    assert (BUILT_IN[id_].infer is None) == (id_ in SAYS_NOTHING)


@pytest.mark.parametrize("id_", BUILT_IN)
def test_what_is_not_known_is_let_through(id_: str) -> None:
    spec = BUILT_IN[id_]
    assert spec.infer is not None
    nothing: dict[str, Facts] = {wire.name: {} for wire in spec.inputs}
    found = spec.infer(Known(nothing, {name: (facts,) for name, facts in nothing.items()}, {}, nowhere))
    assert set(found) <= {output.name for output in spec.outputs}


# --- the property -----------------------------------------------------------------------------------------------------


def agree(
    node: Callable[..., Any],
    inputs: Mapping[str, object],
    values: Mapping[str, Any],
    data: st.DataObject,
    many: bool = False,
) -> None:
    """Check a node's infer against the node itself, with all and with a part of what is known."""
    told = {name: denoiser_facts(value) if name == "denoiser" else facts_of(value) for name, value in inputs.items()}  # type: ignore[arg-type]
    try:
        result = node(*inputs.values(), **values)
    except (ValueError, Refusal):
        with pytest.raises(Refusal):
            foretold(node, told, values, many)
        return
    outputs = spec_of(node).outputs
    found = result if len(outputs) > 1 else (result,)
    for output, value in zip(outputs, found, strict=True):
        assert_foretold(foretold(node, told, values, many)[output.name], value, output.name)
    less = {name: kept(data, facts) for name, facts in told.items()}
    known = foretold(node, less, kept(data, values), many)
    for output, value in zip(outputs, found, strict=True):
        true = facts_of(value)
        assert all(true[name] == fact for name, fact in known.get(output.name, {}).items()), (output.name, known)


def kept(data: st.DataObject, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Forget some facts."""
    return {name: fact for name, fact in facts.items() if data.draw(st.booleans(), label=name)}


def foretold(
    node: Callable[..., object], inputs: Mapping[str, Any], values: Mapping[str, Any], many: bool
) -> Mapping[str, Facts]:
    infer = spec_of(node).infer
    assert infer is not None
    if many:
        (wire,) = spec_of(node).inputs
        return infer(Known({wire.name: {}}, {wire.name: tuple(inputs.values())}, values, nowhere))
    return infer(Known(inputs, {name: (facts,) for name, facts in inputs.items()}, values, nowhere))


# --- pictures and masks -----------------------------------------------------------------------------------------------

SIDE = st.integers(1, 12)
COUNT = st.sampled_from([1, 1, 2, 3])
SIZES = st.one_of(st.just((5, 7)), st.tuples(SIDE, SIDE))
MODES = st.sampled_from(["stretch", "fit", "fill", "pad"])
PART = st.fixed_dictionaries({"x": st.integers(0, 6), "y": st.integers(0, 6), "width": SIDE, "height": SIDE})
RESIZED = st.fixed_dictionaries({"width": SIDE, "height": SIDE, "mode": MODES})
PLAIN = st.fixed_dictionaries({"width": SIDE, "height": SIDE, "batch": COUNT})


@st.composite
def pictures(draw: st.DrawFn) -> Image:
    (height, width), channels = draw(SIZES), draw(st.sampled_from([3, 3, 4]))
    return Image(torch.rand(draw(COUNT), channels, height, width))


@st.composite
def shapes(draw: st.DrawFn) -> Mask:
    height, width = draw(SIZES)
    return Mask(torch.rand(draw(COUNT), height, width))


Case = tuple[Callable[..., Any], dict[str, st.SearchStrategy[Any]], st.SearchStrategy[dict[str, Any]]]
NONE: st.SearchStrategy[dict[str, Any]] = st.just({})
CASES: list[Case] = [
    (images.resize, {"image": pictures()}, RESIZED),
    (images.crop, {"image": pictures()}, PART),
    (images.pick, {"image": pictures()}, st.fixed_dictionaries({"index": st.integers(0, 3), "count": COUNT})),
    (images.solid, {}, PLAIN),
    (images.composite, {"image": pictures(), "over": pictures()}, NONE),
    (images.composite, {"image": pictures(), "over": pictures(), "mask": shapes()}, NONE),
    (images.flatten, {"image": pictures()}, NONE),
    (images.with_alpha, {"image": pictures(), "mask": shapes()}, NONE),
    (masks.from_image, {"image": pictures()}, st.fixed_dictionaries({"channel": st.sampled_from(["alpha", "red"])})),
    (masks.to_image, {"mask": shapes()}, NONE),
    (masks.solid, {}, PLAIN),
    (masks.invert, {"mask": shapes()}, NONE),
    (masks.combine, {"first": shapes(), "second": shapes()}, NONE),
    (masks.grow, {"mask": shapes()}, st.fixed_dictionaries({"pixels": st.integers(-3, 3)})),
    (masks.blur, {"mask": shapes()}, st.fixed_dictionaries({"radius": st.sampled_from([0.0, 1.5])})),
    (masks.resize, {"mask": shapes()}, RESIZED),
    (masks.crop, {"mask": shapes()}, PART),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0].__module__.rpartition('.')[2]}.{case[0].__name__}")
@settings(max_examples=40)
@given(data=st.data())
def test_pictures_and_masks_come_as_foretold(case: Case, data: st.DataObject) -> None:
    node, inputs, values = case
    agree(node, {name: data.draw(strategy, name) for name, strategy in inputs.items()}, data.draw(values), data)


@settings(max_examples=40)
@given(st.lists(pictures(), max_size=3), st.data())
def test_batches_come_as_foretold(several: list[Image], data: st.DataObject) -> None:
    agree(images.batch, {str(index): image for index, image in enumerate(several)}, {}, data, many=True)


# --- schedules --------------------------------------------------------------------------------------------------------

LEVEL = st.sampled_from([0.0, 0.02, 0.5, 1.0, 3.0, 14.0, 999.0])
ROUNDING = st.sampled_from(["none", "nearest"])
START = st.sampled_from(["path", "sigma"])
STEPS = st.one_of(st.integers(1, 60), st.sampled_from([499, 500, 999, 1000]))
RANGE = {"sigma_min": LEVEL, "sigma_max": LEVEL, "rounding": ROUNDING, "initial_noise": START}
CHAIN = {
    "spacing": st.sampled_from(["leading", "linspace", "trailing", "distilled"]),
    "steps_offset": st.sampled_from([0, 1, 7, 600]),
    "drop_last": st.booleans(),
    "rounding": ROUNDING,
    "final_sigma": st.sampled_from(["zero", "sigma_min"]),
    "initial_noise": START,
    "original_steps": st.sampled_from([1, 50, 1000]),
}
SHIFT = {"shift": st.sampled_from([0.0, 1.0, 3.0, 80.0]), "spacing": st.sampled_from(["training", "uniform"])}
MADE: list[tuple[Callable[..., Any], dict[str, st.SearchStrategy[Any]]]] = [
    (schedules.default, {}),
    (schedules.uniform, {}),
    (schedules.karras, {"rho": st.sampled_from([1.0, 7.0, 90.0]), **RANGE}),
    (schedules.exponential, {"rho": st.sampled_from([1.0, 2.5]), **RANGE}),
    (
        schedules.beta,
        {
            "steps": st.one_of(st.integers(1, 40), st.sampled_from([100])),  # each step is a quantile to find
            "alpha": st.sampled_from([0.3, 0.6, 2.0]),
            "beta": st.sampled_from([0.6, 1.5]),
            "over": st.sampled_from(["levels", "sigma"]),
        },
    ),
    (schedules.linear_quadratic, {"threshold": st.sampled_from([0.025, 0.4])}),
    (schedules.kl_optimal, {name: RANGE[name] for name in ("sigma_min", "sigma_max")}),
    (schedules.model, CHAIN),
    (schedules.flow, SHIFT),
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(("node", "values"), MADE, ids=lambda item: getattr(item, "__name__", ""))
@settings(max_examples=40)
@given(data=st.data())
def test_schedules_come_as_foretold(
    node: Callable[..., Any], values: dict[str, st.SearchStrategy[Any]], path: str, data: st.DataObject
) -> None:
    drawn = data.draw(st.fixed_dictionaries({"steps": STEPS, **values}))
    agree(node, {"denoiser": handle(PATHS[path])}, drawn, data)


SHARE = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.25, 0.5, 1.0]))


@settings(max_examples=100)
@given(st.integers(1, 20), SHARE, SHARE, SHARE, SHARE, st.data())
def test_slices_of_slices_come_as_foretold(
    steps: int, start: float, end: float, start_2: float, end_2: float, data: st.DataObject
) -> None:
    schedule = schedules.default(handle(PATHS["flow"]), steps=steps)
    agree(schedules.slice, {"schedule": schedule}, {"start": start, "end": end}, data)
    try:
        schedule = schedules.slice(schedule, start=start, end=end)
    except ValueError:
        return
    agree(schedules.slice, {"schedule": schedule}, {"start": start_2, "end": end_2}, data)


# --- guiders --------------------------------------------------------------------------------------------------------

FAMILY = st.sampled_from(["tiny", "tiny", "sd1"])


@settings(max_examples=40)
@given(FAMILY, FAMILY, st.sampled_from([1.0, 3.0]), COUNT, st.data())
def test_guiders_come_as_foretold(yes: str, no: str, scale: float, batch: int, data: st.DataObject) -> None:
    model = handle(PATHS["flow"])
    positive, negative = (TextConditioning(name, torch.zeros(batch, 7, 8)) for name in (yes, no))
    agree(guiders.none, {"denoiser": model, "positive": positive}, {}, data)
    wired = {"denoiser": model, "positive": positive, "negative": negative}
    agree(guiders.classifier_free, wired, {"scale": scale, "rescale": 0.0}, data)
    agree(guiders.projected, wired, {"scale": scale}, data)
    agree(guiders.zero_star, wired, {"scale": scale}, data)
    agree(guiders.perpendicular, {**wired, "empty": negative}, {"scale": scale}, data)
