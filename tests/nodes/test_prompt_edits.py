"""Prompts that change on the way: read as A1111's web interface reads them, and drawn as two prompts in turn are."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from engine_kit import N
from hypothesis import given
from hypothesis import strategies as st
from nodes.test_lora import drawing
from tiny import shared_tiny
from torch import Tensor

import graphgen
from graphgen import Refusal
from graphgen.errors import WorkflowError
from graphgen_nodes import Image
from graphgen_nodes.text.edits import Stretch, stretches


def by_step(text: str, steps: int) -> list[str]:
    """Return what is said at each step, whose share of the schedule is its number by that of all."""
    found = stretches(text, steps)
    assert found[0].start == 0.0
    assert found[-1].end == 1.0
    return [next(item.text for item in found if item.start <= step / steps < item.end) for step in range(steps)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a [cat:dog:0.4] sits", ["a cat sits"] * 4 + ["a dog sits"] * 6),
        ("a [cat:dog:0.49] sits", ["a cat sits"] * 4 + ["a dog sits"] * 6),
        ("[cat:dog:3]", ["cat"] * 3 + ["dog"] * 7),
        ("[cat:dog:1.0]", ["cat"] * 10),
        ("[big :0.5]cat", ["cat"] * 5 + ["big cat"] * 5),
        ("[big ::0.5]cat", ["big cat"] * 5 + ["cat"] * 5),
        ("[cow|horse]", ["cow", "horse"] * 5),
        ("[a|b|c]!", ["a!", "b!", "c!"] * 3 + ["a!"]),
        ("[a [x|y]:(b:1.2):.5]", ["a x", "a y"] * 2 + ["a x"] + ["(b:1.2)"] * 5),
        ("([a:b:0.5]:1.3)", ["(a:1.3)"] * 5 + ["(b:1.3)"] * 5),
        (r"[a\:b:c:0.5] \[d|e\]", [r"a:b \[d|e\]"] * 5 + [r"c \[d|e\]"] * 5),
        ("[weak], (strong:1.2), a:b, c|d, [x:y], 3:4", ["[weak], (strong:1.2), a:b, c|d, [x:y], 3:4"] * 10),
        ("[open, (too", ["[open, (too"] * 10),
        ("[open:a|b", ["[open:a|b"] * 10),
        ("", [""] * 10),
    ],
)
def test_what_is_said_at_each_of_ten_steps(text: str, said: Sequence[str]) -> None:
    assert by_step(text, 10) == list(said)


def test_shares_need_no_number_of_steps() -> None:
    assert stretches("[a:b:0.4]", 0) == (Stretch("a", 0.0, 0.4), Stretch("b", 0.4, 1.0))
    assert stretches("[a:[b:c:0.7]:0.4]", 0) == (Stretch("a", 0.0, 0.4), Stretch("b", 0.4, 0.7), Stretch("c", 0.7, 1.0))
    assert stretches("a [weak] word", 0) == (Stretch("a [weak] word", 0.0, 1.0),)


@pytest.mark.parametrize("text", ["[a|b]", "[a:b:12]", "[a:[b|c]:0.5]"])
def test_what_depends_on_the_steps_wants_their_number(text: str) -> None:
    with pytest.raises(Refusal, match="takes turns or changes after a number of steps"):
        stretches(text, 0)


def test_deep_brackets_are_read() -> None:
    assert by_step("[" * 5000, 1) == ["[" * 5000]
    assert by_step("([" * 30 + "a|b" + "])" * 30, 2) == ["([" * 29 + f"({word})" + "])" * 29 for word in "ab"]


def drawn(prompt: str, *, as_pair: tuple[str, str] | None = None, steps: int = 0) -> Tensor:
    """Draw by a changing prompt, or by a pair of prompts of which the second is followed from 0.5 on."""
    plan = drawing(texts=False, steps=2)
    nodes = plan["nodes"]
    nodes["positive"] = N("text.encode_changing", {"text": prompt, "steps": steps}, encoder="model.text_encoder")
    if as_pair:
        for name, text in zip(("one", "two"), as_pair, strict=True):
            nodes[name] = N("text.encode", {"text": text}, encoder="model.text_encoder")
        wires = {"first": "one.conditioning", "then": "two.conditioning"}
        nodes["positive"] = N("conditioning.switch", {"at": 0.5}, **wires)
    image = graphgen.run(plan)["picture"]
    assert isinstance(image, Image)
    return image.pixels


def test_a_changing_prompt_draws_what_two_prompts_in_turn_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny("sd1").folder.parent))
    pair = drawn("", as_pair=("a red apple", "a blue apple"))
    for text, steps in (("a [red:blue:0.5] apple", 0), ("a [red|blue] apple", 2)):
        assert torch.equal(drawn(text, steps=steps), pair)
    assert not torch.equal(drawn("a red apple"), pair)


def test_what_counts_steps_is_refused_when_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHGEN_MODELS_DIR", str(shared_tiny("sd1").folder.parent))
    with pytest.raises(WorkflowError, match=r"positive\.steps: is 0, but the prompt takes turns"):
        drawn("[a|b]")


@given(st.text("ab[]()|:\\ .5", max_size=24), st.integers(1, 7))
def test_nothing_that_can_be_typed_is_a_mistake(text: str, steps: int) -> None:
    found = by_step(text, steps)
    if not {"[", "]"} & set(text):
        assert found == [text] * steps
