"""Conditionings made of several: weighted means at each place, parts of the schedule, and every identity they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from nodes.resuming_kit import Shelf
from nodes.sampling_oracles import PATHS, SHAPE, RandomNetwork, handle
from nodes.test_guiders import words
from nodes.test_resuming import B, draw, guide, same
from tiny import Arch, shared_tiny
from torch import Tensor

import graphgen
from graphgen import Facts, Known, Refusal
from graphgen.node import spec_of
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen_nodes import Conditioning, Image, LabelConditioning, Mask, TextConditioning
from graphgen_nodes.compositions import Composition, Part, parts_of
from graphgen_nodes.facts import check_conditioning
from graphgen_nodes.packs import composing, guiders
from graphgen_nodes.sampling.denoiser import NetworkDenoiser
from graphgen_nodes.sampling.guidance import guided

A, C = words(0.7), words(-0.2)
X = torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))
LEFT: dict[str, Any] = {"left": 0.0, "width": 0.5}
RIGHT: dict[str, Any] = {"left": 0.5, "width": 0.5}


class Blurring(RandomNetwork):
    """A network whose every output depends on all it sees."""

    def __call__(self, x: Tensor, timestep: Tensor, conditioning: Conditioning = A) -> Tensor:
        return super().__call__(x + x.mean(dim=(2, 3), keepdim=True), timestep, conditioning)


def predicted(
    *given: Conditioning, x: Tensor = X, network: RandomNetwork | None = None, limit: int = 0
) -> list[Tensor]:
    denoiser = NetworkDenoiser(network or Blurring(), handle(PATHS["preserving"]), batch_limit=limit)
    return [found.denoised for found in denoiser(x, 2.0, given)]


def halves(rows: int = 8, columns: int = 8) -> Mask:
    values = torch.zeros(1, rows, columns)
    values[..., : columns // 2] = 1
    return Mask(values)


# --- several at once --------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 7), st.integers(1, 8), st.floats(0.1, 5)), min_size=1, max_size=4),
    st.floats(0.1, 5),
)
@settings(max_examples=20)
def test_a_composition_predicts_the_mean_weighed_at_each_place(
    areas: list[tuple[int, int, float]], whole: float
) -> None:
    """Against a loop over columns; areas are columns of an eighth each."""
    prompts = [words(0.1 * number) for number in range(len(areas) + 1)]
    parts = [
        composing.area(prompt, left=left / 8, width=width / 8, strength=strength)
        for prompt, (left, width, strength) in zip(prompts, areas, strict=False)
    ]
    found, *alone = predicted(
        composing.combine(*parts, composing.area(prompts[-1], width=1.0, strength=whole)), *prompts
    )
    for column in range(8):
        weights = [s if left <= column < left + width else 0.0 for left, width, s in areas] + [whole]
        mean = sum(w * each[..., column] for w, each in zip(weights, alone, strict=True)) / sum(weights)
        torch.testing.assert_close(found[..., column], mean, rtol=0, atol=1e-5)


def test_two_halves_of_one_prompt_are_the_prompt() -> None:
    pair = composing.combine(composing.area(A, **LEFT), composing.area(A, **RIGHT))
    third = composing.combine(composing.area(A, width=1 / 3), composing.area(A, left=1 / 3, width=2 / 3))
    for composed in (pair, third, composing.combine(A, A), composing.area(A, width=1.0, height=1.0, strength=0.3)):
        found, whole = predicted(composed, A)
        torch.testing.assert_close(found, whole, rtol=0, atol=1e-6)


def test_outside_of_its_mask_a_prompt_changes_nothing() -> None:
    here = halves()
    rest = Mask(1 - here.values)
    one = composing.combine(composing.mask(A, here), composing.mask(B, rest))
    other = composing.combine(composing.mask(A, here), composing.mask(C, rest))
    first, second, alone = predicted(one, other, A)
    assert torch.equal(first[..., :4], second[..., :4])
    assert torch.equal(first[..., :4], alone[..., :4])
    assert not torch.isclose(first[..., 4:], second[..., 4:]).any()


@pytest.mark.parametrize("size", [(64, 64), (8, 8), (4, 2)])
def test_a_mask_of_any_size_is_stretched_over_the_picture(size: tuple[int, int]) -> None:
    mask = halves(*size)
    found = predicted(composing.combine(composing.mask(A, mask), composing.area(B, **RIGHT)))[0]
    expected = predicted(composing.combine(composing.area(A, **LEFT), composing.area(B, **RIGHT)))[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)


def test_masks_may_differ_for_each_image_of_a_batch() -> None:
    masks = Mask(torch.cat([halves().values, 1 - halves().values]))
    composed = composing.combine(composing.mask(A, masks), composing.mask(B, Mask(1 - masks.values)))
    x = torch.cat([X, X])
    found, a, b = predicted(composed, A, B, x=x)
    assert torch.equal(found[0, ..., :4], a[0, ..., :4])
    assert torch.equal(found[1, ..., :4], b[1, ..., :4])
    with pytest.raises(ValueError, match="has a mask for 2 images; allowed are 1 or the latent's batch of 3"):
        predicted(composed, x=torch.cat([X, X, X]))


def test_restrictions_of_restrictions_are_where_both_are() -> None:
    nested = composing.area(composing.mask(A, halves(), strength=2.0), top=0.5, height=0.5, width=1.0, strength=3.0)
    (part,) = parts_of(nested)
    assert (part.strength, len(part.regions)) == (6.0, 2)
    found, a, b = predicted(composing.combine(nested, composing.mask(B, Mask(1 - halves().values)), B), A, B)
    torch.testing.assert_close(found[..., 4:, :4], (6 * a + b)[..., 4:, :4] / 7, rtol=0, atol=1e-6)
    torch.testing.assert_close(found[..., :4, :4], b[..., :4, :4], rtol=0, atol=1e-6)


def test_a_place_without_a_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="says nothing of 32 of the latent's 64 cells"):
        predicted(composing.area(A, **LEFT))
    with pytest.raises(ValueError, match="says nothing of 64"):
        predicted(composing.combine(composing.area(A, width=1.0, strength=0.0)))


def test_alone_the_network_is_shown_the_region_and_nothing_else() -> None:
    network = Blurring()
    pair = composing.combine(composing.area(A, alone=True, **LEFT), composing.area(B, alone=True, **RIGHT))
    found = predicted(pair, network=network)[0]
    assert [seen.shape[-2:] for seen, _ in network.calls] == [(8, 4), (8, 4)]
    left, right = predicted(A, x=X[..., :4])[0], predicted(B, x=X[..., 4:])[0]
    torch.testing.assert_close(found, torch.cat([left, right], dim=-1), rtol=0, atol=1e-6)
    pointwise = predicted(pair, network=RandomNetwork())[0]
    seeing = predicted(
        composing.combine(composing.area(A, **LEFT), composing.area(B, **RIGHT)), network=RandomNetwork()
    )[0]
    torch.testing.assert_close(pointwise, seeing, rtol=0, atol=1e-6)


def test_windows_are_of_whole_patches_and_an_empty_one_is_not_looked_at() -> None:
    network = Blurring()
    small = composing.area(A, left=0.4, width=0.2, alone=True)  # 3.2 to 4.8 of 8 cells
    nowhere = composing.mask(small, Mask(torch.zeros(1, 4, 4)))
    predicted(composing.combine(small, nowhere, B), network=network)
    assert [seen.shape[-2:] for seen, _ in network.calls] == [(8, 4), (8, 8)]


def test_parts_share_calls_within_the_limit() -> None:
    network = Blurring()
    several = composing.combine(A, B, C)
    predicted(several, B, network=network)
    assert [len(seen) for seen, _ in network.calls] == [4]
    network.calls.clear()
    predicted(several, B, network=network, limit=1)
    assert [len(seen) for seen, _ in network.calls] == [1, 1, 1, 1]


def test_learned_variances_are_weighed_alike() -> None:
    network = RandomNetwork(out=8)
    denoiser = NetworkDenoiser(network, handle(PATHS["preserving"]))
    found, a, b = denoiser(X, 2.0, [composing.combine(composing.area(A, width=1.0, strength=3.0), B), A, B])
    assert found.variance is not None
    assert a.variance is not None
    assert b.variance is not None
    torch.testing.assert_close(found.variance, (3 * a.variance + b.variance) / 4)


def test_every_guider_gets_compositions_for_nothing() -> None:
    """Guidance on both sides is that of the two means; also around another guider."""
    model = handle(PATHS["preserving"])
    positive = composing.combine(composing.area(A, **LEFT), composing.area(B, **RIGHT))
    negative = composing.combine(B, C)
    predict = NetworkDenoiser(Blurring(), model)
    p, n = (found.denoised for found in predict(X, 2.0, [positive, negative]))
    guider = guiders.classifier_free(model, positive, negative, scale=3.0).at(0.0)
    found = guided(predict, guider.guidance())(X, 2.0).denoised
    torch.testing.assert_close(found, n + 3.0 * (p - n))
    clipped = guiders.clip(guider, low=-0.5, high=0.5).at(0.0)
    torch.testing.assert_close(guided(predict, clipped.guidance())(X, 2.0).denoised, found.clamp(-0.5, 0.5))


# --- over the schedule ------------------------------------------------------------------------------------------------


def test_always_and_everywhere_is_the_prompt_itself() -> None:
    """Bit for bit, since it is the same object."""
    assert composing.between(A) is A
    assert composing.combine(A) is A
    assert composing.switch(A, B, at=0.0) is B
    assert composing.switch(A, B, at=1.0) is A
    assert composing.between(A, B, start=0.3, end=0.6).at(0.3) is A
    assert composing.combine(A, composing.between(B, end=0.5)).at(0.5) is A


def test_what_is_said_changes_on_the_way() -> None:
    three = composing.between(A, B, start=0.25, end=0.5)
    assert [three.at(step / 8) is A for step in range(8)] == [False, False, True, True, False, False, False, False]
    assert three.at(0.0) is B
    assert three.at(0.9) is B
    later = composing.between(composing.switch(A, B, at=0.5), C, start=0.4, end=0.6)
    assert [later.at(share) for share in (0.3, 0.45, 0.55, 0.7)] == [C, A, B, C]
    both = composing.combine(A, composing.between(B, end=0.5))
    assert both.at(0.0) == Composition("tiny", (Part(A), Part(B)))


def test_a_time_without_a_prompt_is_refused_before_anything_is_loaded() -> None:
    shelf = Shelf()
    for silent in (composing.between(A, start=0.5), composing.between(composing.between(A, end=0.3), start=0.5)):
        with pytest.raises(ValueError, match="says nothing at 0 of the schedule"):
            draw(shelf, guide(positive=silent))
    assert shelf.leased == []
    assert draw(shelf, guiders.switch(guide(), guide(positive=composing.between(A, start=0.5)), at=0.5))


def test_a_changed_prompt_is_a_switched_guider_and_only_its_steps_run_again() -> None:
    shelf = Shelf()
    changed = draw(shelf, guide(positive=composing.switch(A, C, at=0.5)))
    assert same(changed, draw(Shelf(), guiders.switch(guide(positive=A), guide(positive=C), at=0.5)))
    assert not same(changed, draw(Shelf(), guide()))
    again = Shelf(shelf.kept)
    draw(again, guide(positive=composing.switch(A, B, at=0.5)))
    assert again.logged == ["goes on from step 3 of 6"]


def test_a_composition_that_was_kept_goes_on_bit_for_bit() -> None:
    positive = composing.combine(
        composing.mask(A, halves()),
        composing.between(composing.area(C, alone=True), end=0.5),
        composing.area(B, width=1.0),
    )
    whole, shelf = draw(Shelf(), guide(positive=positive), keep_every=0), Shelf()
    draw(shelf, guide(positive=positive, end=0.7))
    again = Shelf(shelf.kept)
    assert same(draw(again, guide(positive=positive)), whole)
    assert again.logged == ["goes on from step 5 of 6"]


def test_compositions_travel() -> None:
    codec = build_registry(find_plugins()).codec
    value = composing.combine(composing.mask(A, halves(), strength=2.0, alone=True), composing.between(B, start=0.5))
    again = codec.decode(codec.encode(value))
    assert isinstance(again, Composition)
    first, second = again.parts
    assert first.regions[0].mask is not None
    assert torch.equal(first.regions[0].mask, halves().values)
    assert (first.strength, first.alone, second.start) == (2.0, True, 0.5)


# --- numbers ----------------------------------------------------------------------------------------------------------


def text(value: float, tokens: int = 3, *, pooled: bool = True) -> TextConditioning:
    return TextConditioning("tiny", torch.full((1, tokens, 8), value), torch.full((1, 4), -value) if pooled else None)


@given(st.floats(0, 1))
def test_a_blend_is_between_the_two(ratio: float) -> None:
    found = composing.blend(text(1.0), text(3.0), ratio=ratio)
    assert isinstance(found, TextConditioning)
    torch.testing.assert_close(found.embeddings, torch.full((1, 3, 8), 1 + 2 * ratio))
    torch.testing.assert_close(found.pooled, torch.full((1, 4), -1 - 2 * ratio))


def test_at_its_ends_a_blend_is_one_of_the_two() -> None:
    one, other = text(1.0), text(3.0)
    assert composing.blend(one, other, ratio=0.0) is one
    assert composing.blend(one, other, ratio=1.0) is other
    with pytest.raises(Refusal, match="has 5 tokens, and the first 3"):
        composing.blend(one, text(1.0, 5))
    with pytest.raises(Refusal, match="is several prompts"):
        composing.blend(composing.area(one), other)
    with pytest.raises(Refusal, match="is no prompt"):
        composing.blend(one, LabelConditioning("tiny", torch.tensor([1])))


def test_joined_prompts_have_the_tokens_of_both_and_the_rest_of_the_first() -> None:
    found = composing.join(text(1.0), text(3.0, 5))
    assert isinstance(found, TextConditioning)
    assert found.embeddings[0, :, 0].tolist() == [1.0] * 3 + [3.0] * 5
    assert found.pooled is not None
    assert found.pooled[0, 0] == -1


def test_zeros_are_of_all_or_of_one_part() -> None:
    for what, (tokens, pooled) in {"all": (0, 0), "tokens": (0, -2), "pooled": (2, 0)}.items():
        found = composing.zero(text(2.0), what=what)  # type: ignore[arg-type]
        assert isinstance(found, TextConditioning)
        assert found.pooled is not None
        assert {float(number) for number in found.embeddings.flatten()} == {tokens}
        assert {float(number) for number in found.pooled.flatten()} == {pooled}
    assert composing.zero(text(2.0, pooled=False), what="pooled").pooled is None  # type: ignore[attr-defined]
    several = composing.zero(composing.area(text(2.0), strength=0.5))
    assert isinstance(several, Composition)
    assert several.parts[0].strength == 0.5
    assert not several.parts[0].conditioning.embeddings.any()  # type: ignore[attr-defined]
    with pytest.raises(Refusal, match="is a class label"):
        composing.zero(LabelConditioning("tiny", torch.tensor([1])))


# --- what is known ----------------------------------------------------------------------------------------------------

WORDS: Facts = {"family": "sd1", "batch": 1, "tokens": 77, "embedding": 64, "pooled": 0}


def infer(node: Any, many: tuple[Facts, ...] = (), **given: Any) -> Facts:
    """Return what is known of a node's conditioning; wires are mappings, settings are not."""
    spec = spec_of(node)
    assert spec.infer is not None
    inputs = {name: value for name, value in given.items() if isinstance(value, dict)}
    values = {name: value for name, value in given.items() if not isinstance(value, dict)}
    several = {"conditionings": many} if many else {}
    return spec.infer(Known(inputs, several, values, lambda root, name: Path(root, name)))["conditioning"]


