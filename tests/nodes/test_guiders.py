"""Guiders and the denoiser around a network: parametrisations, batching, guidance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nodes.sampling_oracles import PATHS, SHAPE, WORDS, RandomNetwork, handle, relative
from torch import Tensor

from graphgen_nodes.sampling import schedules
from graphgen_nodes.sampling.denoiser import NetworkDenoiser, preconditioning
from graphgen_nodes.sampling.guidance import guided
from graphgen_nodes.sampling.guiders import (
    ClassifierFreeGuidance,
    NoGuidance,
    PerpendicularGuidance,
    ProjectedGuidance,
    ThresholdedGuidance,
    ZeroStarGuidance,
)
from graphgen_nodes.sockets import (
    Conditioning,
    Flow,
    Guider,
    Path,
    Prediction,
    TextConditioning,
    VarianceExploding,
    VariancePreserving,
)

CHAIN = VariancePreserving()


def words(value: float, tokens: int = 3, batch: int = 1) -> Conditioning:
    return TextConditioning("tiny", torch.full((batch, tokens, 8), float(value)))


def noised(path: Path, sigma: float) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    sample, noise = torch.randn(SHAPE, generator=generator), torch.randn(SHAPE, generator=generator)
    return sample, noise, path.alpha(sigma) * sample + sigma * noise


# --- parametrisations -----------------------------------------------------------------------------------------------


@given(st.sampled_from(["epsilon", "v", "sample", "flow"]), st.sampled_from(list(PATHS)), st.floats(0.01, 0.99))
def test_every_parametrisation_gives_the_sample_back(prediction: Prediction, kind: str, sigma: float) -> None:
    path = PATHS[kind]
    sample, noise, x = noised(path, sigma)
    scale = path.input_scale(sigma)
    a, b = scale * path.alpha(sigma), scale * sigma
    output = {"epsilon": noise, "v": a * noise - b * sample, "sample": sample, "flow": noise - sample}[prediction]
    c_skip, c_out = preconditioning(prediction, path, sigma)
    assert torch.allclose(c_skip * x + c_out * output, sample, atol=1e-4 / path.alpha(sigma))


def test_a_score_gives_the_sample_back() -> None:
    path, sigma = VarianceExploding(), 3.0
    sample, noise, x = noised(path, sigma)
    c_skip, c_out = preconditioning("score", path, sigma)
    assert torch.allclose(c_skip * x + c_out * (-noise / sigma), sample, atol=1e-5)


@pytest.mark.parametrize("prediction", ["epsilon", "score"])
def test_epsilon_at_pure_noise_is_refused(prediction: Prediction) -> None:
    with pytest.raises(ValueError, match="cannot be used at sigma 1, where x is pure noise"):
        preconditioning(prediction, Flow(), 1.0)


def test_flow_and_v_at_pure_noise_still_tell_the_sample() -> None:
    sample, noise, x = noised(Flow(), 1.0)
    c_skip, c_out = preconditioning("flow", Flow(), 1.0)
    assert torch.allclose(c_skip * x + c_out * (noise - sample), sample, atol=1e-6)


# --- the network's side ---------------------------------------------------------------------------------------------


def test_the_network_sees_unit_variance_and_the_schedule_s_timestep() -> None:
    schedule = schedules.karras(CHAIN, 5, rounding="nearest")
    network = RandomNetwork()
    denoiser = NetworkDenoiser(network, handle(CHAIN), schedule)
    x = torch.ones(SHAPE)
    denoiser(x, schedule.sigmas[2], [words(0)])
    denoiser(x, 1.2345, [words(0)])
    (seen, told), (_, between) = network.calls
    assert told == schedule.timesteps[2]
    assert between == pytest.approx(CHAIN.timestep(1.2345))
    assert torch.allclose(seen, x * CHAIN.input_scale(schedule.sigmas[2]))


def test_conditionings_of_one_shape_share_a_call_and_others_do_not() -> None:
    network = RandomNetwork()
    denoiser = NetworkDenoiser(network, handle(CHAIN))
    x = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    same = denoiser(x, 2.0, [words(0.1), words(0.2, batch=2), words(0.3)])
    assert [len(seen) for seen, _ in network.calls] == [6]
    network.calls.clear()
    mixed = denoiser(x, 2.0, [words(0.1), words(0.2), words(0.3, tokens=5)])
    assert [len(seen) for seen, _ in network.calls] == [4, 2]
    for one, other in zip(same, mixed, strict=True):
        assert relative(one.denoised, other.denoised) < 1e-5


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 100])
def test_a_limit_splits_calls_and_changes_nothing(limit: int) -> None:
    x = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    network = RandomNetwork()
    whole = NetworkDenoiser(RandomNetwork(), handle(CHAIN))(x, 2.0, [words(0.1), words(0.2)])
    split = NetworkDenoiser(network, handle(CHAIN), batch_limit=limit)(x, 2.0, [words(0.1), words(0.2)])
    assert all(len(seen) <= limit for seen, _ in network.calls)
    for one, other in zip(whole, split, strict=True):
        assert relative(one.denoised, other.denoised) < 1e-5


@dataclass(frozen=True)
class SizedConditioning(TextConditioning):
    """A plugin's conditioning with one more tensor and one more number."""

    sizes: Any = None
    skip: int = 0


