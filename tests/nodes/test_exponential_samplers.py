"""SA-Solver and SEEDS: their sums against quadrature of the integral that they solve, and their noise to its last part.

The denoised sample is a polynomial in lambda, so that a method of high enough order has no error at all.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, expm1, sqrt

import numpy as np
import pytest
import torch
from nodes.sampling_oracles import PATHS
from torch import Tensor

from graphgen_nodes.sampling import options
from graphgen_nodes.sampling.driver import trajectory
from graphgen_nodes.sampling.protocols import Guided, Prediction, State
from graphgen_nodes.sockets import Path, Sampler, Schedule

on_paths = pytest.mark.parametrize("kind", list(PATHS))
NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


class Draws:
    """Draw k is 1 at place k and 0 elsewhere, so that x tells how much of each draw is in it."""

    def draw(self, index: int) -> Tensor:
        return torch.nn.functional.one_hot(torch.tensor([[[index]]]), 40).double()

    def brownian(self, sigma: float, sigma_next: float) -> Tensor:  # noqa: ARG002
        raise AssertionError("no Brownian path is looked at")


def told(path: Path, polynomial: Callable[[float], float]) -> Guided:
    """Return a denoiser that knows the sample whatever x is: a function of lambda."""

    def denoise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        return Prediction(torch.full_like(x, polynomial(path.lambda_(sigma))))

    return denoise


def even_schedule(kind: str, steps: int = 4) -> Schedule:
    """Return steps over levels where every method is itself, uneven in lambda."""
    path = PATHS[kind]
    first, last = (0.7, 0.2) if kind == "flow" else (3.0, 0.3)
    begin, end = path.lambda_(first), path.lambda_(last)
    sigmas = tuple(path.sigma_at_lambda(begin + (end - begin) * (k / steps) ** 1.3) for k in range(steps + 1))
    return Schedule(sigmas, tuple(path.timestep(sigma) for sigma in sigmas[:-1]), path)


def exact(path: Path, s: float, t: float, x: float, q: float, polynomial: Callable[[float], float]) -> float:
    """Return the mean of x at t: the variation of constants of the reverse SDE with noise q = tau^2."""
    begin, end = path.lambda_(s), path.lambda_(t)
    middle, half = (begin + end) / 2, (end - begin) / 2
    points = [middle + half * float(node) for node in NODES]
    integral = half * sum(
        float(weight) * (1 + q) * exp(-(1 + q) * (end - point)) * polynomial(point)
        for weight, point in zip(WEIGHTS, points, strict=True)
    )
    return t / s * exp(-q * (end - begin)) * x + path.alpha(t) * integral


def walk(sampler: Sampler, schedule: Schedule, polynomial: Callable[[float], float]) -> list[Tensor]:
    """Return x before the first step and after each."""
    first = State(torch.full((1, 1, 1, 40), 0.5, dtype=torch.float64))
    states = trajectory(told(schedule.path, polynomial), sampler, schedule, Draws(), first)
    return [first.x, *(state.x for state in states)]


def linear(lambda_: float) -> float:
    return 0.3 - 0.8 * lambda_


LINEAR_IN_A_STEP = (
    options.SEEDS2(1.0, 0.3, "phi_2"),
    options.SEEDS2(0.6, 1.0, "phi_2"),
    options.SEEDS3(),
    options.SEEDS3(0.3),
)


@on_paths
@pytest.mark.parametrize("sampler", LINEAR_IN_A_STEP, ids=repr)
def test_seeds_are_exact_for_a_sample_linear_in_lambda(sampler: options.SEEDS2 | options.SEEDS3, kind: str) -> None:
    schedule = even_schedule(kind, 1)
    x = walk(sampler, schedule, linear)[-1]
    s, t = schedule.sigmas
    mean = exact(schedule.path, s, t, 0.5, sampler.eta, linear)
    assert float(x[..., -1]) == pytest.approx(mean, rel=1e-9)


@on_paths
@pytest.mark.parametrize(
    "sampler", [options.SEEDS2(), options.SEEDS2(0.5, 0.8), options.SEEDS3(), options.SEEDS3(0.5)], ids=repr
)
def test_the_draws_of_a_seeds_step_add_up_to_its_noise(sampler: options.SEEDS2 | options.SEEDS3, kind: str) -> None:
    """Each draw once, and the sum of their squares is the variance of the reverse SDE."""
    schedule = even_schedule(kind, 2)
    path, draws = schedule.path, 2 if isinstance(sampler, options.SEEDS2) else 3
    first, second = (x - x[..., -1:] for x in walk(sampler, schedule, linear)[1:])
    for k, (x, begin) in enumerate(((first, 1), (second, 1 + draws))):
        s, t = schedule.sigmas[k : k + 2]
        here = x[..., begin : begin + draws].flatten()
        assert (here > 0).all()
        h = path.lambda_(t) - path.lambda_(s)
        assert float((here**2).sum()) == pytest.approx(-(t**2) * expm1(-2 * sampler.eta * h), rel=1e-9)
    assert torch.count_nonzero(first) == draws


@on_paths
def test_a_stage_of_seeds_sees_the_noise_that_belongs_there(kind: str) -> None:
    schedule, seen = even_schedule(kind, 1), []

    def denoise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        seen.append((sigma, x - x[..., -1:]))
        return Prediction(torch.zeros_like(x))

    first = State(torch.zeros((1, 1, 1, 40), dtype=torch.float64))
    list(trajectory(denoise, options.SEEDS3(0.7), schedule, Draws(), first))
    (s, _), *between = seen
    path = schedule.path
    assert len(between) == 2
    for u, x in between:
        h = path.lambda_(u) - path.lambda_(s)
        assert float((x**2).sum()) == pytest.approx(-(u**2) * expm1(-2 * 0.7 * h), rel=1e-9)


ADAMS = ((1, 0, 0), (3, 0, 2), (3, 4, 3), (1, 4, 3), (3, 3, 2))


@on_paths
@pytest.mark.parametrize("tau", [0.0, 0.7, 1.0])
@pytest.mark.parametrize(("predictor", "corrector", "degree"), ADAMS)
def test_sa_solver_is_exact_for_polynomials_of_its_order(
    predictor: int, corrector: int, degree: int, tau: float, kind: str
) -> None:
    """Once enough steps were seen: the predictor's step, and where there is a corrector what it makes of it."""

    def polynomial(lambda_: float) -> float:
        return sum(share * lambda_**k for k, share in enumerate((0.3, -0.8, 0.5, -0.4)[: degree + 1]))

    schedule = even_schedule(kind, 8)
    sampler = options.SASolver(predictor, corrector, tau, 1e-9, 1.0)
    first = State(torch.full((1, 1, 1, 40), 0.5, dtype=torch.float64))
    states = list(trajectory(told(schedule.path, polynomial), sampler, schedule, Draws(), first))
    k = 4
    s, t = schedule.sigmas[k : k + 2]
    begin = float(states[k].history[-1].x[..., -1])  # corrected
    found = states[k + 1].history[-1].x if corrector else states[k].x
    assert float(found[..., -1]) == pytest.approx(exact(schedule.path, s, t, begin, tau**2, polynomial), rel=1e-8)
    h = schedule.path.lambda_(t) - schedule.path.lambda_(s)
    fresh = float((found - found[..., -1:])[..., k + 1].squeeze())
    assert fresh == pytest.approx(t * sqrt(-expm1(-2 * tau**2 * h)), abs=1e-9)


def test_noise_is_added_between_the_levels_alone() -> None:
    path = PATHS["preserving"]
    sigmas = tuple(path.sigma_at(timestep) for timestep in (900, 700, 500, 300, 100))
    schedule = Schedule(sigmas, (900, 700, 500, 300), path)
    xs = walk(options.SASolver(low=0.4, high=0.8), schedule, linear)
    fresh = [bool((x - x[..., -1:])[..., k + 1].any()) for k, x in enumerate(xs[1:])]
    assert fresh == [False, True, True, False]


def test_an_empty_range_of_noise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"low: is 0.8, which must be above 0 and below high \(0.8\); for no noise"):
        options.SASolver(low=0.8)
