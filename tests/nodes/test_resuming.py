"""Going on from kept states: bit for bit as if never stopped, from as far as what is asked for is the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nodes.resuming_kit import Shelf, Tint, codec
from nodes.sampling_oracles import FORMAT, PATHS, RandomNetwork, handle
from nodes.test_driver import ALL
from nodes.test_sampling_pack import Room
from torch import Tensor

from graphgen import Context, Refusal, ResourceError
from graphgen.codec import Encoded
from graphgen.errors import Cancelled
from graphgen_nodes.packs import guiders, sampling, schedules
from graphgen_nodes.sampling.options import DDPM, LMS, DPMpp2M, DPMppSDE, Euler, EulerAncestral, UniPC
from graphgen_nodes.sampling.phases import Phase, Sampling, phases_of, unchanged
from graphgen_nodes.sampling.resuming import begin_of, due_steps, step_keys
from graphgen_nodes.sockets import (
    Conditioning,
    Denoiser,
    Guider,
    Latent,
    Noise,
    Patch,
    Sampler,
    SamplerState,
    Schedule,
    TextConditioning,
)

Make = Callable[..., Schedule]
STEPS = 6
SHAPE = (2, 4, 6, 6)


def words(value: float) -> Conditioning:
    return TextConditioning("tiny", torch.full((1, 3, 8), value))


def model(kind: str = "preserving", *patches: Patch) -> Denoiser:
    return handle(PATHS[kind], "flow" if kind == "flow" else "epsilon", patches=patches)


A, B, C = words(0.1), words(-0.4), words(0.7)


def guide(kind: str = "preserving", positive: Conditioning = A, **changes: Any) -> Guider:
    """Return guidance on a path."""
    return guiders.classifier_free(model(kind), positive, B, **{"scale": 2.0, "rescale": 0.5, **changes})


def draw(
    shelf: Shelf,
    guider: Guider,
    sampler: Sampler = EulerAncestral(),  # noqa: B008 - frozen
    schedule: Schedule | None = None,
    *,
    seed: int = 5,
    fork: tuple[Guider, int] | None = None,
    **changes: Any,
) -> tuple[Tensor, Tensor]:
    """Sample by the nodes; return both results."""
    schedule = schedule or schedules.default(guider.denoiser, steps=STEPS)
    latent = Latent(torch.linspace(-1, 1, 288).reshape(SHAPE), FORMAT)
    given: dict[str, Any] = {"keep_every": 2, "preview": False, **changes}
    common = (sampler, schedule, Noise(seed), latent)
    if fork:
        found = sampling.fork(Context(shelf), guider, fork[0], *common, step=fork[1], **given)
    else:
        found = sampling.sample(Context(shelf), guider, *common, **given)
    return found.latent.samples, found.denoised.samples


def same(one: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor]) -> bool:
    """Tell whether two results agree to the last bit."""
    return all(torch.equal(a.view(torch.int32), b.view(torch.int32)) for a, b in zip(one, other, strict=True))


# --- bit for bit ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", list(PATHS))
@pytest.mark.parametrize("sampler", ALL, ids=repr)
def test_stopped_after_any_step_it_goes_on_bit_for_bit(sampler: Sampler, kind: str) -> None:
    whole = draw(Shelf(), guide(kind), sampler, keep_every=0)
    counted = Shelf()
    draw(counted, guide(kind), sampler)
    for calls in range(1, counted.calls):
        stopped = Shelf(cancel_after=calls)
        with pytest.raises(Cancelled):
            draw(stopped, guide(kind), sampler)
        rest = Shelf(stopped.kept)
        assert same(draw(rest, guide(kind), sampler), whole)
        assert rest.logged == [f"goes on from {stopped.words[-1]}"]
        assert stopped.calls + rest.calls == counted.calls


def test_learned_variances_are_kept_too() -> None:
    whole, shelf = draw(_learned(Shelf()), guide(), DDPM("learned"), keep_every=0), _learned(Shelf())
    draw(shelf, guide(end=0.7), DDPM("learned"), keep_every=1)
    again = _learned(Shelf(shelf.kept))
    assert not same(draw(again, guide(), DDPM("learned")), draw(Shelf(), guide()))
    assert same(draw(_learned(Shelf(shelf.kept)), guide(), DDPM("learned")), whole)


def _learned(shelf: Shelf) -> Shelf:
    shelf.network = RandomNetwork(2, out=8)
    return shelf


SHARED: dict[str, dict[tuple[str, str], Encoded]] = {}
"""What all examples of one path kept."""

some_guider = st.builds(
    guide,
    st.just("preserving"),
    st.sampled_from([A, C]),
    scale=st.sampled_from([1.0, 2.0, 3.0]),
    rescale=st.sampled_from([0.0, 0.5]),
    start=st.sampled_from([0.0, 0.2, 1 / 3]),
    end=st.sampled_from([0.5, 0.8, 1.0]),
)
some_tinted = st.builds(
    lambda end, strength: guiders.none(model("preserving", Tint(strength, 0.1, end)), A),
    st.sampled_from([0.5, 0.7, 1.0]),
    st.sampled_from([0.1, 0.2]),
)

some_beyond_a_step = st.builds(
    lambda scale, momentum: guiders.projected(model(), A, B, scale=scale, momentum=momentum),
    st.sampled_from([2.0, 3.0]),
    st.sampled_from([-0.5, 0.3]),
) | st.builds(lambda scale: guiders.cfg_plus_plus(model(), A, B, scale=scale), st.sampled_from([0.6, 1.0]))


@settings(max_examples=150)
@given(
    st.recursive(
        some_guider | some_tinted | some_beyond_a_step,
        lambda inner: st.builds(
            lambda a, b, at: guiders.switch(a, b, at=at), inner, inner, st.sampled_from([0.3, 0.5])
        ),
        max_leaves=3,
    ),
    st.sampled_from([Euler(), EulerAncestral(), DPMppSDE(), LMS(), UniPC(order=3), DPMpp2M()]),
    st.sampled_from([(0.0, 1.0), (0.0, 0.5), (0.0, 0.9), (0.4, 1.0), (0.4, 0.8)]),
    st.sampled_from([STEPS, STEPS + 1]),
    st.sampled_from(
        [
            schedules.default,
            schedules.uniform,
            schedules.karras,
            partial(schedules.karras, rounding="nearest"),
        ]
    ),
    st.fixed_dictionaries(
        {
            "keep_every": st.sampled_from([1, 2, 4]),
            "add_noise": st.booleans(),
            "batch_limit": st.sampled_from([0, 1]),
            "seed": st.sampled_from([5, 6]),
        }
    ),
)
def test_runs_that_share_their_states_never_spoil_each_other(
    guider: Guider, sampler: Sampler, part: tuple[float, float], steps: int, make: Make, given: dict[str, Any]
) -> None:
    """Whatever other runs left, a run gives what it gives alone."""
    schedule = schedules.slice(make(guider.denoiser, steps=steps), start=part[0], end=part[1])
    alone = draw(Shelf(), guider, sampler, schedule, **{**given, "keep_every": 0})
    shared = Shelf(SHARED.setdefault("all", {}))
    assert same(draw(shared, guider, sampler, schedule, **given), alone)


# --- the tail alone ---------------------------------------------------------------------------------------------------


def tail(first: Guider, second: Guider, **changes: Any) -> tuple[int, list[str]]:
    """Run one after the other; return how often the second one asked the network, and what it said."""
    earlier = Shelf()
    draw(earlier, first, Euler(), keep_every=changes.pop("first_keeps", 4), schedule=changes.pop("first_on", None))
    later = Shelf(earlier.kept)
    schedule = changes.pop("schedule", None)
    found = draw(later, second, Euler(), schedule, **changes)
    assert same(found, draw(Shelf(), second, Euler(), schedule, **{**changes, "keep_every": 0}))
    return later.calls, later.logged


def ten(end: float = 1.0) -> Schedule:
    return schedules.slice(schedules.default(model(), steps=10), end=end)


def test_a_later_end_computes_only_what_comes_after_the_earlier_one() -> None:
    assert tail(guide(), guide(), first_on=ten(0.7), schedule=ten()) == (3, ["goes on from step 7 of 10"])


def test_other_guidance_at_the_end_computes_only_the_end() -> None:
    assert tail(guide(end=0.8), guide(end=0.9), first_on=ten(), schedule=ten()) == (2, ["goes on from step 8 of 10"])
    assert tail(guide(), guide(end=0.9), first_on=ten(), schedule=ten(), first_keeps=3)[0] == 1
    first, last = guide(), guiders.none(model(), C)
    switched = (guiders.switch(first, last, at=0.6), guiders.switch(first, guide(scale=4.0), at=0.6))
    assert tail(*switched, first_on=ten(), schedule=ten()) == (4, ["goes on from step 6 of 10"])


def test_a_patch_that_ends_later_computes_only_the_steps_from_its_earlier_end() -> None:
    """A ControlNet switched off at 0.9 instead of 0.8."""
    until = [guiders.none(model("preserving", Tint(0.5, end=end)), A) for end in (0.8, 0.9)]
    assert tail(*until, first_on=ten(), schedule=ten()) == (2, ["goes on from step 8 of 10"])


def test_a_patch_is_leased_only_while_it_acts() -> None:
    shelf, tint = Shelf(), Tint(0.5, 0.2, 0.8)
    draw(shelf, guiders.none(model("preserving", tint), A), Euler(), ten())
    assert [getattr(handle, "patches", ()) for handle in shelf.leased] == [(), (Tint(0.5),), ()]
    shelf = Shelf()
    draw(shelf, guide(end=0.5), Euler(), ten())
    assert len(shelf.leased) == 1, "guidance that ends leaves the network leased"


def test_a_method_that_looks_ahead_shares_slices_alone() -> None:
    schedule = schedules.default(model(), steps=6)
    longer = replace(schedule, sigmas=(*schedule.sigmas[:-1], 0.02, 0.0), timesteps=(*schedule.timesteps, 0.5))
    for sampler, calls in ((Euler(), 3), (UniPC(), 7)):
        shelf = Shelf()
        draw(shelf, guide(), sampler, replace(schedule, stop=4))
        rest = Shelf(shelf.kept)
        assert same(draw(rest, guide(), sampler, longer), draw(Shelf(), guide(), sampler, longer, keep_every=0))
        assert rest.calls == calls
        rest = Shelf(shelf.kept)
        draw(rest, guide(), sampler, schedule)
        assert rest.calls == 2


@pytest.mark.parametrize("numbers", ["sigmas", "timesteps"])
def test_keys_part_where_the_network_first_looks_at_another_level(numbers: str) -> None:
    schedule = schedules.default(model(), steps=6)
    values = list(getattr(schedule, numbers))
    values[3] *= 1.01
    changes: dict[str, Any] = {numbers: tuple(values)}
    one, other = (
        step_keys(lambda value: codec().encode(value).digest, ("begin",), it, [Phase(guide(), 0, 6)])
        for it in (schedule, replace(schedule, **changes))
    )
    assert [one[step] == other[step] for step in range(1, 7)] == [True, True, False, False, False, False]


def test_the_first_key_is_of_all_that_a_run_begins_with() -> None:
    schedule, latent = ten(), Latent(torch.zeros(SHAPE), FORMAT)
    run = Sampling(Euler(), schedule, Noise(5), latent)
    others = [
        replace(run, sampler=EulerAncestral()),
        replace(run, sampler=EulerAncestral(eta=0.5)),
        replace(run, noise=Noise(5, first=1)),
        replace(run, latent=Latent(torch.ones(SHAPE), FORMAT)),
        replace(run, latent=Latent(torch.zeros(1, *SHAPE[1:]), FORMAT)),
        replace(run, add_noise=False),
        replace(run, batch_limit=1),
        *(replace(run, schedule=replace(schedule, **change)) for change in CHANGED_BEGINNINGS),
    ]
    digests = [codec().encode(begin_of(one)).digest for one in (run, *others)]
    assert len(set(digests)) == len(digests)
    later = replace(run, schedule=replace(schedule, stop=5))
    assert codec().encode(begin_of(later)).digest == digests[0], "where it ends is not among it"


CHANGED_BEGINNINGS: tuple[dict[str, Any], ...] = (
    {"start": 1},
    {"noise_scale": 3.0},
    {"path": PATHS["exploding"]},
    {"sigmas": tuple(sigma * 1.01 for sigma in ten().sigmas)},
)


# --- forks ------------------------------------------------------------------------------------------------------------


def test_a_fork_shares_the_steps_before_it() -> None:
    shelf, other = Shelf(), guide(positive=C)
    straight = draw(shelf, guide(), schedule=ten(), keep_every=4)
    first = Shelf(shelf.kept)
    forked = draw(first, guide(), schedule=ten(), fork=(other, 6))
    assert (first.calls, first.logged) == (6, ["goes on from step 4 of 10"])
    assert not same(forked, straight)
    assert same(forked, draw(Shelf(), guiders.switch(guide(), other, at=0.6), schedule=ten(), keep_every=0))
    second = Shelf(first.kept)
    draw(second, guide(), schedule=ten(), fork=(guiders.none(model(), C), 6))
    assert (second.calls, second.logged) == (4, ["goes on from step 6 of 10"]), "the fork's own beginning is kept"


def test_a_fork_of_a_slice_counts_its_own_steps() -> None:
    part, shelf = schedules.slice(ten(), start=0.3), Shelf()
    draw(shelf, guide(), schedule=part, fork=(guide(positive=C), 2))
    assert shelf.words == ["step 2 of 7", "step 4 of 7", "step 6 of 7"]
    with pytest.raises(Refusal, match="is 7, but the schedule has 7 steps, so that none is left to go on with"):
        draw(Shelf(), guide(), schedule=part, fork=(guide(), 7))


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_states_are_kept_every_so_many_steps_and_where_something_changes() -> None:
    phase = Phase(guide(), 0, 10)
    assert due_steps(ten(), [phase], 4) == {4, 8}
    assert due_steps(ten(0.5), [replace(phase, stop=5)], 4) == {4, 5}
    assert due_steps(ten(), phases_of(guide(end=0.75), ten()), 5) == {5, 8}
    assert due_steps(schedules.slice(ten(), start=0.35), [replace(phase, start=4)], 4) == {8}


def test_nothing_is_kept_or_looked_for_when_it_is_turned_off() -> None:
    shelf = Shelf()
    draw(shelf, guide(), keep_every=0)
    assert shelf.kept == {}
    assert draw(Room(), guide())[0].shape == SHAPE, "an engine that keeps nothing is not asked"  # type: ignore[arg-type]


def test_what_is_kept_under_a_key_is_looked_at_before_it_is_used() -> None:
    shelf = Shelf()
    whole = draw(shelf, guide())
    for key, strange in zip(list(shelf.kept), (3, SamplerState(torch.zeros(SHAPE), 1)), strict=True):
        shelf.remember(key[0], strange, key[1], "")
    again = Shelf(shelf.kept)
    assert same(draw(again, guide()), whole)
    assert again.logged == []


def test_a_network_that_fails_costs_one_step() -> None:
    class Failing(RandomNetwork):
        def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning = A) -> Tensor:
            if len(self.calls) == 4:
                raise ResourceError("out of memory")
            return super().__call__(x, timestep, conditioning)

    shelf = Shelf()
    shelf.network = Failing(2)
    with pytest.raises(ResourceError):
        draw(shelf, guide())
    rest = Shelf(shelf.kept)
    draw(rest, guide())
    assert rest.logged == ["goes on from step 4 of 6"]


def test_values_are_compared_without_looking_into_tensors() -> None:
    assert unchanged(guide(), guide()), "the same conditionings"
    assert not unchanged(guide(), guide(positive=words(0.1)))
    assert not unchanged(guide(), guide(scale=2.5))
    assert not unchanged((1, 2), (1, 2, 3))
    assert not unchanged(1, 1.0)
    assert not unchanged([1], [1]), "what cannot be told is taken as different"


def test_a_range_without_a_step_is_refused() -> None:
    with pytest.raises(ValueError, match="start must be less than the end"):
        guide(start=0.5, end=0.5)
