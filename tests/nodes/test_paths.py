"""Noising paths: their identities, their inverses, and diffusers' own chains of betas."""

from __future__ import annotations

from math import inf, isclose, log, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgen_nodes.sampling.paths import Flow, Path, SizedFlow, VarianceExploding, VariancePreserving

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # in diffusers

PATHS = (VariancePreserving(), VariancePreserving(beta_schedule="linear"), VarianceExploding(), Flow(), Flow(shift=3.0))
paths = st.sampled_from(PATHS)
shares = st.floats(0, 1)


def level(path: Path, share: float) -> float:
    """Return a noise level between the least and the greatest of a path, evenly in log."""
    return float(path.sigma_min ** (1 - share) * path.sigma_max**share)


@given(paths, shares)
def test_lambda_is_the_log_of_alpha_over_sigma_and_has_an_inverse(path: Path, share: float) -> None:
    sigma = level(path, 0.999 * share)
    lambda_ = path.lambda_(sigma)
    assert isclose(np.exp(lambda_), path.alpha(sigma) / sigma, rel_tol=1e-9)
    assert isclose(path.sigma_at_lambda(lambda_), sigma, rel_tol=1e-9)


@given(paths, shares)
def test_timesteps_and_noise_levels_are_inverse(path: Path, share: float) -> None:
    sigma = level(path, share)
    assert isclose(path.sigma_at(path.timestep(sigma)), sigma, rel_tol=1e-9)


@given(paths, shares, shares)
def test_more_noise_is_a_later_timestep_and_less_of_the_sample(path: Path, one: float, other: float) -> None:
    low, high = sorted((level(path, one), level(path, other)))
    assert path.timestep(low) <= path.timestep(high)
    assert path.lambda_(low) >= path.lambda_(high)
    assert path.alpha(low) >= path.alpha(high)


@given(paths, shares)
def test_alpha_slope_is_the_derivative_of_alpha(path: Path, share: float) -> None:
    sigma, small = level(path, 0.9 * share), 1e-4
    assert path.alpha_slope(sigma) == pytest.approx((path.alpha(sigma + small) - path.alpha(sigma)) / small)


@given(paths, shares, shares)
def test_training_shares_rise_with_noise(path: Path, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert path.sigma_at_share(low) <= path.sigma_at_share(high)
    assert isclose(path.sigma_at_share(1.0), path.sigma_max, rel_tol=1e-12)


@given(shares)
def test_a_variance_preserving_network_sees_unit_variance(share: float) -> None:
    path = VariancePreserving()
    sigma = level(path, share)
    a, b = path.input_scale(sigma) * path.alpha(sigma), path.input_scale(sigma) * sigma
    assert isclose(a**2 + b**2, 1)
    assert isclose(path.input_scale(sigma) * path.noise_scale(sigma), 1)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: type(path).__name__)
def test_the_clean_end_has_infinite_lambda(path: Path) -> None:
    assert path.lambda_(0.0) == inf
    assert path.alpha(0.0) == 1
    assert path.input_scale(0.0) == 1


def test_a_flow_begins_at_pure_noise() -> None:
    assert Flow().alpha(1.0) == 0
    assert Flow().lambda_(1.0) == -inf
    assert Flow().noise_scale(1.0) == 1


@pytest.mark.parametrize("kind", ["linear", "scaled_linear"])
def test_the_chain_is_that_of_diffusers(kind: str) -> None:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule=kind)
    alpha_bar = scheduler.alphas_cumprod.double().numpy()
    path = VariancePreserving(beta_schedule=kind)  # type: ignore[arg-type]
    # diffusers multiplies in single precision, which shows most where 1 - alpha_bar is least
    np.testing.assert_allclose(path.sigmas, np.sqrt((1 - alpha_bar) / alpha_bar), rtol=2e-5)


def test_the_cosine_chain_is_its_closed_form_but_for_the_last_step() -> None:
    """Nichol and Dhariwal 2021, equation 17; and that of diffusers, in single precision."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    path = VariancePreserving(beta_schedule="cosine", timesteps=400)
    found = 1 / (1 + np.array(path.sigmas) ** 2)
    squares = np.cos((np.arange(401) / 400 + 0.008) / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(found[:-1], squares[1:-1] / squares[0], rtol=1e-12)
    assert found[-1] == pytest.approx(found[-2] * 0.001, rel=1e-9)
    theirs = DDIMScheduler(beta_schedule="squaredcos_cap_v2", num_train_timesteps=400).alphas_cumprod
    np.testing.assert_allclose(found, theirs, atol=1e-6)


def test_zero_terminal_snr_is_that_of_diffusers() -> None:
    from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler

    scheduler = EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", rescale_betas_zero_snr=True
    )
    alpha_bar = scheduler.alphas_cumprod.double().numpy()
    path = VariancePreserving(zero_terminal_snr=True)
    np.testing.assert_allclose(path.sigmas, np.sqrt((1 - alpha_bar) / alpha_bar), rtol=1e-3)
    np.testing.assert_allclose(path.sigmas[:900], np.sqrt((1 - alpha_bar) / alpha_bar)[:900], rtol=2e-5)
    assert path.sigma_max == pytest.approx(4096)


def test_timesteps_outside_the_trained_range_are_clamped() -> None:
    path = VariancePreserving()
    assert path.timestep(1e-3) == 0
    assert path.timestep(1e3) == 999
    assert path.sigma_at(-5) == path.sigma_min
    assert path.sigma_at(5000) == path.sigma_max


def test_the_time_shift_moves_levels_up_and_keeps_the_ends() -> None:
    path = Flow(shift=3.0)
    assert path.shifted(0.5) == 0.75
    assert (path.shifted(0.0), path.shifted(1.0)) == (0, 1)
    assert path.shifted(0.5, shift=1.0) == 0.5


@pytest.mark.parametrize(("tokens", "mu"), [(256, 0.5), (4096, 1.15), (1024, 0.63), (9216, 2.0166667)])
def test_the_shift_follows_the_size_along_a_line_of_mu(tokens: int, mu: float) -> None:
    from diffusers.pipelines.flux.pipeline_flux import calculate_shift

    found = SizedFlow().sized(4 * tokens)
    assert log(found.shift) == pytest.approx(mu)
    assert log(found.shift) == pytest.approx(calculate_shift(tokens))


def test_only_a_path_that_follows_the_size_wants_it() -> None:
    assert Flow(3.0).sized(None) == Flow(3.0).sized(4096) == Flow(3.0)
    assert VariancePreserving().sized(None) == VariancePreserving()
    with pytest.raises(ValueError, match="wire the latent"):
        SizedFlow().sized(None)


def test_the_posterior_of_one_chain_step_is_ddpm_s() -> None:
    path = VariancePreserving()
    s, t = path.sigmas[500], path.sigmas[499]
    alpha_bar, previous = 1 / (1 + s**2), 1 / (1 + t**2)
    beta = 1 - alpha_bar / previous
    posterior = (1 - previous) / (1 - alpha_bar) * beta
    assert sqrt(posterior) == pytest.approx(path.input_scale(t) * t / s * sqrt(s**2 - t**2))