def test_more_fields_of_a_conditioning_are_batched_too() -> None:
    seen: list[Conditioning] = []

    class Listening(RandomNetwork):
        def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning = WORDS) -> Tensor:
            seen.append(conditioning)
            return super().__call__(x, timestep, conditioning)

    one = SizedConditioning("tiny", torch.zeros(1, 3, 8), torch.ones(1, 2), torch.tensor([[5, 6]]))
    denoiser = NetworkDenoiser(Listening(), handle(CHAIN))
    denoiser(torch.zeros(SHAPE), 1.0, [one, replace(one, sizes=torch.tensor([[7, 8]]))])
    denoiser(torch.zeros(SHAPE), 1.0, [one, replace(one, skip=1)])
    joined, *apart = seen
    assert isinstance(joined, SizedConditioning)
    assert joined.sizes.tolist() == [[5, 6], [7, 8]]
    assert len(apart) == 2


def test_a_conditioning_for_another_batch_is_refused() -> None:
    with pytest.raises(ValueError, match=r"embeddings: is made for 3 images; allowed are 1 or the latent's batch of 1"):
        NetworkDenoiser(RandomNetwork(), handle(CHAIN))(torch.zeros(SHAPE), 1.0, [words(0, batch=3)])


def test_a_second_half_of_channels_is_the_learned_variance() -> None:
    prediction = NetworkDenoiser(RandomNetwork(out=8), handle(CHAIN))(torch.ones(SHAPE), 1.0, [words(0)])[0]
    assert prediction.variance is not None
    assert prediction.variance.shape == prediction.denoised.shape == SHAPE


# --- guidance -------------------------------------------------------------------------------------------------------


def guide(scale: float, rescale: float = 0.0, prediction: Prediction = "epsilon") -> ClassifierFreeGuidance:
    return ClassifierFreeGuidance(handle(CHAIN, prediction), words(0.5), words(-0.5), scale, rescale)


def raw(network: RandomNetwork, x: Tensor, sigma: float, value: float) -> Tensor:
    return network(x * CHAIN.input_scale(sigma), torch.tensor([CHAIN.timestep(sigma)]), words(value))


def test_scale_one_and_no_guidance_ask_once_for_the_positive() -> None:
    x, network = torch.ones(SHAPE), RandomNetwork()
    denoiser = NetworkDenoiser(network, handle(CHAIN))
    plain = guided(denoiser, NoGuidance(handle(CHAIN), words(0.5)).guidance())(x, 2.0)
    one = guided(denoiser, guide(1.0).guidance())(x, 2.0)
    assert [len(seen) for seen, _ in network.calls] == [1, 1]
    assert torch.equal(plain.denoised, one.denoised)


@given(st.floats(0, 20), st.sampled_from(["epsilon", "v"]))
def test_guiding_the_sample_is_guiding_the_output(scale: float, prediction: Prediction) -> None:
    x, sigma, network = torch.ones(SHAPE), 2.0, RandomNetwork()
    denoiser = NetworkDenoiser(network, handle(CHAIN, prediction))
    ours = guided(denoiser, guide(scale, prediction=prediction).guidance())(x, sigma).denoised
    positive, negative = raw(network, x, sigma, 0.5), raw(network, x, sigma, -0.5)
    c_skip, c_out = preconditioning(prediction, CHAIN, sigma)
    assert torch.allclose(ours, c_skip * x + c_out * (negative + scale * (positive - negative)), atol=1e-4)


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
@pytest.mark.parametrize("rescale", [0.3, 0.7, 1.0])
def test_rescale_draws_the_output_s_deviation_back_per_image(rescale: float, prediction: Prediction) -> None:
    generator = torch.Generator().manual_seed(0)
    x, sigma, network = torch.randn(SHAPE, generator=generator), 2.0, RandomNetwork()
    denoiser = NetworkDenoiser(network, handle(CHAIN, prediction))
    ours = guided(denoiser, guide(7.5, rescale, prediction).guidance())(x, sigma).denoised
    positive, negative = raw(network, x, sigma, 0.5), raw(network, x, sigma, -0.5)
    # Lin et al. 2024, algorithm 2, on the network's output
    output = negative + 7.5 * (positive - negative)
    axes = [1, 2, 3]
    matched = output * positive.std(dim=axes, keepdim=True) / output.std(dim=axes, keepdim=True)
    c_skip, c_out = preconditioning(prediction, CHAIN, sigma)
    assert relative(ours, c_skip * x + c_out * (rescale * matched + (1 - rescale) * output)) < 1e-5


