"""Guidance that reaches beyond one prediction: APG's momentum, and the noise that CFG++ carries along.

Each is written down again as a bare loop over the network, as its paper has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from typing import Any

import pytest
import torch
from nodes.resuming_kit import Shelf
from nodes.sampling_oracles import PATHS, SHAPE, RandomNetwork, relative, same_state
from nodes.test_resuming import A, B, C, draw, guide, model, same, ten
from torch import Tensor

from graphgen.errors import Cancelled
from graphgen_nodes.packs import guiders
from graphgen_nodes.sampling import options, schedules
from graphgen_nodes.sampling.denoiser import NetworkDenoiser
from graphgen_nodes.sampling.driver import begin, sample, trajectory
from graphgen_nodes.sampling.guidance import guided, together
from graphgen_nodes.sampling.guiders import ProjectedGuidance
from graphgen_nodes.sampling.inverting import unstep
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.protocols import Guided
from graphgen_nodes.sockets import Conditioning, Guider, Noise, Path, Sampler, SamplerState, Schedule

STEPS = 7
on_paths = pytest.mark.parametrize("kind", list(PATHS))


def asked(guider: Guider, schedule: Schedule) -> Guided:
    """Return the guided denoiser of a guider that does not change on the way."""
    acting = guider.at(0.0)
    denoisers = [NetworkDenoiser(RandomNetwork(2), handle, schedule) for handle in acting.denoisers]
    return guided(together(denoisers), acting.guidance())


def ends(guider: Guider, sampler: Sampler, schedule: Schedule) -> Tensor:
    """Return x at the end of a run from draw 0."""
    noise = NoiseSource(Noise(3), SHAPE, schedule.path)
    return sample(asked(guider, schedule), sampler, schedule, noise, torch.zeros(SHAPE)).x


def predictions(path: Path, schedule: Schedule, kind: str) -> Callable[[Tensor, float], tuple[Tensor, Tensor]]:
    """Return a function to the clean samples that a network predicts for A and B."""
    denoiser = NetworkDenoiser(RandomNetwork(2), model(kind), schedule)
    assert denoiser.handle.path == path

    def predict(x: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
        positive, negative = denoiser(x, sigma, [A, B])
        return positive.denoised, negative.denoised

    return predict


# --- momentum ---------------------------------------------------------------------------------------------------------


def apg(kind: str = "preserving", positive: Conditioning = A, **changes: Any) -> Guider:
    """Return projected guidance with momentum."""
    return guiders.projected(
        model(kind), positive, B, **{"scale": 6.0, "parallel": 0.2, "most": 3.0, "momentum": -0.6, **changes}
    )


@on_paths
@pytest.mark.parametrize("most", [0.0, 3.0])
def test_momentum_is_that_of_diffusers(kind: str, most: float) -> None:
    from diffusers.guiders.adaptive_projected_guidance import MomentumBuffer, normalized_guidance

    path = PATHS[kind]
    schedule = schedules.default(path, STEPS)
    predict, buffer = predictions(path, schedule, kind), MomentumBuffer(-0.6)
    x = begin(options.Euler(), schedule, NoiseSource(Noise(3), SHAPE, path), torch.zeros(SHAPE)).x
    for s, t in pairwise(schedule.sigmas):
        denoised = normalized_guidance(*predict(x, s), 5.0, buffer, 0.2, most, use_original_formulation=True)
        x = path.alpha(t) * denoised + t * (x - path.alpha(s) * denoised) / s
    assert relative(ends(apg(kind, most=most), options.Euler(), schedule), x) < 1e-5
    without = ends(apg(kind, most=most, momentum=0.0), options.Euler(), schedule)
    assert relative(without, x) > 1e-3


def test_each_look_of_a_step_hands_on_what_it_left() -> None:
    """Heun's two looks a step are two updates; what the last left is in the state."""
    schedule = schedules.default(PATHS["preserving"], STEPS)
    noise = NoiseSource(Noise(3), SHAPE, schedule.path)
    denoise, seen = asked(apg(), schedule), []

    def watched(x: Tensor, sigma: float, memory: Tensor | None = None) -> Any:
        found = denoise(x, sigma, memory)
        seen.append((memory, found.memory))
        return found

    first = begin(options.Heun(), schedule, noise, torch.zeros(SHAPE))
    states = [first, *trajectory(watched, options.Heun(), schedule, noise, first)]
    assert len(seen) == 2 * STEPS - 1
    assert seen[0][0] is None
    assert all(left is given for (_, left), (given, _) in pairwise(seen))
    assert [state.memory for state in states[1:]] == [left for _, left in seen[1::2]] + [seen[-1][1]]