def test_what_is_composed_is_known() -> None:
    long, five = {**WORDS, "tokens": 154}, {**WORDS, "batch": 5}
    at_once = {"several": True}
    assert infer(composing.combine, (WORDS, WORDS)) == {**WORDS, **at_once}
    assert infer(composing.combine, (WORDS, long, five)) == {k: v for k, v in five.items() if k != "tokens"} | at_once
    assert infer(composing.combine, (WORDS, {})) == {"family": "sd1", "embedding": 64, "pooled": 0}
    assert infer(composing.combine, ({**WORDS, "alone": True}, WORDS)) == {**WORDS, "alone": True, **at_once}
    assert infer(composing.mask, conditioning=WORDS, mask={"batch": 3})["batch"] == 3
    assert infer(composing.join, first=WORDS, second=long)["tokens"] == 231
    assert infer(composing.between, conditioning=WORDS, otherwise=WORDS, start=0.2, end=0.3) == WORDS


def test_that_several_act_at_once_is_said_where_it_is_sure() -> None:
    """Not of prompts that never act together, nor where a share of the schedule, or a prompt, is not known."""
    early, late, overlapping = (
        infer(composing.between, conditioning=WORDS, start=start, end=end)
        for start, end in ((0.0, 0.5), (0.5, 1.0), (0.4, 1.0))
    )
    somewhere = infer(composing.between, conditioning=WORDS, start=0.5)
    turned = infer(composing.switch, first=WORDS, then=WORDS)
    assert somewhere["sometime"] is turned["sometime"] is True
    for apart in ((early, late), (WORDS, somewhere), (WORDS, turned), (WORDS, {}), (early, somewhere)):
        assert "several" not in infer(composing.combine, apart)
    for together in ((early, WORDS), (early, late, WORDS), (early, overlapping)):
        assert infer(composing.combine, together)["several"] is True