# --- other ways to combine ------------------------------------------------------------------------------------------


def told(guider: Guider, x: Tensor, sigma: float = 2.0) -> list[Tensor]:
    """Return the predictions that a guider combines, and what it makes of them, last."""
    guidance = guider.at(0.5).guidance()
    denoiser = NetworkDenoiser(RandomNetwork(), guider.denoiser)
    predictions = denoiser(x, sigma, guidance.conditionings(sigma))
    return [*(prediction.denoised for prediction in predictions), guidance.combine(x, sigma, predictions).denoised]


def pictures(batch: int = 2) -> Tensor:
    return torch.randn(batch, *SHAPE[1:], generator=torch.Generator().manual_seed(0))


PROMPTS = (words(0.5), words(0.1), words(-0.5))


@given(st.floats(1, 15), st.floats(0, 1), st.sampled_from([0.0, 0.5, 5.0]))
def test_projected_guidance_is_diffusers(scale: float, parallel: float, most: float) -> None:
    from diffusers.guiders.adaptive_projected_guidance import normalized_guidance

    guider = ProjectedGuidance(handle(CHAIN), words(0.5), words(-0.5), scale, parallel, most)
    positive, negative, found = told(guider, pictures())
    assert torch.allclose(
        found, normalized_guidance(positive, negative, scale - 1, None, parallel, most, True), atol=1e-4
    )
    if parallel == 1 and most == 0:
        assert torch.allclose(found, negative + scale * (positive - negative), atol=1e-4)


@given(st.floats(1, 15), st.sampled_from(["epsilon", "v", "flow"]))
def test_zero_star_scales_the_negative_output_to_fit(scale: float, prediction: Prediction) -> None:
    from diffusers.guiders.classifier_free_zero_star_guidance import cfg_zero_star_scale

    path: Path = Flow() if prediction == "flow" else CHAIN
    x, sigma = pictures(), 0.7
    own = handle(path, prediction)
    positive, negative, found = told(ZeroStarGuidance(own, words(0.5), words(-0.5), scale, 0.1), x, sigma)
    c_skip, c_out = preconditioning(prediction, path, sigma)
    outputs = [((value - c_skip * x) / c_out).flatten(1) for value in (positive, negative)]
    fitted = cfg_zero_star_scale(*outputs) * outputs[1]
    output = (fitted + scale * (outputs[0] - fitted)).reshape(x.shape)
    assert torch.allclose(found, c_skip * x + c_out * output, atol=1e-3)


def test_zero_star_stands_still_at_first() -> None:
    guider = ZeroStarGuidance(handle(Flow(), "flow"), words(0.5), words(-0.5), 4.0, 0.1)
    assert [guider.at(progress).still for progress in (0.0, 0.09, 0.1, 0.5)] == [True, True, False, False]
    x = pictures()
    guidance = guider.at(0.0).guidance()
    (prediction,) = NetworkDenoiser(RandomNetwork(), guider.denoiser)(x, 0.9, guidance.conditionings(0.9))
    denoised = guidance.combine(x, 0.9, [prediction]).denoised
    assert torch.equal((x - denoised) / 0.9, torch.zeros_like(x))  # the slope of the ODE


@given(st.floats(0, 15), st.floats(0, 5))
def test_perpendicular_guidance_takes_only_what_is_across(scale: float, negative_scale: float) -> None:
    guider = PerpendicularGuidance(handle(CHAIN), *PROMPTS, scale, negative_scale)
    values = [value.double().flatten(1).numpy() for value in told(guider, pictures())]
    for positive, negative, empty, found in zip(*values, strict=True):
        wanted, unwanted = positive - empty, negative - empty
        across = unwanted - wanted * (unwanted @ wanted) / (wanted @ wanted)
        assert np.allclose(found, empty + scale * (wanted - negative_scale * across), atol=1e-3)


def test_a_negative_prompt_along_the_positive_one_counts_for_nothing() -> None:
    guider = PerpendicularGuidance(handle(CHAIN), words(0.5), words(0.5), words(-0.5), 3.0, 9.0)
    positive, _, empty, found = told(guider, pictures())
    assert torch.allclose(found, empty + 3 * (positive - empty), atol=1e-4)


@pytest.mark.parametrize("most", [1.0, 1.5, 100.0])
def test_thresholds_are_diffusers(most: float) -> None:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    inner = ClassifierFreeGuidance(handle(CHAIN), words(0.5), words(-0.5), 5.0)
    scheduler = DDIMScheduler(dynamic_thresholding_ratio=0.9, sample_max_value=most)
    *_, plain = told(inner, pictures())
    *_, found = told(ThresholdedGuidance(inner.denoiser, inner, 0.9, most), pictures())
    assert torch.allclose(found, scheduler._threshold_sample(plain), atol=1e-6)
    assert float(found.abs().max()) <= 1