MOMENTOUS = (options.Euler(), options.Heun(), options.DPMppSDE(), options.UniPC(), options.Restart())


@pytest.mark.parametrize("sampler", MOMENTOUS, ids=repr)
def test_a_run_with_momentum_goes_on_bit_for_bit_from_any_step(sampler: Sampler) -> None:
    whole = draw(Shelf(), apg(), sampler, keep_every=0)
    counted = Shelf()
    draw(counted, apg(), sampler)
    for calls in range(1, counted.calls):
        stopped = Shelf(cancel_after=calls)
        with pytest.raises(Cancelled):
            draw(stopped, apg(), sampler)
        rest = Shelf(stopped.kept)
        assert same(draw(rest, apg(), sampler), whole)
        assert stopped.calls + rest.calls == counted.calls


@pytest.mark.parametrize(
    "then",
    [apg(positive=C), guide(), guiders.perturbed_attention(apg(scale=2.0), scale=0.5), guiders.clip(apg(), low=-0.3)],
    ids=lambda guider: type(guider).__name__,
)
def test_a_run_with_momentum_branches_bit_for_bit(then: Guider) -> None:
    """Another guider from step 4 on: from the kept state, and in one run."""
    earlier = Shelf()
    draw(earlier, apg(), options.Heun(), ten(), keep_every=4)
    later = Shelf(earlier.kept)
    forked = draw(later, apg(), options.Heun(), ten(), fork=(then, 4))
    assert later.logged == ["goes on from step 4 of 10"]
    assert same(forked, draw(Shelf(), guiders.switch(apg(), then, at=0.4), options.Heun(), ten(), keep_every=0))


def test_the_memory_is_among_what_is_kept() -> None:
    """Without it the rest of the run would be another."""
    schedule = ten()
    denoise, noise = asked(apg(), schedule), NoiseSource(Noise(3), SHAPE, schedule.path)
    half = sample(denoise, options.Euler(), replace(schedule, stop=5), noise, torch.zeros(SHAPE))
    whole = sample(denoise, options.Euler(), schedule, noise, torch.zeros(SHAPE), state=half)
    forgetful = sample(denoise, options.Euler(), schedule, noise, torch.zeros(SHAPE), state=replace(half, memory=None))
    assert half.memory is not None
    assert not same_state(whole, forgetful)


def test_guiders_around_hand_the_memory_on() -> None:
    schedule = schedules.default(PATHS["preserving"], STEPS)
    plain = ends(apg(), options.Euler(), schedule)
    assert torch.equal(ends(guiders.clip(apg(), low=-1000, high=1000), options.Euler(), schedule), plain)
    assert torch.equal(ends(guiders.autoguidance(apg(), model(), scale=1.0).at(0), options.Euler(), schedule), plain)
    weaker = guiders.autoguidance(apg(), model(), scale=2.0)
    assert relative(ends(weaker, options.Euler(), schedule), plain) < 1e-5, "the same model is no weaker"


def test_where_another_guider_acts_the_memory_is_lost() -> None:
    between = guiders.switch(apg(), guiders.switch(guide(), apg(), at=0.5), at=0.2)
    states = list(_states(between))
    assert [state.memory is None for state in states] == [False, False, True, True, True, *[False] * 5]


def _states(guider: Guider) -> Iterator[SamplerState]:
    schedule = ten()
    noise = NoiseSource(Noise(3), SHAPE, schedule.path)
    state = begin(options.Euler(), schedule, noise, torch.zeros(SHAPE))
    for step in schedule.steps:
        part = replace(schedule, start=step, stop=step + 1)
        (state,) = trajectory(asked(guider.at(step / 10), part), options.Euler(), part, noise, state)
        yield state


