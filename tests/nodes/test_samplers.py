"""Samplers: parity with diffusers, and Gaussians, whose reverse process is known in closed form, on every path."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, sqrt
from typing import Any

import pytest
import torch
from nodes.sampling_oracles import (
    PATHS,
    consistency_function,
    gaussian_denoiser,
    gaussian_flow,
)
from nodes.sampling_parity import PAGE, Case, cases

from graphgen_nodes.sampling import options, schedules
from graphgen_nodes.sampling.driver import sample, trajectory
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.protocols import Prediction, SamplerAlgorithm, State
from graphgen_nodes.sampling.samplers.algorithm import ancestral
from graphgen_nodes.sockets import Noise, Sampler, Schedule, VariancePreserving

pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{name}:DeprecationWarning")  # in diffusers
    for name in ("__array__ implementation", "__array_wrap__ must")
]

MEAN, VARIANCE = 0.5, 0.25
MANY = (1, 1, 128, 128)  # independent numbers: the standard error of a mean is 0.4 %, of a deviation 0.6 %
ODE = (options.Euler(), options.Heun(), options.DPMpp2M(), options.LMS(), options.PNDM(), options.DDIM(),
       options.UniPC(order=2), options.UniPC(order=3), options.DPMpp2MSDE(eta=0.0), options.DPMppSDE(eta=0.0),
       options.EulerAncestral(eta=0.0), options.DPM2(), options.DPMpp2S(eta=0.0), options.DPMpp3MSDE(eta=0.0),
       options.DEIS(), options.DEIS(order=2), options.IPNDM(), options.RESMultistep(), options.GradientEstimation(),
       options.HeunPP2(), options.TCD(gamma=0.0), options.SASolver(tau=0.0), options.SASolver(3, 4, tau=0.0),
       options.SASolver(2, 0, tau=0.0), options.SEEDS2(eta=0.0), options.SEEDS2(0.0, 1.0, "phi_2"),
       options.SEEDS3(eta=0.0))  # fmt: skip
FIRST_ORDER = (options.Euler, options.DDIM, options.EulerAncestral, options.GradientEstimation, options.HeunPP2,
               options.TCD)  # fmt: skip
SDE = (options.EulerAncestral(), options.DPMpp2MSDE(), options.DPMpp2MSDE(solver="heun"), options.DPMppSDE(),
       options.DDIM(eta=1.0), options.DDIM(eta=0.5), options.DDPM(), options.DPM2(eta=1.0), options.DPM2(eta=0.4),
       options.DPMpp2S(), options.DPMpp2S(eta=0.4), options.DPMpp3MSDE(), options.RESMultistep(eta=1.0),
       options.RESMultistep(eta=0.5), options.ERSDE(), options.ERSDE(order=2), options.ERSDE(order=1),
       options.Restart(), options.Restart(times=3, inner_steps=12), options.SASolver(), options.SASolver(3, 4),
       options.SASolver(low=1e-9, high=1.0), options.SASolver(pece=True), options.SEEDS2(), options.SEEDS2(0.4),
       options.SEEDS2(1.0, 0.7, "phi_2"), options.SEEDS3(), options.SEEDS3(0.4))  # fmt: skip
LOOK_AHEAD = (options.Heun, options.PNDM, options.HeunPP2, options.DPM2, options.Restart)

on_paths = pytest.mark.parametrize("kind", list(PATHS))


def schedule_on(kind: str, steps: int) -> Schedule:
    """Return the schedule that suits a path: all end at 0, the flow begins at pure noise."""
    return schedules.uniform(PATHS[kind], steps) if kind == "flow" else schedules.karras(PATHS[kind], steps)


# --- against diffusers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", list(cases()), ids=lambda case: case.name)
def test_a_run_is_that_of_diffusers(case: Case) -> None:
    seen, result = case.run()
    assert seen < case.tolerance
    assert result < case.tolerance


def test_every_case_is_in_the_published_table() -> None:
    table = PAGE.read_text(encoding="utf-8")
    assert [case.name for case in cases() if f"| {case.name} |" not in table] == []


# --- against closed forms -------------------------------------------------------------------------------------------


@on_paths
@pytest.mark.parametrize("sampler", ODE, ids=repr)
def test_an_ode_sampler_carries_a_gaussian_to_its_end(sampler: Sampler, kind: str) -> None:
    path, schedule = PATHS[kind], schedule_on(kind, 60)
    noise = NoiseSource(Noise(5), MANY, path)
    begin = path.alpha(schedule.sigmas[0]) * MEAN + path.noise_scale(schedule.sigmas[0]) * noise.draw(0)
    state = sampler.algorithm(schedule).init(begin)
    end = sample(gaussian_denoiser(path, MEAN, VARIANCE), sampler, schedule, noise, begin, state=state)
    exact = gaussian_flow(path, MEAN, VARIANCE, begin, schedule.sigmas[0], 0.0)
    worst = 0.08 if isinstance(sampler, FIRST_ORDER) else 0.015
    assert float((end.x - exact).abs().max()) < worst * float((exact - MEAN).abs().max())


@on_paths
@pytest.mark.parametrize("sampler", SDE, ids=repr)
def test_an_sde_sampler_ends_at_the_right_mean_and_deviation(sampler: Sampler, kind: str) -> None:
    path, schedule = PATHS[kind], schedule_on(kind, 200)
    noise = NoiseSource(Noise(7), MANY, path)
    end = sample(gaussian_denoiser(path, MEAN, VARIANCE), sampler, schedule, noise, torch.zeros(MANY))
    assert float(end.x.mean()) == pytest.approx(MEAN, abs=0.02)
    # extrapolating past the level where noise is added anew carries old noise along, of the size of a step
    worst = 0.04 if sampler == options.RESMultistep(eta=1.0) else 0.025
    assert float(end.x.std()) == pytest.approx(sqrt(VARIANCE), rel=worst)


@on_paths
@pytest.mark.parametrize("steps", [1, 4])
def test_lcm_with_an_exact_consistency_function_is_exact(kind: str, steps: int) -> None:
    path = PATHS[kind]
    schedule = schedules.uniform(path, steps)
    noise = NoiseSource(Noise(7), MANY, path)
    begin = path.alpha(schedule.sigmas[0]) * MEAN + path.noise_scale(schedule.sigmas[0]) * noise.draw(0)
    end = sample(
        consistency_function(path, MEAN, VARIANCE),
        options.LCM(),
        schedule,
        noise,
        begin,
        state=State(begin),
    )
    assert float(end.x.mean()) == pytest.approx(MEAN, abs=0.02)
    assert float(end.x.std()) == pytest.approx(sqrt(VARIANCE), rel=0.025)


@pytest.mark.parametrize("sampler", [*ODE, *SDE, options.LCM(), options.TCD(), options.DDPM("large")], ids=repr)
def test_the_first_step_from_pure_noise_keeps_nothing_but_noise(sampler: Sampler) -> None:
    path = PATHS["flow"]
    schedule = schedules.uniform(path, 10)
    noise = NoiseSource(Noise(2), MANY, path)
    denoise = gaussian_denoiser(path, MEAN, VARIANCE)
    first = next(trajectory(denoise, sampler, schedule, noise, State(noise.draw(0))))
    assert torch.isfinite(first.x).all()
    # the denoised sample at pure noise is the mean itself, so x is alpha * mean + sigma * noise
    assert float(first.x.mean()) == pytest.approx(0.1 * MEAN, abs=0.02)
    if not isinstance(sampler, LOOK_AHEAD) and sampler != options.DDPM("large"):
        assert float(first.x.std()) == pytest.approx(0.9, rel=0.02)


ORDERS = (
    (options.Euler(), 1), (options.DDIM(), 1), (options.Heun(), 2), (options.DPMpp2M(), 2),
    (options.DPMpp2MSDE(eta=0.0), 2), (options.DPMppSDE(eta=0.0), 2), (options.LMS(order=2), 2), (options.LMS(), 2),
    (options.PNDM(), 2), (options.UniPC(order=1), 2), (options.UniPC(order=2), 2),
    (options.UniPC(order=3), 2),  # its last step is of first order, as there is nothing left to correct it with
    (options.DPM2(), 2), (options.DPMpp2S(eta=0.0), 2), (options.DPMpp3MSDE(eta=0.0), 2), (options.DEIS(order=1), 1),
    (options.DEIS(order=2), 2), (options.DEIS(), 2), (options.IPNDM(order=1), 1), (options.IPNDM(), 2),
    (options.RESMultistep(), 2), (options.GradientEstimation(), 1), (options.GradientEstimation(gamma=1.5), 2),
    (options.SASolver(1, 0, tau=0.0), 1), (options.SASolver(1, 2, tau=0.0), 2), (options.SASolver(2, 0, tau=0.0), 2),
    (options.SASolver(tau=0.0), 2), (options.SASolver(3, 4, tau=0.0), 2), (options.SASolver(tau=0.0, pece=True), 2),
    (options.SEEDS2(eta=0.0), 2), (options.SEEDS2(0.0, 1.0, "phi_2"), 2), (options.SEEDS3(eta=0.0), 3),
    (options.HeunPP2(), 1), (options.TCD(gamma=0.0), 1), (options.Restart(low=1e-9, high=1e-8), 2),
)  # fmt: skip


@on_paths
@pytest.mark.parametrize(("sampler", "order"), ORDERS, ids=repr)
def test_the_error_falls_with_the_method_s_order(sampler: Sampler, order: int, kind: str) -> None:
    steps = 160 if isinstance(sampler, options.RESMultistep) else 40  # with fewer, its error changes its sign
    coarse, fine = (_error(sampler, kind, count) for count in (steps, 2 * steps))
    assert log2(coarse / fine) > order - 0.35


def _error(sampler: Sampler, kind: str, steps: int) -> float:
    """Return the error at a level above 0, where closed form and method may be compared to all digits."""
    path = PATHS[kind]
    first, last = (0.95, 0.2) if kind == "flow" else (10.0, 0.2)
    lambdas = [path.lambda_(first) + (path.lambda_(last) - path.lambda_(first)) * k / steps for k in range(steps + 1)]
    sigmas = tuple(path.sigma_at_lambda(lambda_) for lambda_ in lambdas)
    schedule = Schedule(sigmas, tuple(path.timestep(sigma) for sigma in sigmas[:-1]), path)
    begin = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(1, 1, 3, 3)
    noise = NoiseSource(Noise(0), begin.shape, path)
    # a mean far off and a small variance make a curved flow
    denoise = gaussian_denoiser(path, 1.0, 0.1)
    end = sample(denoise, sampler, schedule, noise, begin, state=State(begin))
    exact = gaussian_flow(path, 1.0, 0.1, begin, sigmas[0], sigmas[-1])
    return float((end.x - exact).abs().max())


@on_paths
def test_ancestral_steps_split_the_noise(kind: str) -> None:
    path = PATHS[kind]
    s, t = (0.8, 0.3) if kind == "flow" else (5.0, 2.0)
    for eta in (0.0, 0.4, 1.0):
        kept, fresh = ancestral(path, s, t, eta)
        assert kept**2 + fresh**2 == pytest.approx(t**2)
    assert ancestral(path, s, t, 0.0) == (t, 0)


def test_euler_ancestral_on_a_flow_ends_at_one_half_where_stepping_in_sigma_alone_ends_at_0_69() -> None:
    path = PATHS["flow"]
    noise = NoiseSource(Noise(1), MANY, path)
    denoise = gaussian_denoiser(path, 0.0, VARIANCE)
    end = sample(denoise, options.EulerAncestral(), schedules.uniform(path, 200), noise, torch.zeros(MANY))
    assert float(end.x.std()) == pytest.approx(0.5, rel=0.025)


def test_ddpm_uses_the_variance_the_network_learned() -> None:
    path = VariancePreserving()
    schedule = schedules.model(path, 10)
    x = torch.ones(1, 1, 4, 4)
    ends: dict[str, torch.Tensor] = {}
    for name, learned in (("small", -1.0), ("large", 1.0)):

        def denoise(x: Any, sigma: float, memory: Any = None, learned: float = learned) -> Prediction:
            return Prediction(torch.zeros_like(x), torch.full_like(x, learned))

        noise = NoiseSource(Noise(1), x.shape, path)
        for sampler in (options.DDPM(name), options.DDPM("learned")):  # type: ignore[arg-type]
            state = next(trajectory(denoise, sampler, schedule, noise, State(x)))
            assert torch.allclose(ends.setdefault(name, state.x), state.x)
    assert not torch.allclose(ends["small"], ends["large"])


def test_a_learned_variance_that_is_not_there_is_said() -> None:
    path = VariancePreserving()
    noise = NoiseSource(Noise(1), (1, 1, 4, 4), path)
    with pytest.raises(ValueError, match="did not learn one; use 'small' or 'large'"):
        sample(gaussian_denoiser(path, 0, 1), options.DDPM("learned"), schedules.uniform(path, 4), noise,
               torch.zeros(1, 1, 4, 4))  # fmt: skip


# --- a method from elsewhere ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Jump(Sampler):
    """A plugin's method: jump to the denoised sample."""

    def algorithm(self, schedule: Schedule) -> SamplerAlgorithm:
        from graphgen_nodes.sampling.samplers.algorithm import Algorithm, evaluate

        class JumpAlgorithm(Algorithm):
            def step(self, denoise: Any, state: State, i: int, noise: Any) -> State:  # noqa: ARG002
                now = evaluate(self.path, denoise, state.x, self.interval(i)[0])
                return state.advance(now.denoised, now)

        return JumpAlgorithm(schedule)


def test_a_plugin_adds_a_method_by_subclassing() -> None:
    path = PATHS["flow"]
    end = sample(gaussian_denoiser(path, 2.0, 0.0), Jump(), schedules.uniform(path, 3),
                 NoiseSource(Noise(0), (1, 4, 2, 2), path), torch.zeros(1, 4, 2, 2))  # fmt: skip
    assert torch.allclose(end.x, torch.full((1, 4, 2, 2), 2.0))
