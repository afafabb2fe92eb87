"""`graphgen pin` and `graphgen unpin`: what they change in a file, and what they say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_kit import Terminal, a_sum


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_a_node_is_pinned_to_its_last_run_and_unpinned(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    before = (terminal.folder / file).read_text()
    terminal.call("run", file, "--set", "first=5")
    answer = terminal.call("pin", file, "long")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "pinned  long  5.0\n"
    assert terminal.call("cache", "clear").code == 0
    again = terminal.call("run", file, "--explain", "--json")
    assert {line["node"]: line["state"] for line in again.lines}["long"] == "pinned"
    ran = terminal.call("run", file)
    assert "note: long: is pinned to a stored value" in ran.out
    assert "total  9.0\n" in ran.out
    assert terminal.call("unpin", file, "long").out == "unpinned long\n"
    assert (terminal.folder / file).read_text() == before


def test_a_value_that_is_too_cheap_to_be_kept_is_computed_again(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    terminal.call("run", file, "--set", "first=5")
    answer = terminal.call("pin", file, "two", "--json", "--set", "first=5")
    assert answer.lines == [{"pinned": {"two": {"float": "5.0"}}}]


def test_what_cannot_be_pinned_is_told_with_the_cure(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    answer = terminal.call("pin", file, "long")
    assert answer.code == 2
    assert "long: no run of it is recorded here; run it first: `graphgen run workflow.json --only long`" in answer.err
    assert "did you mean 'long'?" in terminal.call("pin", file, "lnog").err
    terminal.call("run", file)
    wrong = terminal.call("pin", file, "square", "lnog", "sqare", "--json")
    assert (wrong.code, wrong.lines[0]["pinned"]) == (2, {})
    assert [problem["place"] for problem in wrong.lines[0]["problems"]] == ["lnog", "sqare"]
    assert "two: is not pinned" in terminal.call("unpin", file, "two").err
    assert terminal.call("pin", file, "square", "long").out == "pinned  square  4.0\npinned  long    2.0\n"
    nodes = json.loads((terminal.folder / file).read_text())["nodes"]
    assert [name for name, node in nodes.items() if node.get("mode") == "pin"] == ["long", "square"]


def test_a_pin_whose_value_is_on_another_machine_is_told(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    terminal.call("run", file)
    terminal.call("pin", file, "long")
    answer = terminal.call("run", file, GRAPHGEN_DATA_DIR=str(terminal.folder / "elsewhere"))
    assert answer.code == 2
    assert "long.pinned.float: the value it is pinned to is not here" in answer.err
    assert "graphgen unpin FILE long" in answer.err