# --- CFG++ ------------------------------------------------------------------------------------------------------------


def plus_plus(kind: str = "preserving", scale: float = 0.6) -> Guider:
    """Return CFG++."""
    return guiders.cfg_plus_plus(model(kind), A, B, scale=scale)


@pytest.mark.parametrize("scale", [0.0, 0.6, 1.0, 1.5])
def test_it_is_algorithm_2_of_the_paper(scale: float) -> None:
    """In the paper's own variables: epsilons, and alpha_bar of the chain; the noise is the unconditional epsilon."""
    path, network = PATHS["preserving"], RandomNetwork(2)
    schedule = schedules.model(path, STEPS, final_sigma="zero")
    bars = [1 / (1 + sigma**2) for sigma in schedule.sigmas]
    x = NoiseSource(Noise(3), SHAPE, path).draw(0)
    for timestep, (bar, following) in zip(schedule.timesteps, pairwise(bars), strict=True):
        conditional, unconditional = (network(x, torch.tensor([timestep]), prompt) for prompt in (A, B))
        epsilon = unconditional + scale * (conditional - unconditional)
        clean = (x - sqrt(1 - bar) * epsilon) / sqrt(bar)
        x = sqrt(following) * clean + sqrt(1 - following) * unconditional
    for sampler in (options.DDIM(), options.Euler()):
        assert relative(ends(plus_plus(scale=scale), sampler, schedule), x) < 1e-5
    assert scale == 0 or relative(ends(guide(scale=scale, rescale=0.0), options.DDIM(), schedule), x) > 1e-3


@on_paths
def test_ancestral_steps_keep_a_part_of_the_unguided_noise(kind: str) -> None:
    path = PATHS[kind]
    schedule = schedules.default(path, STEPS)
    predict, noise = predictions(path, schedule, kind), NoiseSource(Noise(3), SHAPE, path)
    x = begin(options.Euler(), schedule, noise, torch.zeros(SHAPE)).x
    for k, (s, t) in enumerate(pairwise(schedule.sigmas)):
        positive, negative = predict(x, s)
        epsilon = (x - path.alpha(s) * negative) / s
        fresh = min(t, t / s * sqrt(max(s**2 - (path.alpha(s) * t / path.alpha(t)) ** 2, 0.0)))
        x = path.alpha(t) * (negative + 0.6 * (positive - negative)) + sqrt(t**2 - fresh**2) * epsilon
        x = x + fresh * noise.draw(k + 1)
    assert relative(ends(plus_plus(kind), options.EulerAncestral(), schedule), x) < 1e-5


@on_paths
def test_dpmpp_2m_extrapolates_the_guided_samples_beside_the_unguided_noise(kind: str) -> None:
    path = PATHS[kind]
    schedule = schedules.default(path, STEPS)
    predict, before, r = predictions(path, schedule, kind), None, 0.0
    x = begin(options.Euler(), schedule, NoiseSource(Noise(3), SHAPE, path), torch.zeros(SHAPE)).x
    lambdas = [path.lambda_(sigma) for sigma in schedule.sigmas]
    for k, (s, t) in enumerate(pairwise(schedule.sigmas)):
        positive, negative = predict(x, s)
        denoised = extrapolated = negative + 0.6 * (positive - negative)
        if before is not None and t > 0:
            r = (lambdas[k] - lambdas[k - 1]) / (lambdas[k + 1] - lambdas[k])
            extrapolated = denoised + (denoised - before) / (2 * r)
        decay = t * path.alpha(s) / (s * path.alpha(t))
        epsilon = (x - path.alpha(s) * negative) / s
        x = path.alpha(t) * (decay * denoised + (1 - decay) * extrapolated) + t * epsilon
        before = denoised
    assert relative(ends(plus_plus(kind), options.DPMpp2M(), schedule), x) < 1e-5


ONE_PROMPT = (*(kind() for kind in options.SAMPLERS), options.UniPC(order=3), options.DPM2(eta=1.0))


