"""`prompt_to_prompt.edit`: tokens mapped by hand, attention by its formula, and a first image that is never touched."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from nodes.test_patches import quiet
from tiny import Arch, shared_tiny
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from graphgen import Place
from graphgen.config import Config
from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen.report import Report
from graphgen.residency import Residency
from graphgen_nodes.attention import explicit_attention
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import denoiser_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.prompt_to_prompt.attending import CrossChange, SelfChange, Sharing
from graphgen_nodes.prompt_to_prompt.mapping import Tokens, parse_words, refined, swapped, token_map, tokens_of
from graphgen_nodes.prompt_to_prompt.patch import PromptEdit
from graphgen_nodes.sockets import TextConditioning
from graphgen_nodes.text.tokenizers import load_tokenizer

WORKFLOW = Path(__file__).parents[2] / "workflows" / "prompt_to_prompt.json"
SMALL: dict[str, Any] = {"width": 64, "height": 64, "steps": 4}
ARCHES: tuple[Arch, ...] = ("sd1", "sd2", "sdxl")


@pytest.fixture(scope="module")
def made() -> Iterator[Engine]:
    arches: tuple[Arch, ...] = (*ARCHES, "sd3")
    (folder,) = {shared_tiny(arch).folder.parent for arch in arches}
    with Engine(Config.load({"models": str(folder)}), build_registry(find_plugins())) as found:
        yield found


def edited(made: Engine, *, plain: bool = False, limit: int = 0, **given: JSON) -> Report:
    """Run the workflow; `plain` leaves the edit of attention out, with everything else the same."""
    workflow = json.loads(WORKFLOW.read_text(encoding="utf-8"))
    workflow["nodes"]["sample"].setdefault("settings", {})["batch_limit"] = limit
    if plain:
        workflow["nodes"]["guider"]["inputs"]["denoiser"] = "model.denoiser"
    return made.run(workflow, given)


def drawn(made: Engine, **given: Any) -> Tensor:
    image: Any = edited(made, **given).outputs["picture"]
    pixels: Tensor = image.pixels
    return pixels


def digest(pixels: Tensor) -> str:
    return sha256(pixels.numpy().tobytes()).hexdigest()


# --- tokens, by hand --------------------------------------------------------------------------------------------------


def tokens(text: str, length: int = 16) -> Tokens:
    return tokens_of(text, load_tokenizer("clip"), length)


def matrix(found: Any) -> Tensor:
    made = torch.zeros(found.length, found.length)
    for i, j, weight in found.entries:
        made[i, j] = weight
    return made


def test_words_know_their_tokens() -> None:
    found = tokens("a photo of a tabby-cat, sitting")
    assert [word for word, _ in found.words] == ["a", "photo", "of", "a", "tabby-cat,", "sitting"]
    assert found.places("photo of") == (2, 3)
    assert len(found.places("tabby-cat")) == 4  # tabby - cat ,
    assert found.places("Sitting") == (found.used - 2,)
    with pytest.raises(ValueError, match="'dog' is no word of the prompt"):
        found.places("dog")


def test_a_swapped_word_of_as_many_tokens_takes_the_other_s_place() -> None:
    assert torch.equal(matrix(swapped(tokens("a red apple"), tokens("a blue apple"))), torch.eye(16))


def test_a_swapped_word_of_more_tokens_shares_out_the_other_s_attention() -> None:
    """Cat is one token and chinchilla several: each takes an even part, and what follows moves on."""
    source, target = tokens("a cat here"), tokens("a chinchilla here")
    count = len(target.places("chinchilla"))
    assert count > 1
    found = matrix(swapped(source, target))
    assert found[2, 2 : 2 + count].tolist() == pytest.approx([1 / count] * count)
    assert found[3, 2 + count] == 1  # here
    assert found[0, 0] == found[1, 1] == found[4, 3 + count] == 1  # begin, a, end
    back = matrix(swapped(target, source))
    assert back[2 : 2 + count, 2].tolist() == [1.0] * count  # the sum of what several had
    assert back[2 + count, 3] == 1


def test_refining_keeps_what_both_have_and_knows_what_is_new() -> None:
    source, target = tokens("a car on a street"), tokens("a red car on a wet street")
    found = refined(source, target)
    places = {(i, j) for i, j, _ in found.entries if j < target.used}
    assert places == {(0, 0), (1, 1), (2, 3), (3, 4), (4, 5), (5, 7), (6, 8)}
    assert set(range(target.used)) - found.mapped == {2, 6}  # red, wet
    assert all(i == j for i, j, _ in found.entries if j >= target.used)
    swap = refined(tokens("a red apple"), tokens("a blue apple"))
    assert 2 not in swap.mapped


def test_auto_swaps_words_where_there_are_as_many() -> None:
    assert token_map(tokens("a cat"), tokens("a dog")) == swapped(tokens("a cat"), tokens("a dog"))
    assert token_map(tokens("a cat"), tokens("a big cat")) == refined(tokens("a cat"), tokens("a big cat"))
    with pytest.raises(ValueError, match="has 3 words and the source 2"):
        token_map(tokens("a cat"), tokens("a big cat"), "replace")


def test_words_with_numbers() -> None:
    assert parse_words("red 1.5, green leaf -2") == (("red", 1.5), ("green leaf", -2.0))
    for text in ("red", "1.5", "red inf", "red big"):
        with pytest.raises(ValueError, match="is no word and number"):
            parse_words(text)


# --- attention, by its formula ----------------------------------------------------------------------------------------


def states(seed: int, *, keys: int = 12) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    query, key, value = (torch.randn(4, 2, count, 8, generator=generator) for count in (9, keys, keys))
    return query, key, value, scaled_dot_product_attention(query, key, value)


@pytest.fixture(scope="module")
def sharing() -> Iterator[Sharing]:
    residency = Residency([ModelLoader()], Place("cpu", "float32"))
    with residency.lease(denoiser_handle(open_checkpoint(shared_tiny("sd1").file)), quiet) as network:
        made = Sharing(network, PromptEdit((), (1.0,) * 12, (1.0,) * 12, 1.0))
        made.rows = (0, 1)
        yield made


def test_explicit_attention_is_torch_s() -> None:
    query, key, value, mixed = states(0)
    difference = float((explicit_attention(query, key) @ value - mixed).abs().max())
    print(f"explicit attention: {difference:.1e}")
    assert difference < 2e-6


def test_an_edit_takes_the_source_s_attention_to_words(sharing: Sharing) -> None:
    """Token 0 is kept, 1 takes token 2's attention twice as strongly, 2 is new, 3 ceased to take any."""
    query, key, value, mixed = states(1)
    mapper = torch.eye(12)
    mapper[:, 1], mapper[:, 2], mapper[2, 1] = 0, 0, 1
    kept, scales = torch.ones(12), torch.ones(12)
    kept[3], scales[1] = 0, 2
    found = CrossChange(sharing, mapper, kept, scales)(query, key, value, mixed)
    base, own = (torch.softmax(query[row] @ key[row].transpose(-1, -2) * 8**-0.5, dim=-1) for row in (0, 1))
    expected = base.clone()
    expected[..., 1], expected[..., 2], expected[..., 3] = 2 * base[..., 2], own[..., 2], own[..., 3]
    torch.testing.assert_close(found[1], expected @ value[1], rtol=0, atol=1e-6)
    assert torch.equal(found[[0, 2, 3]], mixed[[0, 2, 3]])


