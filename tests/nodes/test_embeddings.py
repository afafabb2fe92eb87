"""Textual inversion: a learned word says what a word of the vocabulary would say that had its vectors."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_kit import N, config, workflow
from nodes.test_text import encoder_of, refuse
from safetensors.torch import save_file
from tiny import Arch, shared_tiny
from torch import Tensor

from graphgen.engine import Engine
from graphgen.errors import WorkflowError
from graphgen.plugins import find_plugins
from graphgen.registry import build_registry
from graphgen_nodes import TextConditioning
from graphgen_nodes.patching import skeleton
from graphgen_nodes.text.chunks import chunked
from graphgen_nodes.text.embeddings import usual_word
from graphgen_nodes.text.encode import PromptEncoder
from graphgen_nodes.text.syntax import parse
from graphgen_nodes.text.tokenizers import load_tokenizer

WIDTH = 64
GENERATOR = torch.Generator().manual_seed(4)
ONE, TWO = torch.randn(1, WIDTH, generator=GENERATOR), torch.randn(2, WIDTH, generator=GENERATOR)


def knowing(encoder: PromptEncoder, ids: dict[str, list[int]], vectors: Tensor) -> PromptEncoder:
    """Return an encoder whose own vocabulary has vectors in the rows of ids, by parts."""
    made = {}
    for part, module in encoder.encoders.items():
        made[part] = skeleton(module)
        for name, table in list(made[part].named_modules()):
            if part in ids and name.rpartition(".")[2] in ("token_embedding", "shared", "embed_tokens"):
                weight = table.weight.detach().clone()
                weight[ids[part]] = vectors
                table._parameters["weight"] = torch.nn.Parameter(weight, requires_grad=False)
    return encoder.with_networks(made)


@pytest.fixture
def machine(tmp_path: Path) -> Any:
    found = config(tmp_path, device="cpu")
    for arch in ("sd1", "sdxl"):
        shutil.copytree(shared_tiny(arch).folder, found.roots.models / arch)
    save_file({"emb_params": ONE}, found.roots.models / "toy (5).safetensors")
    save_file({"<cat-toy>": TWO[0]}, found.roots.models / "diffusers.safetensors")
    save_file({"clip_l": TWO, "clip_g": ONE}, found.roots.models / "both.safetensors")
    save_file({"clip_g": ONE}, found.roots.models / "second.safetensors")
    save_file({"emb_params": torch.zeros(1, 48)}, found.roots.models / "narrow.safetensors")
    save_file({"a": ONE, "b": TWO}, found.roots.models / "several.safetensors")
    save_file({"emb_params": torch.full((1, WIDTH), torch.nan)}, found.roots.models / "nan.safetensors")
    with Engine(found, build_registry(find_plugins())) as made:
        yield made


def nodes(arch: Arch, text: str, *files: tuple[str, str]) -> dict[str, Any]:
    made: dict[str, Any] = {"model": N("models.load_text_encoder", {"path": arch})}
    before = "model"
    for number, (path, word) in enumerate(files):
        taught = N("text.load_embedding", {"path": path, "word": word}, encoder=f"{before}.text_encoder")
        made[before := f"taught{number}"] = taught
    return {**made, "prompt": N("text.encode", {"text": text}, encoder=f"{before}.text_encoder")}


def said(machine: Engine, arch: Arch, text: str, *files: tuple[str, str]) -> TextConditioning:
    found = machine.run(workflow(nodes(arch, text, *files), "prompt.conditioning")).outputs["prompt"]
    assert isinstance(found, TextConditioning)
    return found


def assert_same(one: TextConditioning, other: Any) -> None:
    torch.testing.assert_close(one.embeddings, other.embeddings, rtol=0, atol=1e-6)
    torch.testing.assert_close(one.pooled, other.pooled, rtol=0, atol=1e-6)


@pytest.mark.parametrize("text", ["a {} apple", "{}", "a red apple, {}, {} BREAK ({}:1.3)", "a embedding:{} apple"])
def test_a_word_of_one_vector_is_a_word_of_the_vocabulary(machine: Engine, text: str) -> None:
    clip = load_tokenizer("clip")
    expected = knowing(encoder_of("sd1"), {"text_encoder": [clip.encode("cat")[1]]}, ONE)
    found = said(machine, "sd1", text.replace("{}", "toy_5_"), ("toy (5).safetensors", ""))
    assert_same(found, expected.encode(text.replace("embedding:", "").replace("{}", "cat"), refuse))


def test_each_encoder_of_sdxl_has_vectors_of_its_own(machine: Engine) -> None:
    """CLIP-L knows two, bigG one; the pooled output knows it as well."""
    clip = load_tokenizer("clip")
    cat, dog = clip.encode("cat")[1], clip.encode("dog")[1]
    first = knowing(encoder_of("sdxl"), {"text_encoder": [cat, dog]}, TWO)
    both = knowing(first, {"text_encoder_2": [cat]}, ONE)
    found = said(machine, "sdxl", "a (<it>:0.5) apple", ("both.safetensors", "<it>"))
    assert_same(found, both.encode("a (cat dog:0.5) apple", refuse, others=("a (cat:0.5) apple",)))


def test_an_encoder_without_vectors_does_not_read_the_word(machine: Engine) -> None:
    clip = load_tokenizer("clip")
    second = knowing(encoder_of("sdxl"), {"text_encoder_2": [clip.encode("cat")[1]]}, ONE)
    found = said(machine, "sdxl", "a <it> apple", ("second.safetensors", "<it>"))
    assert_same(found, second.encode("a apple", refuse, others=("a cat apple",)))


def test_several_words_are_known_at_once_and_others_are_what_they_were(machine: Engine) -> None:
    files = (("toy (5).safetensors", "toy"), ("diffusers.safetensors", "toybox"))
    assert_same(said(machine, "sd1", "a toyshop", *files), encoder_of("sd1").encode("a toyshop", refuse))
    clip = load_tokenizer("clip")
    ids = [clip.encode("cat")[1], clip.encode("dog")[1]]
    both = knowing(encoder_of("sd1"), {"text_encoder": ids}, torch.cat([ONE, TWO[:1]]))
    assert_same(said(machine, "sd1", "toy, toybox", *files), both.encode("cat, dog", refuse))


def test_words_are_counted_and_their_vectors_stay_together() -> None:
    clip = load_tokenizer("clip")
    found = chunked(clip, parse("apple " * 70 + "(toy:2) apple"), 77, words={"toy": 6})
    assert [sum(token == clip.tokens("apple")[0].id for token in chunk.ids) for chunk in found.chunks] == [70, 1]
    assert found.chunks[1].learned == tuple((place + 1, "toy", place) for place in range(6))
    assert found.chunks[1].weights[:8] == (1.0, *[2.0] * 6, 1.0)
    assert chunked(clip, parse("toys toy_ xtoy"), 77, words={"toy": 6}).chunks[0].learned == ()


def test_tokens_are_known_with_the_word(machine: Engine) -> None:
    graph = machine.check(
        workflow(nodes("sd1", "apple " * 74 + "toy", ("toy (5).safetensors", "toy")), "prompt.conditioning")
    )
    assert graph.nodes["prompt"].facts["conditioning"]["tokens"] == 77
    graph = machine.check(workflow(nodes("sdxl", "<it> " * 38, ("both.safetensors", "<it>")), "prompt.conditioning"))
    assert graph.nodes["prompt"].facts["conditioning"]["tokens"] == 154
    graph = machine.check(workflow(nodes("sdxl", "<it>", ("second.safetensors", "<it>")), "prompt.conditioning"))
    note = graph.nodes["taught0"].facts["text_encoder"]["note"]
    assert note == "<it> has vectors for text_encoder_2 alone; the others do not read it"


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("narrow.safetensors", "emb_params [1, 48], but a word has other numbers of the model (64 for text_encoder)"),
        ("several.safetensors", "an embedding has one tensor, or some of clip_l, clip_g, t5xxl"),
    ],
)
def test_what_is_no_word_of_the_model_is_refused_by_the_check(machine: Engine, file: str, message: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        machine.check(workflow(nodes("sd1", "x", (file, "")), "prompt.conditioning"))
    assert "taught0.path: " in str(caught.value)
    assert message in str(caught.value)


def test_a_pickle_is_refused_with_the_cure(machine: Engine) -> None:
    pickled = machine.config.roots.models / "old.safetensors"
    torch.save({"string_to_param": {"*": ONE}}, pickled)
    with pytest.raises(WorkflowError, match="pickle"):
        machine.check(workflow(nodes("sd1", "x", (pickled.name, "")), "prompt.conditioning"))
    with pytest.raises(WorkflowError, match=r"\.safetensors"):
        machine.check(workflow(nodes("sd1", "x", ("old.pt", "")), "prompt.conditioning"))


def test_nan_is_told(machine: Engine) -> None:
    report = machine.run(workflow(nodes("sd1", "nan", ("nan.safetensors", "")), "prompt.conditioning"))
    assert report.status == "failed"
    assert "holds NaN or an infinity" in str(report)


def test_another_file_under_the_same_name_is_read_again(machine: Engine) -> None:
    files = ("toy (5).safetensors", "toy")
    first = said(machine, "sd1", "toy", files)
    save_file({"emb_params": TWO}, machine.config.roots.models / files[0])
    second = said(machine, "sd1", "toy", files)
    assert not torch.allclose(first.embeddings, second.embeddings, atol=1e-3)


def test_names_of_files_become_words() -> None:
    assert usual_word(Path("bad hands (v5).safetensors")) == "bad_hands_v5_"
