"""Parts of a schedule at which a prompt says nothing: known before a run exactly as they are found in one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nodes.test_resuming import A, model

from graphgen import Facts, Known, Refusal
from graphgen.node import spec_of
from graphgen_nodes.packs import composing, guiders, sampling
from graphgen_nodes.silences import ALL, Spans, check_spoken, common, joined, silences_of, silent_facts, within
from graphgen_nodes.sockets import Conditioning, Guider

TENTHS = st.integers(0, 10).map(lambda tenth: tenth / 10)
MIDDLES = tuple(k / 20 for k in range(1, 20, 2))
"""A share within each tenth of a schedule."""


class Made(NamedTuple):
    """A value that a node made, and what was known of it before."""

    value: Any
    facts: Facts


def made(node: Any, *several: Made, **given: Any) -> Made:
    """Return what a node makes of its inputs, and what its infer knows of it."""
    wires = {name: it for name, it in given.items() if isinstance(it, Made)}
    values = {name: it for name, it in given.items() if not isinstance(it, Made)}
    spec = spec_of(node)
    assert spec.infer is not None
    many = {"conditionings": tuple(it.facts for it in several)} if several else {}
    known = Known({name: it.facts for name, it in wires.items()}, many, values, lambda _, name: Path(name))
    (facts,) = spec.infer(known).values()
    value = node(*(it.value for it in several), **{name: it.value for name, it in wires.items()}, **values)
    return Made(value, facts)


def silent_at(value: Conditioning | Guider, share: float) -> bool:
    """Tell whether a value says nothing at a share, by asking it."""
    try:
        value.at(share)
    except ValueError as error:
        if "says nothing" in str(error):
            return True
        raise
    return False


PLAIN = Made(A, {"family": "tiny", "batch": 1})


def _ranged(inner: st.SearchStrategy[Made]) -> st.SearchStrategy[Made]:
    ranges = st.tuples(TENTHS, TENTHS).filter(lambda pair: pair[0] < pair[1])
    alone = st.builds(
        lambda it, pair: made(composing.between, conditioning=it, start=pair[0], end=pair[1]), inner, ranges
    )
    around = st.builds(
        lambda it, other, pair: made(composing.between, conditioning=it, otherwise=other, start=pair[0], end=pair[1]),
        inner,
        inner,
        ranges,
    )
    switched = st.builds(lambda one, two, at: made(composing.switch, first=one, then=two, at=at), inner, inner, TENTHS)
    several = st.lists(inner, min_size=1, max_size=3).map(lambda items: made(composing.combine, *items))
    return alone | around | switched | several | inner.map(lambda it: made(composing.area, conditioning=it, width=0.5))


prompts = st.recursive(st.just(PLAIN), _ranged, max_leaves=5)


@settings(max_examples=200)
@given(prompts)
def test_what_is_known_of_a_prompt_is_what_it_does(prompt: Made) -> None:
    silent = silences_of(prompt.facts)
    assert [silent_at(prompt.value, share) for share in MIDDLES] == [_covers(silent, share) for share in MIDDLES]


def _covers(spans: Spans, share: float) -> bool:
    return any(low <= share < high for low, high in spans)


MODEL = Made(model(), {"family": "tiny"})


@settings(max_examples=150)
@given(prompts, prompts, st.tuples(TENTHS, TENTHS).filter(lambda pair: pair[0] < pair[1]), TENTHS)
def test_what_is_known_of_a_guider_is_what_it_does(one: Made, two: Made, part: tuple[float, float], at: float) -> None:
    both = {"denoiser": MODEL, "positive": one, "negative": two}
    range_ = {"start": part[0], "end": part[1]}
    ranged = made(guiders.classifier_free, **both, scale=3.0, **range_)
    plain = made(guiders.none, denoiser=MODEL, positive=two)
    for guider in (
        ranged,
        plain,
        made(guiders.classifier_free, **both, scale=1.0, start=0.0, end=1.0),
        made(guiders.cfg_plus_plus, **both, scale=0.6),
        made(guiders.projected, **both),
        made(guiders.switch, first=ranged, then=plain, at=at),
        made(guiders.clip, guider=ranged, low=-1.0, high=1.0),
    ):
        silent = silences_of(guider.facts)
        assert [silent_at(guider.value, share) for share in MIDDLES] == [_covers(silent, share) for share in MIDDLES]


def test_what_is_wired_and_not_known_is_not_refused() -> None:
    early = made(composing.between, conditioning=PLAIN, start=0.0, end=0.4).facts
    late = made(composing.between, conditioning=PLAIN, start=0.6, end=1.0).facts

    def infer(node: Any, settings: dict[str, Any], **inputs: Facts) -> Spans:
        spec = spec_of(node)
        assert spec.infer is not None
        (facts,) = spec.infer(Known(inputs, {}, settings, lambda _, name: Path(name))).values()
        return silences_of(facts)

    assert infer(composing.between, {"start": 0.5}, conditioning=PLAIN.facts) == ()
    assert infer(composing.between, {"end": 0.5}, conditioning=early) == ((0.4, 1.0),)
    assert infer(composing.switch, {}, first=early, then=late) == ((0.4, 0.6),)
    assert infer(composing.between, {"start": 0.1, "end": 0.9}, conditioning={}) == ((0.0, 0.1), (0.9, 1.0))
    assert infer(guiders.switch, {}, first=early, then=late) == ((0.4, 0.6),)
    wanted = {"denoiser": MODEL.facts, "positive": PLAIN.facts, "negative": early}
    assert infer(guiders.classifier_free, {"scale": 3.0, "end": 0.5}, **wanted) == ()
    assert infer(guiders.classifier_free, {"scale": 3.0, "start": 0.0, "end": 0.5}, **wanted) == ((0.4, 0.5),)


def schedule(start: int, stop: int, length: int) -> Facts:
    return {"start": start, "steps": stop - start, "length": length}


def test_a_step_in_a_silence_is_refused_and_no_other() -> None:
    guider = silent_facts(((0.2, 0.4), (0.9, 1.0)))
    message = "says nothing at 0.2 of the schedule: from 0.2 to 0.4 none of a prompt's parts acts, in 2 of the 8 steps"
    with pytest.raises(Refusal, match=message):
        check_spoken(guider, schedule(1, 9, 10))
    with pytest.raises(Refusal, match=r"says nothing at 0\.9 of the schedule"):
        check_spoken(guider, schedule(4, 10, 10))
    check_spoken(guider, schedule(4, 9, 10))
    check_spoken(guider, schedule(0, 2, 10))
    check_spoken(silent_facts(((0.3, 0.45),)), schedule(0, 4, 4))
    check_spoken(guider, {"start": 0, "length": 10})
    check_spoken({}, schedule(0, 10, 10))


def test_a_fork_is_silent_where_the_guider_whose_turn_it_is_is() -> None:
    early, late = silent_facts(((0.0, 0.5),)), silent_facts(((0.5, 1.0),))
    spec = spec_of(sampling.fork)
    assert spec.infer is not None

    def check(first: Facts, then: Facts, step: int, part: Facts) -> None:
        inputs = {"guider": first, "then": then, "schedule": part}
        spec.infer(Known(inputs, {}, {"step": step}, lambda _, name: Path(name)))  # type: ignore[misc]

    check(late, early, 5, schedule(0, 10, 10))
    check(late, early, 2, schedule(3, 10, 10))
    with pytest.raises(Refusal, match=r"says nothing at 0\.4"):
        check(late, early, 4, schedule(0, 10, 10))
    with pytest.raises(Refusal, match=r"says nothing at 0\.5"):
        check(late, early, 6, schedule(0, 10, 10))


def test_parts_of_a_schedule_are_joined_and_cut() -> None:
    assert joined(((0.5, 0.7),), ((0.1, 0.2), (0.6, 0.8)), ((0.2, 0.3),)) == ((0.1, 0.3), (0.5, 0.8))
    assert common(((0.1, 0.6),), ((0.0, 0.2), (0.5, 1.0))) == ((0.1, 0.2), (0.5, 0.6))
    assert common(ALL, ALL) == ALL
    assert within(((0.1, 0.3), (0.5, 0.8)), 0.2, 0.5) == ((0.2, 0.3),)
