"""The driver: resuming, branching and slicing bit for bit, batches, progress and stopping."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from nodes.sampling_oracles import PATHS, RandomNetwork, handle, relative, same_state, unguided

from graphgen_nodes.sampling import options, schedules
from graphgen_nodes.sampling.denoiser import NetworkDenoiser
from graphgen_nodes.sampling.driver import begin, result, sample, trajectory
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.protocols import Guided, State
from graphgen_nodes.sockets import Noise, Sampler, Schedule

ALL = (*(kind() for kind in options.SAMPLERS), options.DDIM(eta=0.5), options.UniPC(order=3),
       options.DPMpp2MSDE(solver="heun"))  # fmt: skip
SHAPE = (2, 4, 6, 6)
STEPS = 9

every_sampler = pytest.mark.parametrize("sampler", ALL, ids=repr)
on_paths = pytest.mark.parametrize("kind", list(PATHS))
EXTRAPOLATE = options.LMS | options.PNDM | options.IPNDM | options.DEIS | options.GradientEstimation


def denoise_on(kind: str, schedule: Schedule) -> Guided:
    """Return a random network's denoiser on a path."""
    prediction = "flow" if kind == "flow" else "epsilon"
    return unguided(NetworkDenoiser(RandomNetwork(2), handle(PATHS[kind], prediction), schedule))  # type: ignore[arg-type]


def source(kind: str, shape: tuple[int, ...] = SHAPE, noise: Noise | None = None) -> NoiseSource:
    return NoiseSource(noise or Noise(8), shape, PATHS[kind])


def schedule_on(kind: str) -> Schedule:
    return schedules.default(PATHS[kind], STEPS)


@on_paths
@every_sampler
def test_a_run_resumed_at_any_step_is_the_same_bit_for_bit(sampler: Sampler, kind: str) -> None:
    schedule = schedule_on(kind)
    denoise = denoise_on(kind, schedule)
    latent = torch.zeros(SHAPE)
    first = begin(sampler, schedule, source(kind), latent)
    states = [first, *trajectory(denoise, sampler, schedule, source(kind), first)]
    assert [state.step for state in states] == list(range(STEPS + 1))
    for k in (1, 2, 5, STEPS - 1):
        again = sample(denoise, sampler, schedule, source(kind), latent, state=states[k])
        assert same_state(again, states[-1])


@on_paths
@every_sampler
def test_slices_run_one_after_the_other_make_the_whole_bit_for_bit(sampler: Sampler, kind: str) -> None:
    schedule = schedule_on(kind)
    denoise = denoise_on(kind, schedule)
    latent = torch.zeros(SHAPE)
    whole = sample(denoise, sampler, schedule, source(kind), latent)
    half = sample(denoise, sampler, schedules.cut(schedule, 0, 0.5), source(kind), latent)
    rest = sample(denoise, sampler, schedules.cut(schedule, 0.5, 1), source(kind), latent, state=half)
    assert half.step == 5
    assert same_state(rest, whole)


ONE_STEP = (options.Euler(), options.EulerAncestral(), options.Heun(), options.DPMppSDE(), options.DDIM(eta=0.5),
            options.DDPM(), options.LCM())  # fmt: skip


@on_paths
@pytest.mark.parametrize("sampler", ONE_STEP, ids=repr)
def test_a_latent_handed_from_slice_to_slice_goes_on_where_it_was(sampler: Sampler, kind: str) -> None:
    schedule = schedule_on(kind)
    denoise = denoise_on(kind, schedule)
    whole, _ = result(schedule, sample(denoise, sampler, schedule, source(kind), torch.zeros(SHAPE)))
    first = sample(denoise, sampler, schedules.cut(schedule, 0, 0.5), source(kind), torch.zeros(SHAPE))
    handed, _ = result(schedule, first)
    rest = schedules.cut(schedule, 0.5, 1)
    end, _ = result(rest, sample(denoise, sampler, rest, source(kind), handed, add_noise=False))
    assert relative(end, whole) < 1e-5


