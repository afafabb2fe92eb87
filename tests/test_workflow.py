"""The workflow file: reading, writing, and what only its text can have wrong (tests/graphs/bad has the rest)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgen import workflow as module
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.workflow import Workflow, from_json, parse, read_workflow

MINIMAL: dict[str, JSON] = {"graphgen": 1, "nodes": {"one": {"type": "maths.number"}}}

names = st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,8}\Z")
references = st.tuples(names, st.from_regex(r"\A[a-z_][a-z0-9_]{0,8}\Z")).map(".".join)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
documents = st.fixed_dictionaries(
    {
        "graphgen": st.just(1),
        "nodes": st.dictionaries(
            names,
            st.fixed_dictionaries(
                {"type": texts.filter(bool)},
                optional={
                    "version": st.integers(1, 9),
                    "inputs": st.dictionaries(texts, references | st.lists(references, max_size=3), max_size=3),
                    "settings": st.dictionaries(texts, json_values, max_size=3),
                    "mode": st.sampled_from(["mute", "bypass", "pin"]),
                },
            ),
            max_size=4,
        ),
    },
    optional={
        "name": texts,
        "parameters": st.dictionaries(
            names, st.fixed_dictionaries({"sets": st.lists(references, min_size=1, max_size=2)}), max_size=2
        ),
        "outputs": st.dictionaries(names, st.fixed_dictionaries({"from": references}), max_size=2),
        "requires": st.dictionaries(texts, texts, max_size=2),
        "view": st.dictionaries(texts, json_values, max_size=2),
    },
)


def problem(text: str) -> str:
    with pytest.raises(WorkflowError) as caught:
        parse(text)
    return str(caught.value)


@given(document=documents)
def test_every_workflow_comes_back_from_its_text(document: dict[str, JSON]) -> None:
    read = from_json(document)
    assert parse(json.dumps(read.to_json())) == read
    assert parse(json.dumps(read.to_json(), ensure_ascii=False)) == read


@given(text=st.text(max_size=60))
def test_no_text_crashes_the_reader(text: str) -> None:
    with pytest.raises(WorkflowError):
        parse(text)


@given(
    document=st.recursive(
        json_values,
        lambda inner: st.dictionaries(
            st.sampled_from(
                ["graphgen", "nodes", "outputs", "parameters", "from", "sets", "type", "inputs", "settings", "a"]
            ),
            inner,
            max_size=4,
        ),
    )
)
def test_no_document_crashes_the_reader(document: JSON) -> None:
    with pytest.raises(WorkflowError):
        from_json(document)


def test_files_are_read_with_or_without_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "w.json"
    path.write_text(json.dumps(MINIMAL), encoding="utf-8-sig")
    assert read_workflow(path) == from_json(MINIMAL)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory; name an existing workflow file"),
        (b"\xff\xfe{}", "is not UTF-8 text (byte 0); save it as UTF-8"),
    ],
)
def test_files_that_cannot_be_read_say_why(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "w.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WorkflowError) as caught:
        read_workflow(path)
    assert str(caught.value) == f"{path}: {words}"


def test_a_folder_is_no_workflow(tmp_path: Path) -> None:
    with pytest.raises(WorkflowError, match="Is a directory; name an existing workflow file"):
        read_workflow(tmp_path)


def test_json_that_is_too_deep_or_too_long_is_refused() -> None:
    assert problem('{"graphgen": 1, "nodes": ' + "[" * 200_000) == "the JSON is nested too deeply to be a workflow"
    assert "the JSON cannot be read: Exceeds the limit (4300 digits)" in problem('{"graphgen": ' + "9" * 5000 + "}")


def test_keys_repeated_in_what_a_repeated_key_hid_are_found_too() -> None:
    text = '{"graphgen": 1, "nodes": {"a": {"x": 1, "x": 2}, "a": {"type": "t"}}}'
    assert problem(text).splitlines() == [
        "nodes.a: the key 'a' stands 2 times in one object; keep one",
        "x: the key 'x' stands 2 times in one object; keep one",
    ]


def test_emoji_may_be_written_as_two_escapes() -> None:
    text = json.dumps({**MINIMAL, "name": "🎨"})
    assert "\\ud83c" in text
    assert parse(text).name == "🎨"


def test_older_formats_are_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(document: dict[str, JSON]) -> dict[str, JSON]:
        return {"graphgen": 1, "nodes": document["steps"]}

    monkeypatch.setattr(module, "FORMAT", 2)
    monkeypatch.setattr(module, "MIGRATIONS", {1: rename})
    assert list(from_json({"graphgen": 1, "steps": MINIMAL["nodes"]}).nodes) == ["one"]


def test_settings_are_replaced_in_a_copy() -> None:
    before = from_json({"graphgen": 1, "nodes": {"one": {"type": "t", "settings": {"a": 1, "b": 2}}}})
    after = before.with_settings({"one": {"b": 3}})
    assert after.nodes["one"].settings == {"a": 1, "b": 3}
    assert before.nodes["one"].settings == {"a": 1, "b": 2}


def test_empty_parts_are_left_out_when_written() -> None:
    assert Workflow(nodes={}).to_json() == {"graphgen": 1, "nodes": {}}
