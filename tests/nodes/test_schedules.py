"""Schedules: the levels diffusers visits, the laws all schedules keep, and slices."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given
from hypothesis import strategies as st

from graphgen_nodes.families import usual_schedule
from graphgen_nodes.sampling import schedules, spacings
from graphgen_nodes.sampling.paths import Flow, Path, SizedFlow, VarianceExploding, VariancePreserving
from graphgen_nodes.sampling.quantiles import beta_quantile
from graphgen_nodes.sockets import Schedule

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in diffusers

CHAIN = VariancePreserving()
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PATHS = (CHAIN, VarianceExploding(), Flow(), Flow(shift=3.0))
MAKERS = (schedules.karras, schedules.exponential, schedules.uniform, schedules.default, spacings.beta,
          spacings.linear_quadratic, spacings.kl_optimal)  # fmt: skip
made = st.builds(
    lambda maker, path, steps: maker(path, steps), st.sampled_from(MAKERS), st.sampled_from(PATHS), st.integers(1, 60)
)


def assert_same(schedule: Schedule, scheduler: Any, *, atol: float = 2e-3) -> None:
    np.testing.assert_allclose(schedule.sigmas, scheduler.sigmas.double().numpy(), rtol=2e-5)
    np.testing.assert_allclose(schedule.timesteps, scheduler.timesteps.double().numpy(), atol=atol)


@pytest.mark.parametrize("steps", [1, 2, 7, 20, 50])
@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
def test_spacings_are_those_of_diffusers_euler(spacing: Any, steps: int) -> None:
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    if spacing == "linspace" and steps == 1:
        pytest.skip("diffusers takes the cleanest timestep, which makes nothing of noise")
    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing=spacing, steps_offset=1)
    scheduler.set_timesteps(steps)
    begin = "path" if spacing == "leading" else "sigma"
    ours = schedules.model(CHAIN, steps, spacing=spacing, rounding="none", initial_noise=begin)  # type: ignore[arg-type]
    assert_same(ours, scheduler)
    scale = ours.path.noise_scale(ours.sigmas[0]) if ours.noise_scale is None else ours.noise_scale
    assert scale == pytest.approx(float(scheduler.init_noise_sigma), rel=1e-5)


@pytest.mark.parametrize("final", ["zero", "sigma_min"])
@pytest.mark.parametrize("steps", [1, 7, 20, 50])
@pytest.mark.parametrize("spacing", ["leading", "linspace", "trailing"])
def test_spacings_are_those_of_diffusers_dpm_solver(spacing: Any, steps: int, final: Any) -> None:
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    scheduler = DPMSolverMultistepScheduler(**BETAS, timestep_spacing=spacing, steps_offset=1, final_sigmas_type=final)
    scheduler.set_timesteps(steps)
    assert_same(schedules.model(CHAIN, steps, spacing=spacing, drop_last=True, final_sigma=final), scheduler)


@pytest.mark.parametrize("steps", [1, 4, 8, 50])
def test_distilled_timesteps_are_those_of_diffusers_lcm(steps: int) -> None:
    from diffusers.schedulers.scheduling_lcm import LCMScheduler

    scheduler = LCMScheduler(**BETAS)
    scheduler.set_timesteps(steps)
    assert schedules.model(CHAIN, steps, spacing="distilled").timesteps == tuple(scheduler.timesteps.tolist())


@pytest.mark.parametrize("kind", ["karras", "exponential"])
@pytest.mark.parametrize("steps", [2, 10, 30])
def test_karras_and_exponential_are_those_of_diffusers(kind: str, steps: int) -> None:
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(**BETAS, **{f"use_{kind}_sigmas": True})
    scheduler.set_timesteps(steps)
    assert_same(getattr(schedules, kind)(CHAIN, steps), scheduler, atol=5e-3)


@pytest.mark.parametrize("shift", [1.0, 1.73, 3.0])
@pytest.mark.parametrize("steps", [1, 4, 28])
def test_flow_is_diffusers_with_the_shift_applied_twice(shift: float, steps: int) -> None:
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
    scheduler.set_timesteps(steps)
    assert_same(schedules.flow(Flow(shift), steps), scheduler)
    assert_same(schedules.flow(Flow(), steps, shift=shift), scheduler)


@pytest.mark.parametrize("steps", [1, 4, 28])
@pytest.mark.parametrize("tokens", [256, 1000, 4096])
def test_flux_takes_the_steps_that_its_pipeline_passes(tokens: int, steps: int) -> None:
    """Shift once, by the picture's size, what is evenly spaced over 1 to 0; without dynamic shifting, not at all."""
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift=3.0)
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=calculate_shift(tokens))
    assert_same(usual_schedule("flux", SizedFlow(), steps, cells=4 * tokens), scheduler)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    scheduler.set_timesteps(sigmas=np.linspace(1, 1 / steps, steps), mu=calculate_shift(tokens))
    assert_same(usual_schedule("flux", Flow(), steps), scheduler)


