"""Noise: one generator per image, draws that can be asked for again, and Brownian paths."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphgen_nodes.sampling.noise import BrownianTree, NoiseSource
from graphgen_nodes.sockets import Flow, Noise, VariancePreserving

SHAPE = (3, 4, 8, 8)
PATH = VariancePreserving()


def test_draws_come_from_one_generator_per_image_in_order() -> None:
    source = NoiseSource(Noise(10), SHAPE, PATH)
    for image in range(3):
        generator = torch.Generator().manual_seed(10 + image)
        for index in range(3):
            assert torch.equal(source.draw(index)[image], torch.randn(SHAPE[1:], generator=generator))


def test_a_draw_can_be_asked_for_again_and_out_of_order() -> None:
    in_order = NoiseSource(Noise(4), SHAPE, PATH)
    draws = [in_order.draw(index) for index in range(5)]
    for index in (4, 0, 2, 2, 3):
        assert torch.equal(in_order.draw(index), draws[index])


def test_shared_noise_is_that_of_the_first_image_in_all() -> None:
    shared, own = (NoiseSource(Noise(4, shared=shared), SHAPE, PATH) for shared in (True, False))
    for draw in (0, 3):
        assert all(torch.equal(image, own.draw(draw)[0]) for image in shared.draw(draw))
    assert all(torch.equal(image, own.brownian(2.0, 1.0)[0]) for image in shared.brownian(2.0, 1.0))


@given(st.integers(0, 2**53 - 1), st.integers(1, 5))
def test_an_image_of_a_batch_can_be_made_alone(seed: int, image: int) -> None:
    batch = NoiseSource(Noise(seed), (6, 4, 4, 4), PATH)
    alone = NoiseSource(Noise(seed, first=image), (1, 4, 4, 4), PATH)
    assert torch.equal(batch.draw(1)[image], alone.draw(1)[0])
    assert torch.equal(batch.brownian(2.0, 1.0)[image], alone.brownian(2.0, 1.0)[0])


def test_latents_of_any_rank_are_drawn() -> None:
    assert NoiseSource(Noise(0), (2, 4, 3, 8, 8), PATH).draw(0).shape == (2, 4, 3, 8, 8)


@settings(max_examples=20)
@given(st.lists(st.floats(0.001, 1), min_size=2, max_size=6, unique=True))
def test_a_brownian_path_does_not_depend_on_what_is_asked_in_which_order(times: list[float]) -> None:
    tree, other = BrownianTree(1, (16,)), BrownianTree(1, (16,))
    forwards = [tree(time) for time in times]
    backwards = [other(time) for time in reversed(times)]
    for one, again in zip(forwards, reversed(backwards), strict=True):
        assert torch.equal(one, again)


def test_a_brownian_path_has_independent_increments_of_the_right_variance() -> None:
    tree = BrownianTree(3, (40_000,))
    times = [0.0, 0.013, 0.2, 0.5, 0.77, 1.0]
    values = [tree(time) for time in times]
    increments = [later - earlier for earlier, later in pairwise(values)]
    for increment, (begin, end) in zip(increments, pairwise(times), strict=True):
        assert float(increment.std()) == pytest.approx(sqrt(end - begin), rel=0.02)
        assert abs(float(increment.mean())) < 0.02 * sqrt(end - begin)
    correlations = torch.corrcoef(torch.stack(increments)) - torch.eye(len(increments))
    assert float(correlations.abs().max()) < 0.02


def test_a_brownian_path_is_zero_at_time_zero_and_continuous() -> None:
    tree = BrownianTree(3, (10_000,))
    assert torch.equal(tree(0.0), torch.zeros(10_000))
    step = 1e-7
    assert float((tree(0.3 + step) - tree(0.3)).std()) < 3 * sqrt(2**-18)


def test_two_halves_of_an_interval_make_the_whole() -> None:
    source = NoiseSource(Noise(6), SHAPE, Flow())
    whole = source.brownian(0.9, 0.5) * sqrt(0.4)
    halves = source.brownian(0.9, 0.6) * sqrt(0.3) + source.brownian(0.6, 0.5) * sqrt(0.1)
    assert torch.allclose(whole, halves, atol=1e-5)


@pytest.mark.parametrize("path", [PATH, Flow()], ids=lambda path: type(path).__name__)
def test_increments_over_a_schedule_s_steps_have_unit_variance(path: VariancePreserving | Flow) -> None:
    source = NoiseSource(Noise(2), (1, 1, 100, 100), path)
    for sigma, following in ((path.sigma_max, 0.9), (0.9, 0.1), (0.031, 0.03), (0.03, 0.0)):
        assert float(source.brownian(sigma, following).std()) == pytest.approx(1, rel=0.03)
