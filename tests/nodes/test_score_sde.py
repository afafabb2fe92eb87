"""Predictor-corrector and annealed Langevin: exact scores give their distribution, steps have the release's size."""

from __future__ import annotations

from math import sqrt
from typing import Any

import pytest
import torch
from nodes.sampling_oracles import PATHS, gaussian_denoiser
from torch import Tensor

from graphgen_nodes.sampling import options, schedules
from graphgen_nodes.sampling.driver import sample, trajectory
from graphgen_nodes.sampling.noise import NoiseSource
from graphgen_nodes.sampling.protocols import Guided, Prediction, State
from graphgen_nodes.sockets import Noise, Path, Sampler, VarianceExploding

MANY = (1, 1, 128, 128)
VE = VarianceExploding(0.01, 20.0)
WEIGHTS, MEANS, DEVIATIONS = (0.2, 0.8), (-1.0, 0.6), (0.1, 0.2)


def mixture_denoiser(path: Path) -> Guided:
    """Return the exact posterior mean of a sample from a mixture of two Gaussians."""
    weights, means, deviations = (torch.tensor(values) for values in (WEIGHTS, MEANS, DEVIATIONS))

    def denoise(x: Tensor, sigma: float, memory: Tensor | None = None) -> Prediction:
        alpha, x = path.alpha(sigma), x.unsqueeze(-1)
        variances = alpha**2 * deviations**2 + sigma**2
        logs = weights.log() - variances.log() / 2 - (x - alpha * means) ** 2 / (2 * variances)
        each = means + alpha * deviations**2 * (x - alpha * means) / variances
        return Prediction((logs.softmax(-1) * each).sum(-1))

    return denoise


@pytest.mark.parametrize(
    ("sampler", "steps"),
    [(options.PredictorCorrector(snr=0.1), 150), (options.AnnealedLangevin(inner_steps=50, step_size=0.1), 40)],
    ids=repr,
)
@pytest.mark.parametrize("kind", ["exploding", "preserving"])
def test_a_mixture_comes_out_with_its_weights_and_moments(sampler: Sampler, steps: int, kind: str) -> None:
    path, shape = PATHS[kind], (1, 1, 64, 64)
    noise = NoiseSource(Noise(3), shape, path)
    end = sample(mixture_denoiser(path), sampler, schedules.exponential(path, steps), noise, torch.zeros(shape))
    low = end.x < -0.4  # between the two, where hardly anything lies
    assert float(low.float().mean()) == pytest.approx(WEIGHTS[0], abs=0.02)
    for chosen, mean, deviation in zip((low, ~low), MEANS, DEVIATIONS, strict=True):
        assert float(end.x[chosen].mean()) == pytest.approx(mean, abs=0.02)
        assert float(end.x[chosen].std()) == pytest.approx(deviation, rel=0.08)