def test_training_levels_of_a_sized_flow_are_shifted_once() -> None:
    """Leave the range unshifted, as diffusers does where the shift comes later, unlike where it is fixed."""
    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)
    scheduler.set_timesteps(6, mu=1.15)
    assert_same(schedules.flow(SizedFlow(), 6, cells=4 * 4096), scheduler)


def test_a_sized_flow_is_uniform_over_its_own_shift() -> None:
    found = schedules.uniform(SizedFlow(), 4, cells=4 * 4096)
    assert found.sigmas == usual_schedule("flux", SizedFlow(), 4, cells=4 * 4096).sigmas
    assert found.path == SizedFlow()


# --- spacings of papers and releases ---------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [1, 2, 10, 30])
def test_beta_over_sigma_is_diffusers(steps: int) -> None:
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(**BETAS, use_beta_sigmas=True)
    scheduler.set_timesteps(steps)
    if steps == 1:
        assert spacings.beta(CHAIN, 1, over="sigma").sigmas == (CHAIN.sigma_max, 0.0)
    else:
        assert_same(spacings.beta(CHAIN, steps, over="sigma"), scheduler, atol=5e-3)


@given(st.floats(0.2, 5), st.floats(0.2, 5), st.integers(1, 40))
def test_beta_over_levels_puts_timesteps_at_the_quantiles(alpha: float, beta: float, steps: int) -> None:
    shares = scipy.stats.beta.ppf(1 - np.arange(steps) / steps, alpha, beta)
    assume(np.all(np.diff(shares) < -1e-9) and shares[-1] > 1e-9)
    ours = spacings.beta(CHAIN, steps, alpha=alpha, beta=beta)
    np.testing.assert_allclose(ours.timesteps, shares * 999, atol=1e-6)
    np.testing.assert_allclose(spacings.beta(Flow(), steps, alpha=alpha, beta=beta).sigmas[:-1], shares, atol=1e-9)


@given(st.floats(0.001, 0.999), st.floats(0.3, 20), st.floats(0.3, 20))
def test_quantiles_are_scipy_s(probability: float, a: float, b: float) -> None:
    assert beta_quantile(probability, a, b) == pytest.approx(scipy.stats.beta.ppf(probability, a, b), abs=1e-9)


@pytest.mark.parametrize("steps", [2, 5, 30, 64])
def test_linear_quadratic_is_that_of_mochi(steps: int) -> None:
    from diffusers.pipelines.mochi.pipeline_mochi import linear_quadratic_schedule

    theirs = linear_quadratic_schedule(steps, 0.025)
    np.testing.assert_allclose(spacings.linear_quadratic(Flow(), steps).sigmas, [*theirs, 0.0], atol=1e-12)
    scaled = [CHAIN.sigma_max * sigma for sigma in theirs]
    np.testing.assert_allclose(spacings.linear_quadratic(CHAIN, steps).sigmas[:-1], scaled, rtol=1e-12)


@pytest.mark.parametrize("path", [*PATHS, Flow(shift=3.0)], ids=repr)
def test_kl_optimal_spaces_angles_evenly(path: Path) -> None:
    *sigmas, last = spacings.kl_optimal(path, 12).sigmas
    angles = [np.arctan2(sigma, path.alpha(sigma)) for sigma in sigmas]
    assert last == 0
    assert (sigmas[0], sigmas[-1]) == (path.sigma_max, path.sigma_min)
    np.testing.assert_allclose(np.diff(angles), angles[1] - angles[0], rtol=1e-6)


@pytest.mark.parametrize(("table", "name"), [("sd1", "StableDiffusion"), ("sdxl", "StableDiffusionXL")])
def test_align_your_steps_visits_what_diffusers_lists(table: Any, name: str) -> None:
    from diffusers.schedulers import AysSchedules

    ours = spacings.align_your_steps(CHAIN, 10, table)
    assert list(ours.sigmas) == AysSchedules[f"{name}Sigmas"]
    np.testing.assert_allclose(ours.timesteps, AysSchedules[f"{name}Timesteps"], atol=3)  # published as whole numbers


def test_align_your_steps_interpolates_log_sigma() -> None:
    ours = np.array(spacings.align_your_steps(CHAIN, 20, "sdxl").sigmas)
    listed = np.array(spacings.ALIGNED["sdxl"])
    np.testing.assert_allclose(ours[:-1:2], listed[:-1], rtol=1e-12)
    np.testing.assert_allclose(ours[1::2], np.sqrt(listed[:-1] * listed[1:]), rtol=1e-12)


