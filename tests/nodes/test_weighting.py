"""Signs in prompts, long prompts in chunks, skipped layers: against formulas written out here, and diffusers' own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from nodes.test_text import CPU, encoder_of, refuse
from tiny import Arch, make_pipeline
from torch import Tensor

from graphgen import Facts, Known, Refusal
from graphgen.node import spec_of
from graphgen_nodes import TextConditioning
from graphgen_nodes.packs import text as pack
from graphgen_nodes.text.chunks import MOST_CHUNKS, chunked, empty
from graphgen_nodes.text.encode import PromptEncoder
from graphgen_nodes.text.options import AS_TYPED, ReadingOptions, Weighting
from graphgen_nodes.text.syntax import MOST, Prompt, Span, parse, plain
from graphgen_nodes.text.tokenizers import load_tokenizer

CLIP = load_tokenizer("clip")
APPLES = " ".join(["apple"] * 72)
"""With three more tokens, a chunk."""
ENCODERS: tuple[Arch, ...] = ("sd1", "sd2", "sdxl", "sdxl_refiner", "sd3", "flux")


def spans(text: str) -> list[list[tuple[str, float]]]:
    return [[(span.text, round(span.weight, 6)) for span in section] for section in parse(text).sections]


def encoded(encoder: PromptEncoder, text: str, **options: Any) -> TextConditioning:
    found = encoder.encode(text, refuse, options=ReadingOptions(**options))
    assert isinstance(found, TextConditioning)
    return found


# --- signs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a red apple", [[("a red apple", 1.0)]]),
        ("a (red) apple", [[("a ", 1.0), ("red", 1.1), (" apple", 1.0)]]),
        ("a (red:1.3) apple", [[("a ", 1.0), ("red", 1.3), (" apple", 1.0)]]),
        ("((red)) [apple]", [[("red", 1.21), (" ", 1.0), ("apple", 0.909091)]]),
        ("(a (b:2) [c] d:3)", [[("a ", 3.0), ("b", 6.0), (" ", 3.0), ("c", 2.727273), (" d", 3.0)]]),
        ("(a:1.0) b", [[("a b", 1.0)]]),
        ("(a: .5 )(b:-1)(c:+2)", [[("a", 0.5), ("b", -1.0), ("c", 2.0)]]),
        ("(10:30 o'clock:1.2)", [[("10:30 o'clock", 1.2)]]),
        (r"a \(b\) \[c\] \\ \n", [[(r"a (b) [c] \ \n", 1.0)]]),
        (r"(a \(b\):1.5)", [[("a (b)", 1.5)]]),
        ("a BREAK b", [[("a ", 1.0)], [(" b", 1.0)]]),
        ("(a BREAK b:2)", [[("a ", 2.0)], [(" b", 2.0)]]),
        ("BREAKFAST break", [[("BREAKFAST break", 1.0)]]),
        ("() (:2) []", [[("  ", 1.0)]]),
        ("", [[("", 1.0)]]),
    ],
)
def test_signs_weigh_words(text: str, expected: list[list[tuple[str, float]]]) -> None:
    assert spans(text) == expected
    assert parse(text).notes == ()


@pytest.mark.parametrize(
    ("text", "said", "note"),
    [
        ("a) b", "a) b", "without a partner, and so read as typed: )"),
        ("((a) b", "(a b", "read as typed: ("),
        (":( [x", ":( [x", "read as typed: ( ["),
        ("(a]", "(a]", "read as typed: ] ("),
        ("[cat:dog:0.5]", "cat:dog:0.5", "text.encode_changing changes a prompt on the way"),
    ],
)
def test_what_was_perhaps_not_meant_is_noted(text: str, said: str, note: str) -> None:
    found = parse(text)
    assert found.texts == (said,)
    assert note in " ".join(found.notes)


@given(st.text(st.one_of(st.sampled_from(r"()[]:\ .0123456789-BREAK"), st.characters(exclude_categories=["Cs"]))))
def test_nothing_that_can_be_typed_is_a_mistake(text: str) -> None:
    found = parse(text)
    assert found.sections
    assert all(section and abs(span.weight) <= MOST for section in found.sections for span in section)
    for number, typed in ((0, chunked(CLIP, found, 77)), (1, chunked(load_tokenizer("t5"), found.joined(), 256, 1))):
        assert all(len(chunk.ids) == len(chunk.weights) == (256 if number else 77) for chunk in typed.chunks)


@given(st.recursive(st.sampled_from(["a", "red apple", "b c"]), lambda inner: st.tuples(inner, st.floats(0.1, 3))))
def test_nested_weights_multiply(tree: Any) -> None:
    def build(node: Any) -> tuple[str, str, float]:
        if isinstance(node, str):
            return node, node, 1.0
        text, words, weight = build(node[0])
        return f"({text}:{node[1]:f})", words, weight * float(f"{node[1]:f}")

    text, words, weight = build(tree)
    ((span,),) = parse(text).sections
    assert span.text == words
    assert span.weight == pytest.approx(max(-MOST, min(weight, MOST)), rel=1e-6)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_is_escaped_is_read_as_typed(text: str) -> None:
    escaped = "".join(f"\\{letter}" if letter in "()[]\\" else letter for letter in text).replace("BREAK", "break")
    assert parse(escaped) == Prompt(((Span(text.replace("BREAK", "break")),),))


def test_a_very_long_nest_is_read_in_time_that_grows_with_its_length() -> None:
    found = parse("(" * 20_000 + "a" + ":2)" * 20_000)
    assert found.sections == ((Span("a", MOST),),)


# --- chunks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a red apple", "An ORANGE, on 3 tables", "빨간 사과 🍎", APPLES, "x " * 300])
def test_one_chunk_is_what_a_tokenizer_gives(text: str) -> None:
    for tokenizer, length in ((CLIP, 77), (load_tokenizer("openclip"), 77), (load_tokenizer("t5"), 256)):
        found = chunked(tokenizer, plain(text), length, 1)
        assert list(found.chunks[0].ids) == tokenizer.encode(text, length)
        assert not found.chunks[0].weighed
        assert empty(tokenizer, length).ids == tuple(tokenizer.encode("", length))


def test_words_stay_whole_and_none_is_lost() -> None:
    text = " ".join(["supercalifragilistic"] * 40)
    found = chunked(CLIP, plain(text), 77)
    assert found.unread == ""
    words = [token for chunk in found.chunks for token in chunk.ids if token not in (CLIP.begin, CLIP.end)]
    assert words == [token.id for token in CLIP.tokens(text)]
    begins = [chunk.ids[1] for chunk in found.chunks]
    assert set(begins) == {CLIP.tokens(text)[0].id}, "each chunk begins with a word"
    one_word = chunked(CLIP, plain("ab" * 400), 77)
    assert [len(chunk.ids) for chunk in one_word.chunks] == [77] * len(one_word.chunks)
    assert len(one_word.chunks) > 1


def test_weights_stand_beside_their_tokens() -> None:
    (chunk,) = chunked(CLIP, parse("a (red:1.3) apple [on] a table"), 77).chunks
    assert chunk.ids == tuple(CLIP.encode("a red apple on a table"))
    assert [round(weight, 3) for weight in chunk.weights[:8]] == [1.0, 1.0, 1.3, 1.0, 0.909, 1.0, 1.0, 1.0]
    t5 = load_tokenizer("t5")
    (chunk,) = chunked(t5, parse("a (red:1.3) apple").joined(), 256, 1).chunks
    assert [weight for token, weight in zip(chunk.ids, chunk.weights, strict=True) if token in (1131,)] == [1.3]


def test_a_break_begins_a_chunk() -> None:
    found = chunked(CLIP, parse("a red apple BREAK a blue table"), 77)
    assert [chunk.ids for chunk in found.chunks] == [
        tuple(CLIP.encode(text)) for text in ("a red apple", "a blue table")
    ]
    cut = chunked(CLIP, parse("a red apple BREAK a blue table"), 77, 1)
    assert (len(cut.chunks), cut.unread) == (1, "a blue table")


def test_so_many_chunks_are_read_and_no_more() -> None:
    found = chunked(CLIP, plain("apple " * 75 * 40), 77)
    assert len(found.chunks) == MOST_CHUNKS
    assert found.unread.split() == ["apple"] * 75 * 8


@pytest.mark.parametrize("arch", ENCODERS)
def test_a_long_prompt_is_its_chunks_side_by_side(arch: Arch) -> None:
    """Bit for bit: each chunk is read by itself; the pooled part is the first one's."""
    encoder, second = encoder_of(arch), "a blue table with two chairs"
    warn = refuse if arch != "flux" else lambda _: None
    whole, one, other = (
        encoder.encode(text, warn) for text in (f"{APPLES} big, red {second}", f"{APPLES} big, red", second)
    )
    assert isinstance(whole, TextConditioning)
    assert isinstance(one, TextConditioning)
    assert isinstance(other, TextConditioning)
    if arch == "flux":
        assert torch.equal(whole.pooled, one.pooled)  # type: ignore[arg-type]  # Flux has a pooled prompt
        return
    assert whole.embeddings.shape[1] == one.embeddings.shape[1] + 77
    assert torch.equal(whole.embeddings[:, :77], one.embeddings[:, :77])
    assert torch.equal(whole.embeddings[:, 77:154], other.embeddings[:, :77])
    assert one.pooled is None or torch.equal(whole.pooled, one.pooled)  # type: ignore[arg-type]