@on_paths
@every_sampler
def test_an_image_of_a_batch_is_its_single_run(sampler: Sampler, kind: str) -> None:
    schedule = schedule_on(kind)
    batch = sample(denoise_on(kind, schedule), sampler, schedule, source(kind, (3, 4, 6, 6)), torch.zeros(3, 4, 6, 6))
    alone = sample(
        denoise_on(kind, schedule),
        sampler,
        schedule,
        source(kind, (1, 4, 6, 6), Noise(8, first=2)),
        torch.zeros(1, 4, 6, 6),
    )
    assert relative(batch.x[2:], alone.x) < 1e-5


@on_paths
def test_a_run_branches_into_another_method(kind: str) -> None:
    schedule = schedule_on(kind)
    denoise = denoise_on(kind, schedule)
    half = sample(denoise, options.Euler(), schedules.cut(schedule, 0, 0.5), source(kind), torch.zeros(SHAPE))
    ends = [
        sample(denoise, sampler, schedule, source(kind), torch.zeros(SHAPE), state=half)
        for sampler in (options.Euler(), options.DPMpp2M(), options.UniPC())
    ]
    assert all(torch.isfinite(end.x).all() and end.step == STEPS for end in ends)
    assert not torch.equal(ends[0].x, ends[1].x)


@on_paths
def test_image_to_image_begins_at_the_noised_picture(kind: str) -> None:
    path, schedule = PATHS[kind], schedules.cut(schedule_on(kind), 0.6, 1)
    picture = torch.full(SHAPE, 2.0)
    state = begin(options.Euler(), schedule, source(kind), picture)
    sigma = schedule.sigmas[schedule.start]
    assert state.step == schedule.start
    assert torch.allclose(state.x, path.alpha(sigma) * picture + sigma * source(kind).draw(0))


def test_image_to_image_is_diffusers_add_noise() -> None:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    schedule = schedules.cut(schedule_on("preserving"), 0.5, 1)
    picture, noise = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1)), source("preserving")
    state = begin(options.DDIM(), schedule, noise, picture)
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    timestep = torch.tensor([int(schedule.timesteps[schedule.start])])
    reference = scheduler.add_noise(picture, noise.draw(0), timestep)
    assert relative(state.x * schedule.path.input_scale(schedule.sigmas[schedule.start]), reference) < 1e-5


def test_each_step_is_reported_and_what_is_raised_stops_the_run() -> None:
    schedule = schedules.cut(schedule_on("flow"), 0.3, 1)
    denoise = denoise_on("flow", schedule)
    seen: list[tuple[int, int, int]] = []

    def watch(state: State, done: int, total: int) -> None:
        seen.append((state.step, done, total))
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(denoise, options.Euler(), schedule, source("flow"), torch.zeros(SHAPE), on_step=watch)
    assert seen == [(4, 1, 6), (5, 2, 6), (6, 3, 6)]


@on_paths
def test_a_full_run_begins_at_the_schedule_s_own_scale(kind: str) -> None:
    schedule = schedule_on(kind)
    usual = begin(options.Euler(), schedule, source(kind), torch.zeros(SHAPE))
    assert float(usual.x.std()) == pytest.approx(PATHS[kind].noise_scale(schedule.sigmas[0]), rel=0.1)
    own = begin(options.Euler(), replace(schedule, noise_scale=3.0), source(kind), torch.zeros(SHAPE))
    assert torch.allclose(own.x, 3 * source(kind).draw(0))


@every_sampler
def test_the_last_prediction_is_kept_for_previews(sampler: Sampler) -> None:
    schedule = schedule_on("preserving")
    end = sample(denoise_on("preserving", schedule), sampler, schedule, source("preserving"), torch.zeros(SHAPE))
    latent, denoised = result(schedule, end)
    assert latent.shape == denoised.shape == SHAPE
    if not isinstance(sampler, EXTRAPOLATE | options.LCM):
        assert relative(denoised, latent) < 1e-5  # the step to sigma 0 goes to the denoised sample