def test_polyexponential_is_the_formula_of_k_diffusion() -> None:
    ramp = np.linspace(1, 0, 15) ** 1.7
    low, high = np.log(CHAIN.sigma_min), np.log(CHAIN.sigma_max)
    ours = schedules.exponential(CHAIN, 15, rho=1.7)
    np.testing.assert_allclose(ours.sigmas, [*np.exp(ramp * (high - low) + low), 0], rtol=1e-12)


@pytest.mark.parametrize(
    ("steps", "timesteps"), [(1, [999]), (2, [999, 499]), (4, [999, 749, 499, 249]), (8, list(range(999, 0, -125)))]
)
def test_few_steps_of_lightning_turbo_and_hyper_are_trailing(steps: int, timesteps: list[int]) -> None:
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(**BETAS, timestep_spacing="trailing")
    scheduler.set_timesteps(steps)
    assert scheduler.timesteps.tolist() == timesteps
    ours = schedules.model(CHAIN, steps, spacing="trailing", rounding="none", initial_noise="sigma")
    assert list(ours.timesteps) == timesteps
    assert_same(ours, scheduler)


@pytest.mark.parametrize("steps", [4, 20])
def test_sgm_uniform_is_linspace_without_its_last(steps: int) -> None:
    ours = schedules.model(CHAIN, steps, spacing="linspace", drop_last=True, rounding="none")
    np.testing.assert_allclose(ours.timesteps, np.linspace(999, 0, steps + 1)[:-1], atol=1e-9)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
def test_default_is_the_family_pipeline_s(path: Path) -> None:
    schedule = schedules.default(path, 20)
    if isinstance(path, VariancePreserving):
        assert schedule == schedules.model(path, 20, spacing="leading", steps_offset=1)
    elif isinstance(path, Flow):
        assert schedule == schedules.flow(path, 20)
    else:
        assert schedule == schedules.uniform(path, 20)


@given(made)
def test_levels_fall_from_within_the_trained_range_to_zero(schedule: Schedule) -> None:
    assert all(sigma > following for sigma, following in pairwise(schedule.sigmas))
    assert schedule.sigmas[-1] == 0
    assert schedule.sigmas[0] <= schedule.path.sigma_max * (1 + 1e-12)
    assert all(one >= other for one, other in pairwise(schedule.timesteps))


@given(made)
def test_timesteps_are_the_path_s_own(schedule: Schedule) -> None:
    for sigma, timestep in zip(schedule.sigmas, schedule.timesteps, strict=False):
        assert timestep == pytest.approx(schedule.path.timestep(sigma), abs=1e-6)


@given(made, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_slices_partition_the_steps(schedule: Schedule, a: float, b: float, c: float) -> None:
    edges = sorted({0.0, a, b, c, 1.0})
    steps: list[int] = []
    for start, end in pairwise(edges):
        try:
            steps.extend(schedules.cut(schedule, start, end).steps)
        except ValueError:
            continue
    assert steps == list(schedule.steps)


@pytest.mark.parametrize("steps", [4, 20, 30, 50])
@pytest.mark.parametrize("strength", [0.3, 0.6, 0.75, 0.8, 1.0])
def test_strength_keeps_the_steps_diffusers_keeps(strength: float, steps: int) -> None:
    kept = min(int(steps * strength), steps)
    part = schedules.cut(schedules.default(CHAIN, steps), 1 - strength, 1)
    assert len(part.steps) == kept
    assert part.full is (strength == 1)


def test_a_slice_of_a_slice_is_a_slice() -> None:
    whole = schedules.uniform(CHAIN, 20)
    half = schedules.cut(whole, 0.5, 1)
    assert schedules.cut(half, 0.5, 1) == schedules.cut(whole, 0.75, 1)
    assert half.sigmas == whole.sigmas


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: schedules.model(Flow(), 20), "Flow.*schedules.flow"),
        (lambda: schedules.flow(CHAIN, 20), "VariancePreserving.*schedules.model"),
        (lambda: schedules.model(CHAIN, 1000), "allowed are 0 to 999"),
        (lambda: schedules.model(CHAIN, 60, spacing="distilled"), "at most 50 steps"),
        (lambda: schedules.model(CHAIN, 20, steps_offset=0, final_sigma="sigma_min"), "must fall strictly"),
        (lambda: schedules.karras(CHAIN, 5, sigma_min=3.0, sigma_max=2.0), "below sigma_max 2"),
        (lambda: schedules.cut(schedules.uniform(CHAIN, 4), 0.3, 0.4), "no step of the 4"),
        (lambda: Schedule((1.0, 0.0), (), CHAIN), "one sigma more"),
        (lambda: Schedule((1.0, 0.5, 0.0), (2.0, 1.0), CHAIN, start=2), "slice 2..None"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(make: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()