@pytest.mark.parametrize(
    ("message", "node", "given"),
    [
        (
            "has family sdxl, and the one before it sd1",
            composing.combine,
            {"many": (WORDS, {**WORDS, "family": "sdxl"})},
        ),
        ("has no wire", composing.combine, {}),
        ("is for 3 images, and the one before it for 2", composing.combine, {"many": ({"batch": 2}, {"batch": 3})}),
        ("has embedding 32", composing.switch, {"first": WORDS, "then": {**WORDS, "embedding": 32}}),
        ("has 154 tokens", composing.blend, {"first": WORDS, "second": {**WORDS, "tokens": 154}}),
        ("is 1, where the picture ends", composing.area, {"conditioning": WORDS, "left": 1.0, "width": 0.5}),
        ("is 0, so that the area is empty", composing.area, {"conditioning": WORDS, "top": 0.0, "height": 0.0}),
        ("is 0.5, at or after the end 0.5", composing.between, {"conditioning": WORDS, "start": 0.5, "end": 0.5}),
        ("is for 3 images", composing.mask, {"conditioning": {"batch": 2}, "mask": {"batch": 3}}),
    ],
)
def test_what_cannot_be_composed_is_refused(message: str, node: Any, given: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match=message):
        infer(node, **given)


def test_a_model_of_squares_is_not_shown_a_region_alone() -> None:
    with pytest.raises(Refusal, match="shows the model a region alone"):
        check_conditioning({"family": "dit", "square": True}, {"family": "dit", "alone": True}, at="positive")