def test_an_edit_takes_the_source_s_attention_to_itself(sharing: Sharing) -> None:
    query, key, value, mixed = states(2, keys=9)
    found = SelfChange(sharing)(query, key, value, mixed)
    weights = torch.softmax(query[0] @ key[0].transpose(-1, -2) * 8**-0.5, dim=-1)
    torch.testing.assert_close(found[1], weights @ value[1], rtol=0, atol=1e-6)
    assert torch.equal(found[[0, 2, 3]], mixed[[0, 2, 3]])


# --- pictures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ARCHES)
def test_the_first_image_is_untouched_and_the_same_prompt_changes_nothing(model: str, made: Engine) -> None:
    plain, found = (drawn(made, model=model, plain=plain, **SMALL) for plain in (True, False))
    assert torch.equal(found[0], plain[0])
    assert (found[1] - plain[1]).abs().max() > 1e-3
    same = drawn(made, model=model, edited="a red apple", **SMALL)
    assert torch.equal(same[0], plain[0])
    difference = float((same[1] - same[0]).abs().max())
    print(f"{model}, the same prompt: {difference:.1e}")
    assert difference < 2e-5


def test_shares_and_words_act_on_the_edit_alone(made: Engine) -> None:
    given: dict[str, Any] = {"model": "sd1", **SMALL}
    plain, whole = drawn(made, plain=True, **given), drawn(made, **given)
    assert digest(drawn(made, **given, cross=0.0, self=0.0)) == digest(plain)
    assert digest(drawn(made, **given, words="apple 1")) == digest(whole)
    louder = drawn(made, **given, words="apple 3")
    assert torch.equal(louder[0], whole[0])
    assert not torch.equal(louder[1], whole[1])
    early, late = drawn(made, **given, cross=0.5, self=0.0), drawn(made, **given, cross=1.0, self=0.0)
    assert len({digest(pixels) for pixels in (plain, whole, louder, early, late)}) == 5
    assert torch.allclose(drawn(made, **given, limit=2), whole, atol=1e-5)