@pytest.mark.parametrize("kind", list(PATHS))
def test_predictor_and_corrector_end_at_a_gaussian_on_every_path(kind: str) -> None:
    sampler = options.PredictorCorrector()
    path = PATHS[kind]
    schedule = schedules.uniform(path, 300) if kind == "flow" else schedules.exponential(path, 150)
    noise = NoiseSource(Noise(7), MANY, path)
    end = sample(gaussian_denoiser(path, 0.5, 0.25), sampler, schedule, noise, torch.zeros(MANY))
    assert float(end.x.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(end.x.std()) == pytest.approx(0.5, rel=0.05)


@pytest.mark.parametrize("kind", list(PATHS))
def test_langevin_steps_have_the_moments_of_their_recursion_on_every_path(kind: str) -> None:
    """For a Gaussian a step is linear: mean and variance after all of them follow in closed form."""
    path, steps, sampler = PATHS[kind], 25, options.AnnealedLangevin(inner_steps=4, step_size=0.1)
    schedule = schedules.uniform(path, steps)
    noise = NoiseSource(Noise(7), MANY, path)
    end = sample(gaussian_denoiser(path, 0.5, 0.25), sampler, schedule, noise, torch.zeros(MANY))
    mean, variance = 0.0, path.noise_scale(schedule.sigmas[0]) ** 2
    for s in schedule.sigmas[:-1]:
        alpha, size = path.alpha(s), 0.1 * s**2
        whole = alpha**2 * 0.25 + s**2
        for _ in range(4):
            pull = size / (2 * whole)
            mean, variance = mean + pull * (alpha * 0.5 - mean), (1 - pull) ** 2 * variance + size
    gain = alpha * 0.25 / whole  # the last denoising
    assert float(end.x.mean()) == pytest.approx(0.5 + gain * (mean - alpha * 0.5), abs=0.02)
    assert float(end.x.std()) == pytest.approx(gain * sqrt(variance), rel=0.025)


def test_the_predictor_alone_is_reverse_diffusion() -> None:
    """X + (s^2 - t^2) score + sqrt(s^2 - t^2) z (Song et al. 2021, algorithm 4)."""
    schedule = schedules.exponential(VE, 10)
    noise = NoiseSource(Noise(1), MANY, VE)
    x, s, t = 3 * noise.draw(0), *schedule.sigmas[4:6]
    denoise = mixture_denoiser(VE)
    algorithm = options.PredictorCorrector(corrector_steps=0).algorithm(schedule)
    found = algorithm.step(denoise, State(x, 4), 4, noise).x
    score = (denoise(x, s).denoised - x) / s**2
    expected = x + (s**2 - t**2) * score + sqrt(s**2 - t**2) * noise.draw(5)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("norms", ["batch", "image"])
def test_steps_are_sized_as_the_release_sizes_them_for_a_batch_or_each_image(norms: Any) -> None:
    """Against ScoreSdeVeScheduler, whose norms are means over the batch; each image alone is a batch of one."""
    from diffusers import ScoreSdeVeScheduler

    scheduler = ScoreSdeVeScheduler(sigma_min=VE.sigma_min, sigma_max=VE.sigma_max, snr=0.15)
    scheduler.set_timesteps(10)
    scheduler.set_sigmas(10)
    schedule = schedules.exponential(VE, 10)
    source = NoiseSource(Noise(1), (2, 1, 8, 8), VE)
    x = torch.cat([source.draw(0)[:1], 9 * source.draw(0)[1:]])
    denoise, s = mixture_denoiser(VE), schedule.sigmas[0]
    algorithm = options.PredictorCorrector(norms=norms).algorithm(schedule)
    found = algorithm.step(denoise, State(x), 0, source).x
    for rows in [slice(0, 2)] if norms == "batch" else [slice(0, 1), slice(1, 2)]:
        draws = iter([source.draw(1)[rows], source.draw(2)[rows]]).__next__
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("diffusers.schedulers.scheduling_sde_ve.randn_tensor", lambda *_, draw=draws, **__: draw())
            corrected = scheduler.step_correct((denoise(x[rows], s).denoised - x[rows]) / s**2, x[rows]).prev_sample
            output = (denoise(corrected, s).denoised - corrected) / s**2
            expected = scheduler.step_pred(output, scheduler.timesteps[0], corrected).prev_sample
        torch.testing.assert_close(found[rows], expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("sampler", [options.PredictorCorrector(2), options.AnnealedLangevin(3)], ids=repr)
def test_a_run_goes_on_from_any_state_and_slice(sampler: Sampler) -> None:
    """Draws are counted by steps, so what several draws a step gave is drawn again after a break."""
    schedule = schedules.exponential(VE, 6)
    source, denoise = NoiseSource(Noise(1), (1, 1, 8, 8), VE), mixture_denoiser(VE)
    whole = list(trajectory(denoise, sampler, schedule, source, State(20 * source.draw(0))))
    again = sample(denoise, sampler, schedule, source, torch.zeros(1), state=whole[2])
    assert torch.equal(again.x, whole[-1].x)
    part = schedules.cut(schedule, 0.5, 1.0)
    handed = sample(denoise, sampler, part, source, whole[2].x, add_noise=False)
    assert torch.equal(handed.x, whole[-1].x)
