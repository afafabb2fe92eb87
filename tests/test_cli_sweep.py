"""`graphgen run --sweep`: values as typed, what variations share, what each gave, and how it ends."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from cli_kit import Answer, Terminal, a_sum, workflow
from test_cli_cancel import endless, wait_for


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def swept(answer: Answer) -> list[dict[str, object]]:
    """Return the values of each variation, in order."""
    assert answer.code == 0, answer.err
    return [item["parameters"] for item in answer.lines[0]["variations"]]


def test_variations_are_one_run_in_which_the_common_part_runs_once(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum()), "--sweep", "mode=square,double", "--set", "first=3")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("A sum: 2 variations, 8 nodes to run")
    assert '  mode   "square", "double"\n  title  "sum"\n' in answer.out
    assert answer.out.count("✓ long ") == 1  # needed by all
    assert "✓ square@2 " in answer.out
    assert answer.out.splitlines()[-1].endswith(": 8 ran")
    files = {json.loads(line.split("mode=")[1].split()[0]): line.split()[-1] for line in _results(answer)}
    assert {name: (terminal.folder / file).read_text() for name, file in files.items()} == {
        "square": "sum: 12.0",
        "double": "sum: 9.0",
    }
    again = terminal.call("run", "workflow.json", "--sweep", "mode=square,double", "--set", "first=3")
    assert _results(again) == _results(answer)
    assert "nothing to run" in again.out


def _results(answer: Answer) -> list[str]:
    return [line for line in answer.out.splitlines() if line.startswith("@")]


def test_values_are_numbers_ranges_words_lists_lines_and_whole_texts(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    (terminal.folder / "titles.txt").write_text("a red apple, cut\n\n빨간 사과\n", encoding="utf-8")

    def values(*given: str) -> list[object]:
        options = [part for text in given for part in ("--sweep", text)]
        return [next(iter(row.values())) for row in swept(terminal.call("run", file, "--json", *options))]

    assert values("steps=1..3") == [1, 2, 3]
    assert values("first=0..10..5,0.5,-1") == [0, 5, 10, 0.5, -1]
    assert values("mode=square,double") == ["square", "double"]
    assert values("title=one, two", "title=three") == ["one, two", "three"]
    assert values('title=["one, two", "[three"]') == ["one, two", "[three"]
    assert values("title=[one, two]") == ["[one, two]"]
    assert values("title=@titles.txt") == ["a red apple, cut", "빨간 사과"]


def test_several_parameters_are_combined_or_taken_side_by_side(terminal: Terminal) -> None:
    call = ("run", terminal.save(a_sum()), "--json", "--sweep", "first=1,2", "--sweep", "steps=2,3")
    assert [tuple(row.values()) for row in swept(terminal.call(*call))] == [(1, 2), (1, 3), (2, 2), (2, 3)]
    assert [tuple(row.values()) for row in swept(terminal.call(*call, "--zip"))] == [(1, 2), (2, 3)]


def test_events_name_the_nodes_of_each_variation_and_what_it_gave(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum()), "--json", "--sweep", "mode=square,double", "-o", "made")
    started, *_, first, second = answer.lines
    assert started["event"] == "sweep_started"
    assert started["variations"][1]["nodes"]["square"] == "square@2"
    assert started["variations"][1]["nodes"]["long"] == "long"
    finished = {event["node"] for event in answer.events("node_finished")}
    assert {"square@1", "square@2", "long"} <= finished
    assert (first["event"], first["variation"], first["status"]) == ("variation_finished", 1, "done")
    assert (second["parameters"], second["outputs"]["total"]) == ({"mode": "double"}, "6.0")
    assert [Path(second["files"][0]).parent.name, second["failures"]] == ["made", []]
    assert answer.lines[-3]["event"] == "run_finished"


def test_explain_says_which_variations_need_a_node(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    call = ("run", file, "--explain", "--sweep", "mode=square,double")
    told = {line["node"]: line for line in terminal.call(*call, "--json").lines}
    assert told["long"]["variations"] == [1, 2]
    assert told["square@2"]["variations"] == [2]
    shown = terminal.call(*call)
    assert '@2  mode="double"\n' in shown.out
    assert shown.out.splitlines()[-1].startswith("8 would run, 0 cached")
    assert terminal.written == []
    assert terminal.call("run", file, "--sweep", "mode=square,double").code == 0
    changed = terminal.call("run", file, "--explain", "--json", "--sweep", "mode=square,double", "--set", "first=9")
    reasons = {line["node"]: line["reasons"] for line in changed.lines}
    assert reasons["two"] == ["value: 2.0 -> 9.0"]


def test_all_that_is_wrong_is_told_at_once_and_each_thing_once(terminal: Terminal) -> None:
    sweeps = ["frist=1,2", "mode=square,cube", "first=1,x,5..2", "steps=1,0,2", "title=@missing.txt"]
    options = [part for text in sweeps for part in ("--sweep", text)]
    call = ("run", terminal.save(a_sum()), *options, "--set", "titel=a", "--set", "mode=double")
    answer = terminal.call(*call)
    assert (answer.code, answer.out) == (2, "")
    told = [line.strip() for line in answer.err.splitlines()]
    assert told[0] == "workflow.json: 8 problems"
    for part in (
        "--sweep frist: the workflow has no such parameter; ",
        '--sweep first: must be a number (got "x"); write --sweep first=7.5',
        "--sweep first: the range 5..2 has no values; ",
        "--sweep title: cannot read 'missing.txt': ",
        "--sweep mode: is both set and swept; ",
        "--set titel: the workflow has no such parameter; ",
        "square.mode (--sweep mode): must be 'square' or 'double' (got \"cube\")",
        "long.steps (--sweep steps): must be at least 1 (got 0)",
    ):
        assert [line for line in told if line.startswith(part)] != [], part
    (refused,) = terminal.call(*call, "--json").lines
    assert (refused["event"], len(refused["problems"])) == ("run_refused", 8)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--sweep", "first"), "write it as name=values"),
        (("--sweep", "first="), "write it as name=values"),
        (("--zip",), "there is no --sweep"),
        (("--zip", "--sweep", "first=1,2", "--sweep", "steps=1..3"), "different lengths: first has 2, steps has 3"),
        (("--sweep", "steps=1..999999999"), "too many values"),
        (("--sweep", "first=0..999", "--sweep", "steps=1..100"), "there are 100,000 combinations"),
        (("--sweep", "title=[]"), "has no values to go through"),
    ],
)
def test_a_wrong_call_is_told_with_the_cure(terminal: Terminal, arguments: tuple[str, ...], told: str) -> None:
    answer = terminal.call("run", terminal.save(a_sum()), *arguments)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_one_variation_that_fails_leaves_the_others_alone(terminal: Terminal) -> None:
    nodes = {
        "gone": {"type": "toy.number", "settings": {"value": 1}},
        "one": {"type": "toy.fail", "inputs": {"value": "gone.float"}},
        "note": {"type": "toy.write", "inputs": {"value": "gone.float"}},
    }
    document = workflow(
        nodes,
        parameters={"message": {"sets": ["one.message"]}, "text": {"sets": ["note.text"]}},
        outputs={"one": {"from": "one.float"}},
    )
    answer = terminal.call("run", terminal.save(document), "--sweep", "text=a", "--sweep", "text=b")
    assert answer.code == 1
    first, second = _results(answer)
    assert "failed" in first
    assert "one: RuntimeError: this node always fails" in second
    assert len(terminal.written) == 2
    machine = terminal.call("run", "workflow.json", "--sweep", "text=a", "--sweep", "text=b", "--json")
    assert machine.code == 1
    failures = [{"node": "one", "message": "RuntimeError: this node always fails"}]
    assert [line["failures"] for line in machine.lines[-2:]] == [failures, failures]


def test_an_absolute_path_is_allowed_when_typed(terminal: Terminal) -> None:
    for name in ("a.txt", "b.txt"):
        (terminal.folder / name).write_text(f"text of {name}")
    nodes = {"text": {"type": "toy.read", "settings": {"path": "x.txt"}}}
    file = terminal.save(
        workflow(nodes, parameters={"file": {"sets": ["text.path"]}}, outputs={"text": {"from": "text.str"}})
    )
    paths = [str(terminal.folder / name) for name in ("a.txt", "b.txt")]
    typed = terminal.call("run", file, "--sweep", f"file={','.join(paths)}")
    assert typed.code == 0, typed.err
    assert "text of b.txt" in typed.out
    (terminal.folder / "list").write_text("\n".join(paths))
    assert terminal.call("run", file, "--sweep", "file=@list").code == 2


def test_ctrl_c_cancels_all_variations(terminal: Terminal) -> None:
    document = endless(steps=5000, pause=0.05)
    document["parameters"] = {"seed": {"sets": ["long.seed"]}, "steps": {"sets": ["long.steps"]}}
    file = terminal.save(document)
    process = terminal.start("run", file, "--sweep", "seed=1..3", "--json")
    wait_for(process, "node_finished", "short")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "cancelling" in err
    ended = [json.loads(line) for line in out.splitlines()][-3:]
    assert [(line["variation"], line["status"]) for line in ended] == [(n, "cancelled") for n in (1, 2, 3)]
    assert terminal.written == []
    again = terminal.call("run", file, "--sweep", "seed=1..3", "--set", "steps=1", "--json")
    assert again.code == 0
    assert {event["node"] for event in again.events("node_cached")} == {"short"}