def test_chunks_are_as_many_as_wanted() -> None:
    """A negative prompt is padded with chunks of no words to the length of the other."""
    encoder = encoder_of("sdxl")
    found, nothing = encoded(encoder, "a red apple", chunks=3), encoded(encoder, "")
    assert found.embeddings.shape[1] == 3 * 77
    assert torch.equal(found.embeddings[:, 77:154], nothing.embeddings)
    both = encoder.encode("a red apple", refuse, others=("an apple BREAK a table",))
    assert isinstance(both, TextConditioning)
    assert both.embeddings.shape[1] == 2 * 77, "side by side, encoders read equally many"


# --- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ENCODERS)
@pytest.mark.parametrize("weighting", ["interpolate", "normalise", "multiply", "off"])
def test_a_weight_of_one_is_the_plain_prompt(arch: Arch, weighting: Weighting) -> None:
    encoder = encoder_of(arch)
    as_typed = encoder.encode("a red apple on a table", refuse, options=AS_TYPED)
    text = "a red apple on a table" if weighting == "off" else "a (red:1.0) apple ((on:2):.5) a table"
    found = encoded(encoder, text, weighting=weighting)
    assert isinstance(as_typed, TextConditioning)
    assert torch.equal(found.embeddings, as_typed.embeddings)
    assert found.pooled is as_typed.pooled is None or torch.equal(found.pooled, as_typed.pooled)  # type: ignore[arg-type]