@on_paths
@pytest.mark.parametrize("sampler", ONE_PROMPT, ids=repr)
def test_with_one_prompt_for_both_it_is_no_guidance(sampler: Sampler, kind: str) -> None:
    schedule = schedules.default(PATHS[kind], STEPS)
    alike = guiders.cfg_plus_plus(model(kind), A, A, scale=0.7)
    assert relative(ends(alike, sampler, schedule), ends(guiders.none(model(kind), A), sampler, schedule)) < 1e-4


def test_a_corrector_leaves_the_unguided_noise_where_it_is() -> None:
    """UniC replaces the x that was looked at; what CFG++ adds to it comes on top."""
    path = PATHS["preserving"]
    s, t, end = 4.0, 1.0, 0.4
    schedule = Schedule((s, t, end), (path.timestep(s), path.timestep(t)), path)
    predict = predictions(path, schedule, "preserving")
    x = begin(options.Euler(), schedule, NoiseSource(Noise(3), SHAPE, path), torch.zeros(SHAPE)).x
    positive, negative = predict(x, s)
    first = negative + 0.6 * (positive - negative)
    moved = x + first - negative
    positive, negative = predict(t / s * moved + (1 - t / s) * first, t)
    second = negative + 0.6 * (positive - negative)
    corrected = t / s * moved + (1 - t / s) * (first + (second - first) / 2)
    last = end / t * (corrected + second - negative) + (1 - end / t) * second
    assert relative(ends(plus_plus(), options.UniPC(order=1), schedule), last) < 1e-5


@on_paths
def test_a_guider_around_changes_the_sample_and_not_the_noise(kind: str) -> None:
    path = PATHS[kind]
    schedule = schedules.default(path, STEPS)
    predict = predictions(path, schedule, kind)
    x = begin(options.Euler(), schedule, NoiseSource(Noise(3), SHAPE, path), torch.zeros(SHAPE)).x
    for s, t in pairwise(schedule.sigmas):
        positive, negative = predict(x, s)
        denoised = (negative + 0.6 * (positive - negative)).clamp(-0.4, 0.4)
        x = path.alpha(t) * denoised + t * (x - path.alpha(s) * negative) / s
    clipped = guiders.clip(plus_plus(kind), low=-0.4, high=0.4)
    assert relative(ends(clipped, options.DDIM(), schedule), x) < 1e-5


@pytest.mark.parametrize("sampler", [options.Euler(), options.UniPC(order=3), options.Heun()], ids=repr)
def test_a_run_with_cfg_plus_plus_goes_on_bit_for_bit(sampler: Sampler) -> None:
    whole = draw(Shelf(), plus_plus(), sampler, keep_every=0)
    stopped = Shelf(cancel_after=4)
    with pytest.raises(Cancelled):
        draw(stopped, plus_plus(), sampler)
    rest = Shelf(stopped.kept)
    assert same(draw(rest, plus_plus(), sampler), whole)
    assert rest.logged == [f"goes on from {stopped.words[-1]}"]


@on_paths
def test_a_step_taken_back_is_the_inverse_of_cfg_plus_plus(kind: str) -> None:
    path = PATHS[kind]
    schedule = schedules.default(path, STEPS)
    s, t = (0.5, 0.4) if kind == "flow" else (1.0, 0.8)
    denoise, x = asked(plus_plus(kind, 0.3), schedule), torch.linspace(-1, 1, 256).reshape(SHAPE)
    there = unstep(path, denoise, x, s, t, 60)
    predict = predictions(path, schedule, kind)
    positive, negative = predict(there, s)
    again = path.alpha(t) * (negative + 0.3 * (positive - negative)) + t * (there - path.alpha(s) * negative) / s
    torch.testing.assert_close(again, x, rtol=0, atol=1e-4)


def test_a_plain_guider_leaves_the_noise_and_remembers_nothing() -> None:
    schedule = schedules.default(PATHS["preserving"], STEPS)
    for guider in (guide(), apg(momentum=0.0), guiders.none(model(), A), guiders.zero_star(model(), A, B)):
        found = asked(guider, schedule)(torch.ones(SHAPE), schedule.sigmas[2])
        assert found.unguided is None
        assert found.memory is None
    assert isinstance(apg(), ProjectedGuidance)