def test_at_a_run_conditionings_of_two_models_are_refused() -> None:
    other = TextConditioning("sdxl", torch.zeros(1, 3, 8))
    for compose in (composing.combine, composing.switch, composing.blend, composing.join, composing.between):
        with pytest.raises(Refusal, match="has family sdxl, and the one before it tiny"):
            compose(A, other)


# --- every family -----------------------------------------------------------------------------------------------------


def picture(arch: Arch, conditioning: dict[str, Any], wire: str) -> Tensor:
    """Draw with a tiny model; `conditioning` are nodes that begin at `words.conditioning`."""
    models, side = shared_tiny(arch).folder, {"width": 64, "height": 64}
    text = {"type": "text.encode", "inputs": {"encoder": "model.text_encoder"}, "settings": {"text": "a red apple"}}
    label = {"type": "conditioning.label", "inputs": {"denoiser": "model.denoiser"}, "settings": {"label": "1"}}
    guided = {"denoiser": "model.denoiser", "positive": wire}
    sampled = {"guider": "guider.guider", "sampler": "sampler.sampler", "schedule": "schedule.schedule"}
    nodes: dict[str, Any] = {
        "model": {"type": "models.load", "settings": {"path": models.name}},
        "words": label if arch == "dit" else text,
        **conditioning,
        "guider": {"type": "guiders.none", "inputs": guided},
        "sampler": {"type": "samplers.euler"},
        "noise": {"type": "noise.gaussian"},
        "latent": {"type": "latents.empty", "inputs": {"denoiser": "model.denoiser"}, "settings": side},
        "schedule": {
            "type": "schedules.default",
            "inputs": {"denoiser": "model.denoiser", **({"latent": "latent.latent"} if arch == "flux" else {})},
            "settings": {"steps": 2},
        },
        "sample": {"type": "sampling.sample", "inputs": {**sampled, "noise": "noise.noise", "latent": "latent.latent"}},
        "picture": {
            "type": "autoencoder.decode",
            "inputs": {"autoencoder": "model.autoencoder", "latent": "sample.latent"},
        },
    }
    document: dict[str, Any] = {"graphgen": 1, "nodes": nodes, "outputs": {"picture": {"from": "picture.image"}}}
    found = graphgen.run(document)["picture"]
    assert isinstance(found, Image)
    return found.pixels


@pytest.mark.parametrize("arch", ["sd1", "sdxl", "sd3", "flux", "dit"])
def test_every_family_takes_compositions(arch: Arch, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two halves of a prompt are the prompt; each half alone is seen at its own size."""
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny(arch).folder.parent))
    plain = picture(arch, {}, "words.conditioning")
    for alone in (False, True)[: 1 if arch == "dit" else 2]:
        areas = {
            name: {
                "type": "conditioning.area",
                "inputs": {"conditioning": "words.conditioning"},
                "settings": {**side, "alone": alone},
            }
            for name, side in (("one", LEFT), ("two", RIGHT))
        }
        both = {"type": "conditioning.combine", "inputs": {"conditionings": ["one.conditioning", "two.conditioning"]}}
        found = picture(arch, {**areas, "both": both}, "both.conditioning")
        assert found.shape == plain.shape
        assert (float((found - plain).abs().max()) < 1e-5) is not alone