def test_off_reads_brackets_as_typed() -> None:
    encoder = encoder_of("sd1")
    off, on = (encoded(encoder, "a (red:1.3) apple", weighting=how) for how in ("off", "interpolate"))
    expected = make_pipeline("sd1", seed=0).encode_prompt("a (red:1.3) apple", CPU, 1, False)[0]
    torch.testing.assert_close(off.embeddings, expected, rtol=0, atol=1e-5)
    assert not torch.allclose(off.embeddings, on.embeddings, atol=1e-2)


def formula(weighting: str, states: Tensor, nothing: Tensor, weights: dict[int, float]) -> Tensor:
    """Write each method out as its own program does, token by token."""
    found = states.clone()
    for place, weight in weights.items():
        if weighting == "interpolate":
            found[0, place] = nothing[0, place] + (states[0, place] - nothing[0, place]) * weight
        else:
            found[0, place] *= weight
    if weighting == "normalise":
        found *= states.mean() / found.mean()
    return found


@pytest.mark.parametrize("arch", ["sd1", "sd2", "sdxl"])
@pytest.mark.parametrize("weighting", ["interpolate", "normalise", "multiply"])
def test_weights_change_states_as_the_formula_says(arch: Arch, weighting: Weighting) -> None:
    """Against states of diffusers' pipelines; SDXL's two encoders are weighed one by one."""
    pipeline = make_pipeline(arch, seed=0)
    found = encoded(encoder_of(arch), "a (red:1.3) apple on [a] (big table:0.4)", weighting=weighting)

    def states(text: str) -> Tensor:
        if arch == "sdxl":
            return pipeline.encode_prompt(text, device=CPU, do_classifier_free_guidance=False)[0]  # type: ignore[no-any-return]
        return pipeline.encode_prompt(text, CPU, 1, False)[0]  # type: ignore[no-any-return]

    said, nothing = states("a red apple on a big table"), states("")
    weights = {2: 1.3, 5: 1 / 1.1, 6: 0.4, 7: 0.4}
    halves = [slice(0, 64), slice(64, 128)] if arch == "sdxl" else [slice(None)]
    expected = torch.cat([formula(weighting, said[..., h], nothing[..., h], weights) for h in halves], dim=-1)
    torch.testing.assert_close(found.embeddings, expected, rtol=0, atol=2e-5)
    assert not torch.allclose(found.embeddings, said, atol=1e-2)


def test_t5_is_weighed_too_and_reads_sections_as_one() -> None:
    encoder = encoder_of("flux")
    found, said, nothing = (encoded(encoder, text) for text in ("a (red:1.3) apple", "a red apple", ""))
    place = next(k for k, token in enumerate(load_tokenizer("t5").tokens("a red apple")) if token.id == 1131)
    expected = formula("interpolate", said.embeddings, nothing.embeddings, {place: 1.3})
    torch.testing.assert_close(found.embeddings, expected, rtol=0, atol=1e-5)
    assert torch.equal(found.pooled, said.pooled)  # type: ignore[arg-type]  # weights are not in the pooled part
    both = encoder.encode("a red BREAK apple", lambda _: None)
    assert isinstance(both, TextConditioning)
    assert torch.equal(both.embeddings, said.embeddings)


def test_no_words_within_signs_are_no_words() -> None:
    assert not encoded(encoder_of("sdxl"), "( )", empty="zeros").embeddings.any()