def test_an_apple_turns_blue_and_keeps_its_shape() -> None:
    """With the embedded model: fewer pixels change between picture and background than without shared attention."""
    with Engine(Config.load({})) as emoji:
        shared, plain = (drawn(emoji, plain=plain, steps=10) for plain in (False, True))
    middle = shared[:, :, 24:40, 24:40].mean(dim=(2, 3))
    assert middle.argmax(dim=1).tolist() == [0, 2]
    moved = [int((shape[0] != shape[1]).sum()) for shape in (pixels.amin(dim=1) < 0.8 for pixels in (shared, plain))]
    print(f"pixels that change sides: {moved[0]} with shared attention, {moved[1]} without")
    assert moved[0] < moved[1] / 2


# --- what is refused --------------------------------------------------------------------------------------------------


def test_what_cannot_be_is_refused_when_checked(made: Engine) -> None:
    def refused(**given: JSON) -> str:
        with pytest.raises(WorkflowError) as caught:
            made.check(WORKFLOW, given)
        return str(caught.value)

    assert "edit.denoiser: is of Stable Diffusion 3, which has no cross-attention" in refused(model="sd3")
    assert "edit.words: 'loud' is no word and number" in refused(model="sd1", words="loud")
    with pytest.raises(WorkflowError, match=r"sample\.batch_limit: is 1, but the picture and its edit must"):
        edited(made, limit=1, model="sd1")


def test_words_that_are_not_there_are_refused_when_run(made: Engine) -> None:
    (failure,) = edited(made, model="sd1", **SMALL, words="pear 2").failures
    assert failure.node == "edit"
    assert "'pear' is no word of the prompt 'a blue apple'" in str(failure)


def test_images_that_are_parted_are_refused_in_the_network() -> None:
    """As where nothing is known before a run."""
    residency = Residency([ModelLoader()], Place("cpu", "float32"))
    edit = PromptEdit((), (1.0,) * 77, (1.0,) * 77, 1.0)
    own = replace(denoiser_handle(open_checkpoint(shared_tiny("sd1").file)), patches=(edit,))
    with residency.lease(own, quiet) as network, pytest.raises(ValueError, match="let the latent's batch be 2"):
        network(torch.zeros(1, 4, 8, 8), torch.zeros(1), TextConditioning("sd1", torch.zeros(1, 77, 64)))  # type: ignore[operator]
