"""Changing one member of a JSON text: everything else stays as it is written."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphgen.jsonedit import remove_member, set_member

TEXT = """{ "nodes": {
    "a": {"type": "x",  "n": 1.50},
    "b": {
      "type": "y",
      "deep": [{"a": {}}, "}"]
    },
    "none": {}
  } }
"""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
objects = st.dictionaries(st.text(), values)


def test_a_new_member_stands_last_in_the_form_of_the_object() -> None:
    assert '"a": {"type": "x",  "n": 1.50, "mode": "pin"},' in set_member(TEXT, ["nodes", "a"], "mode", "pin")
    lines = '      "deep": [{"a": {}}, "}"],\n      "mode": "pin"\n    },\n'
    assert lines in set_member(TEXT, ["nodes", "b"], "mode", "pin")
    assert '"none": {"mode": "pin"}' in set_member(TEXT, ["nodes", "none"], "mode", "pin")


def test_a_member_that_is_there_is_replaced_in_its_place() -> None:
    assert '"a": {"type": {"é": 1},  "n": 1.50}' in set_member(TEXT, ["nodes", "a"], "type", {"é": 1})


def test_windows_line_ends_stay() -> None:
    text = TEXT.replace("\n", "\r\n")
    assert set_member(text, ["nodes", "b"], "mode", "pin").count("\n") == text.count("\r\n") + 1
    assert remove_member(set_member(text, ["nodes", "b"], "mode", "pin"), ["nodes", "b"], "mode") == text


def test_a_member_is_removed_with_its_comma() -> None:
    assert '"a": {"n": 1.50},' in remove_member(TEXT, ["nodes", "a"], "type")
    assert '"a": {"type": "x"},' in remove_member(TEXT, ["nodes", "a"], "n")
    assert remove_member(TEXT, ["nodes", "a"], "nothing") == TEXT


def test_a_way_that_leads_nowhere_is_an_error() -> None:
    for way in (["nodes", "c"], ["nodes", "a", "n"]):
        with pytest.raises(KeyError):
            set_member(TEXT, way, "mode", "pin")


@given(objects, st.text(), values, st.sampled_from([None, 1, "\t"]))
def test_setting_and_removing_does_what_it_does_to_a_dictionary(
    inside: dict[str, object], name: str, value: object, indent: int | str | None
) -> None:
    text = json.dumps({"before": [inside], "at": inside, "after": 1}, indent=indent)
    changed = set_member(text, ["at"], name, value)  # type: ignore[arg-type]
    assert json.loads(changed) == {"before": [inside], "at": {**inside, name: value}, "after": 1}
    assert list(json.loads(changed)["at"]) == list({**inside, name: value})
    removed = remove_member(changed, ["at"], name)
    assert json.loads(removed)["at"] == {key: one for key, one in inside.items() if key != name}
    if name not in inside and inside:
        assert removed == text
