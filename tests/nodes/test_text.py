"""Check prompts' conditionings against what diffusers' pipelines make of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny import Arch, make_pipeline, shared_tiny

from graphgen import Place, Refusal
from graphgen_nodes import SizedConditioning, TextConditioning
from graphgen_nodes.checkpoints import open_checkpoint
from graphgen_nodes.families.handles import text_encoder_handle
from graphgen_nodes.loading import ModelLoader
from graphgen_nodes.text.encode import PromptEncoder
from graphgen_nodes.text.options import AS_TYPED, ReadingOptions

ARCHES: tuple[Arch, ...] = ("sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux")
CPU = torch.device("cpu")
PROMPTS = ["", "a red apple", "An ORANGE, on 3 tables (very detailed)", "빨간 사과 🍎"]


def encoder_of(arch: Arch, *, single: bool = False) -> PromptEncoder:
    tiny = shared_tiny(arch)
    handle = text_encoder_handle([open_checkpoint(tiny.file if single else tiny.folder)])
    found = ModelLoader().load(handle, Place("cpu", "float32"), lambda *_: None).module
    assert isinstance(found, PromptEncoder)
    return found


def encoded(encoder: PromptEncoder, prompt: str, warn: Callable[[str], None]) -> TextConditioning:
    """Return what a pipeline would make of a prompt: 75 tokens, brackets as typed."""
    found = encoder.encode(prompt, warn, options=AS_TYPED)
    assert isinstance(found, TextConditioning)
    return found


def refuse(message: str) -> None:
    raise AssertionError(message)


def reference(pipeline: Any, arch: Arch, prompt: str) -> tuple[torch.Tensor, torch.Tensor | None]:
    if arch == "sd3":
        found = pipeline.encode_prompt(prompt, None, None, device=CPU, do_classifier_free_guidance=False)
        return found[0], found[2]
    if arch in ("sdxl", "sdxl_refiner"):
        found = pipeline.encode_prompt(prompt, device=CPU, do_classifier_free_guidance=False)
        return found[0], found[2]
    if arch == "flux":
        states, pooled, _ = pipeline.encode_prompt(prompt, device=CPU)
        return states, pooled
    return pipeline.encode_prompt(prompt, CPU, 1, False)[0], None


@pytest.mark.parametrize("arch", ARCHES)
def test_conditioning_equals_the_pipeline_s(arch: Arch) -> None:
    pipeline, encoder = make_pipeline(arch, seed=0), encoder_of(arch)
    for prompt in PROMPTS:
        found = encoded(encoder, prompt, refuse)
        embeddings, pooled = reference(pipeline, arch, prompt)
        assert found.family == arch
        assert found.embeddings.shape == embeddings.shape
        torch.testing.assert_close(found.embeddings, embeddings, rtol=0, atol=1e-5)
        if pooled is None:
            assert found.pooled is None
        else:
            torch.testing.assert_close(found.pooled, pooled, rtol=0, atol=1e-5)


def test_each_encoder_reads_its_own_prompt() -> None:
    """An encoder without a prompt of its own reads the first, as in the pipeline."""
    pipeline, encoder = make_pipeline("sd3", seed=0), encoder_of("sd3")
    for prompt, second, third in (("a red apple", "a blue table", "a cat"), ("a red apple", "", "a cat")):
        found = encoder.encode(prompt, refuse, others=(second, third))
        assert isinstance(found, TextConditioning)
        expected = pipeline.encode_prompt(prompt, second, third, device=CPU, do_classifier_free_guidance=False)
        torch.testing.assert_close(found.embeddings, expected[0], rtol=0, atol=1e-5)
        torch.testing.assert_close(found.pooled, expected[2], rtol=0, atol=1e-5)
    xl = encoder_of("sdxl").encode("a red apple", refuse, others=("a blue table",))
    expected = make_pipeline("sdxl", seed=0).encode_prompt("a red apple", "a blue table", CPU, 1, False)
    assert isinstance(xl, TextConditioning)
    torch.testing.assert_close(xl.embeddings, expected[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(xl.pooled, expected[2], rtol=0, atol=1e-5)
    with pytest.raises(Refusal, match="text encoder 2, and the model has 1"):
        encoder_of("sd1").encode("a red apple", refuse, others=("a cat",))


@pytest.mark.parametrize("text", ["", " \n"])
def test_no_words_are_zeros_where_asked(text: str) -> None:
    encoder = encoder_of("sdxl")
    nothing, said = encoder.encode(text, refuse, options=ReadingOptions(empty="zeros")), encoder.encode(text, refuse)
    assert isinstance(nothing, SizedConditioning)
    assert isinstance(said, SizedConditioning)
    assert not nothing.embeddings.any()
    assert not nothing.pooled.any()  # type: ignore[union-attr]  # SDXL has a pooled prompt
    assert nothing.embeddings.shape == said.embeddings.shape
    assert said.embeddings.any()
    second = encoder.encode(text, refuse, others=("a cat",), options=ReadingOptions(empty="zeros"))
    assert isinstance(second, SizedConditioning)
    assert second.embeddings.any(), "one of the encoders has words to read"


@pytest.mark.parametrize("length", [32, 300])
def test_t5_reads_as_many_tokens_as_wanted(length: int) -> None:
    warnings: list[str] = []
    prompt = " ".join(["apple"] * 40)
    found = encoder_of("sd3").encode(prompt, warnings.append, options=ReadingOptions(length=length))
    assert isinstance(found, TextConditioning)
    pipeline = make_pipeline("sd3", seed=0)
    expected = pipeline.encode_prompt(
        prompt, None, None, device=CPU, do_classifier_free_guidance=False, max_sequence_length=length
    )
    assert found.embeddings.shape[1] == 77 + length
    torch.testing.assert_close(found.embeddings, expected[0], rtol=0, atol=1e-5)
    assert len(warnings) == (length == 32)
    with pytest.raises(Refusal, match="has no T5"):
        encoder_of("sd1").encode(prompt, refuse, options=ReadingOptions(length=length))


@pytest.mark.parametrize("arch", ARCHES)
def test_single_file_takes_the_shipped_tokenizers(arch: Arch) -> None:
    one, two = encoder_of(arch), encoder_of(arch, single=True)
    for prompt in PROMPTS:
        assert_same(encoded(one, prompt, refuse), encoded(two, prompt, refuse))


def assert_same(one: TextConditioning, two: TextConditioning) -> None:
    torch.testing.assert_close(one.embeddings, two.embeddings, rtol=0, atol=1e-5)
    torch.testing.assert_close(one.pooled, two.pooled, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("arch", "tokens"), [("sd1", {49407}), ("sd2", {0}), ("sd3", {49407})], ids=["end of text", "!", "clip-l"]
)
def test_padding(arch: Arch, tokens: set[int]) -> None:
    for single in (False, True):
        ids = encoder_of(arch, single=single).tokenizers["text_encoder"].encode("a red apple")
        assert ids[:5] == [49406, 320, 736, 3055, 49407]
        assert set(ids[5:]) == tokens
        assert len(ids) == 77


def test_what_is_too_long_is_left_out_with_a_warning() -> None:
    """Read 75 tokens, as the pipeline does, and say which words were not."""
    prompt = " ".join(["apple"] * 75) + " table chair"
    warnings: list[str] = []
    found = encoded(encoder_of("sd1"), prompt, warnings.append)
    assert warnings == ["the prompt is too long; not read: 'table chair'"]
    embeddings, _ = reference(make_pipeline("sd1", seed=0), "sd1", prompt)
    torch.testing.assert_close(found.embeddings, embeddings, rtol=0, atol=1e-5)


def test_sd3_reads_more_with_t5() -> None:
    """Fit T5's 256 tokens though CLIP's 77 are exceeded: the warning is about the latter."""
    warnings: list[str] = []
    encoder_of("sd3").encode(" ".join(["apple"] * 80), warnings.append, options=AS_TYPED)
    assert warnings == ["the prompt is too long; not read: 'apple apple apple apple apple'"]