# --- layers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch", ["sd1", "sdxl", "sd3"])
def test_skipped_layers_are_those_that_the_pipeline_skips(arch: Arch) -> None:
    pipeline, prompt = make_pipeline(arch, seed=0), "a red apple"
    layers = 2
    skipped = layers - 1
    if arch == "sd1":
        # the pipeline looks for the encoder inside of itself, where this version of transformers has none
        vars(pipeline.text_encoder)["text_model"] = pipeline.text_encoder
        expected, pooled = pipeline.encode_prompt(prompt, CPU, 1, False, clip_skip=skipped)[0], None
    elif arch == "sdxl":
        made = pipeline.encode_prompt(prompt, device=CPU, do_classifier_free_guidance=False, clip_skip=skipped)
        expected, pooled = made[0], made[2]
    else:
        made = pipeline.encode_prompt(
            prompt, None, None, device=CPU, do_classifier_free_guidance=False, clip_skip=skipped
        )
        expected, pooled = made[0], made[2]
    found = encoded(encoder_of(arch), prompt, skip=skipped)
    torch.testing.assert_close(found.embeddings, expected, rtol=0, atol=1e-5)
    assert not torch.allclose(found.embeddings, encoded(encoder_of(arch), prompt).embeddings, atol=1e-2)
    if pooled is not None:
        torch.testing.assert_close(found.pooled, pooled, rtol=0, atol=1e-5)
    with pytest.raises(Refusal, match=f"is {layers}, and the text encoder has {layers} layers"):
        encoded(encoder_of(arch), prompt, skip=layers)


# --- what is known ----------------------------------------------------------------------------------------------------

WINDOW: Facts = {"tokenizer": "clip", "length": 77, "stretches": False, "chunks": True, "layers": 12}
T5: Facts = {"tokenizer": "t5", "length": 256, "stretches": True, "chunks": False, "layers": 0}
SD1: Facts = {"family": "sd1", "tokens": 77, "embedding": 64, "pooled": 0, "windows": [WINDOW]}
SD3: Facts = {"family": "sd3", "tokens": 333, "embedding": 64, "pooled": 0, "windows": [WINDOW, WINDOW, T5]}
FLUX: Facts = {
    "family": "flux",
    "tokens": 256,
    "embedding": 64,
    "pooled": 8,
    "windows": [{**WINDOW, "chunks": False}, T5],
}


def foretold(encoder: Facts, text: str, **changes: Any) -> Facts:
    infer = spec_of(pack.encode).infer
    assert infer is not None
    values: dict[str, Any] = {
        "text": text,
        "text_2": "",
        "text_3": "",
        "weighting": "interpolate",
        "chunks": 0,
        "skip": 0,
        "length": 0,
    }
    return infer(Known({"encoder": encoder}, {}, {**values, **changes}, lambda _, name: name))["conditioning"]  # type: ignore[arg-type, return-value]


def test_tokens_are_counted_before_anything_runs() -> None:
    assert [foretold(SD1, text)["tokens"] for text in ("", "a BREAK b", "apple " * 200)] == [77, 154, 231]
    assert foretold(SD1, "apple " * 200, chunks=1)["tokens"] == 77
    assert foretold(SD1, "apple", chunks=4)["tokens"] == 4 * 77
    assert foretold(SD3, "apple " * 100)["tokens"] == 154 + 256
    assert foretold(SD3, "apple " * 100, length=100)["tokens"] == 154 + 100
    assert foretold(FLUX, "apple " * 100)["tokens"] == 256
    assert foretold(SD1, "(a BREAK b", weighting="off") == {**foretold(SD1, "a"), "tokens": 77}


def test_notes_are_those_of_the_run() -> None:
    assert foretold(SD1, "(a")["note"] == "without a partner, and so read as typed: ("
    assert foretold(FLUX, "apple " * 76)["note"] == "the prompt is too long; not read: 'apple'"
    assert "note" not in foretold(SD1, "(a:1.3)")
    said: list[str] = []
    encoder_of("flux").encode("(" + "apple " * 76, said.append)
    assert "; ".join(said) == foretold(FLUX, "(" + "apple " * 76)["note"]


@pytest.mark.parametrize(
    ("encoder", "changes", "message"),
    [
        (SD1, {"skip": 12}, "is 12, and the text encoder has 12 layers"),
        (FLUX, {"skip": 1}, "is 1, but the model uses no tokens of a CLIP"),
        (FLUX, {"chunks": 2}, "is 2, but the model uses no tokens of a CLIP"),
        (SD1, {"length": 100}, "has no T5"),
        (SD1, {"text_2": "x"}, "text encoder 2, and the model has 1"),
    ],
)
def test_options_that_no_encoder_has_are_refused(encoder: Facts, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        foretold(encoder, "a", **changes)
