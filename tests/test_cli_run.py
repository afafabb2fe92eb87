"""`graphgen run`: exit codes, what is printed where, caching, explaining, paths, pictures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from cli_kit import Answer, Terminal, a_sum, workflow

PIXEL = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\nIDATx\x9cc`\x00\x00\x00\x02\x00\x01H\xaf\xa4q\x00\x00\x00\x00IEND\xaeB`\x82"
)


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def states(answer: Answer) -> dict[str, str]:
    assert answer.code == 0, answer.err
    return {line["node"]: line["state"] for line in answer.lines}


def test_a_run_names_nodes_files_outputs_and_counts(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum()))
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("A sum: 5 nodes to run\n")
    for node in ("two", "long", "square", "sum", "note"):
        assert f"✓ {node}" in answer.out
    (file,) = terminal.written
    assert (terminal.folder / "outputs" / file).read_text() == "sum: 6.0"
    assert f"→ outputs/{file}\n" in answer.out
    assert "total  6.0\n" in answer.out
    assert answer.out.splitlines()[-1].endswith(": 5 ran")
    assert "\r" not in answer.out
    assert "\x1b" not in answer.out


def test_a_second_run_computes_nothing_and_puts_a_missing_file_back(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    terminal.call("run", file)
    (made,) = terminal.written
    (terminal.folder / "outputs" / made).unlink()
    answer = terminal.call("run", file)
    assert answer.code == 0
    assert answer.out.startswith("A sum: nothing to run, 2 cached\n")
    assert "○ sum " in answer.out
    assert "cached" in answer.out
    assert terminal.written == [made]


def test_forced_nodes_run_again_and_what_is_below_follows(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    terminal.call("run", file)
    explained = terminal.call("run", file, "--force", "long", "--explain", "--json")
    assert states(explained) == {
        "two": "run",
        "long": "run",
        "square": "cached",
        "sum": "may run",
        "note": "may run",
    }
    answer = terminal.call("run", file, "--force", "long", "--json")
    assert {event["node"] for event in answer.events("node_finished")} == {"two", "long"}
    both = terminal.call("run", file, "--only", "square", "--only", "long", "--force", "square", "--json")
    assert {event["node"] for event in both.events("node_finished")} == {"two", "square"}
    assert terminal.call("run", file, "--force-all", "--json").events("run_finished")[0]["ran"] == 5
    assert terminal.call("run", file, "--json").events("run_finished")[0]["ran"] == 0
    wrong = terminal.call("run", file, "--only", "square", "--force", "lnog", "--force", "sum")
    assert wrong.code == 2
    assert "lnog: is forced, but no node is named 'lnog'" in wrong.err
    assert "sum: is forced, but nothing that is to be run needs it" in wrong.err


def test_no_cache_computes_everything_and_keeps_nothing(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    terminal.call("run", file)
    for _ in range(2):
        answer = terminal.call("run", file, "--no-cache", "--json")
        assert answer.events("run_finished")[0]["ran"] == 5


def test_parameters_are_set_by_name(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum()), "--set", "first=3", "--set", "mode=double", "--set", "title=")
    assert answer.code == 0
    (file,) = terminal.written
    assert (terminal.folder / "outputs" / file).read_text() == ": 9.0"


def test_a_text_parameter_takes_any_text(terminal: Terminal) -> None:
    text = "a=b, 'c' \"d\" --set 빨간 사과 7"
    assert terminal.call("run", terminal.save(a_sum()), "--set", f"title={text}").code == 0
    (file,) = terminal.written
    assert (terminal.folder / "outputs" / file).read_text() == f"{text}: 6.0"


def test_outputs_go_where_the_person_says(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum()), "-o", "elsewhere/deep")
    assert answer.code == 0
    assert [path.suffix for path in (terminal.folder / "elsewhere/deep").iterdir()] == [".txt"]
    assert terminal.written == []


def test_only_runs_a_node_and_what_it_needs(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum()), "--only", "square", "--only", "long", "--json")
    assert {event["node"] for event in answer.events("node_finished")} == {"two", "square", "long"}
    assert terminal.written == []
    wrong = terminal.call("run", "workflow.json", "--only", "sqare")
    assert wrong.code == 2
    assert "did you mean 'square'?" in wrong.err


def test_an_output_that_is_blocked_is_told_with_the_reason(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    gate = {"type": "flow.gate", "inputs": {"value": "two.float"}, "settings": {"open": False, "reason": "not today"}}
    nodes = {"two": {"type": "toy.number", "settings": {"value": 2}}, "gate": gate}
    answer = terminal.call("run", terminal.save(workflow(nodes, outputs={"picture": {"from": "gate.value"}})))
    assert answer.code == 0
    assert "picture  no value: not today\n" in answer.out


def test_what_a_conversion_loses_is_told_among_the_events(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    nodes = {
        "square": {"type": "images.solid", "settings": {"width": 8, "height": 8}},
        "soft": {"type": "masks.invert", "inputs": {"mask": "square.image"}},
    }
    file = terminal.save(workflow(nodes, outputs={"mask": {"from": "soft.mask"}}))
    answer = terminal.call("run", file, "--json")
    assert answer.code == 0, answer.err
    assert answer.lines[0]["event"] == "run_started"
    (log,) = answer.events("node_log")
    assert (log["node"], log["level"]) == ("soft/mask:from_image", "warning")
    assert "loses" in log["message"]


def test_the_counts_at_the_head_and_at_the_end_are_of_the_same_nodes(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    nodes = {
        "many": {"type": "flow.numbers", "settings": {"count": 3}},
        "each": {"type": "toy.wait", "map": {"over": ["value"]}, "inputs": {"value": "many.numbers"}},
    }
    answer = terminal.call("run", terminal.save(workflow(nodes, outputs={"each": {"from": "each.float"}})))
    assert answer.code == 0, answer.err
    assert ": 2 nodes to run, and what they repeat\n" in answer.out
    assert answer.out.splitlines()[-1].endswith(": 5 ran (3 of them inside others)")


def test_explain_tells_of_zones_and_of_nodes_inside_subgraphs(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    doubled = {"type": "toy.add", "inputs": {"numbers": ["inputs.value", "inputs.value"]}}
    inside = {
        "inputs": {"value": {"type": "float"}},
        "outputs": {"sum": {"from": "sum.float"}},
        "nodes": {"sum": doubled},
    }
    nodes = {
        "many": {"type": "flow.numbers", "settings": {"count": 3}},
        "each": {"type": "subgraph.double", "map": {"over": ["value"]}, "inputs": {"value": "many.numbers"}},
        "two": {"type": "toy.number", "settings": {"value": 2}},
        "once": {"type": "subgraph.double", "inputs": {"value": "two.float"}},
    }
    outputs = {"each": {"from": "each.sum"}, "once": {"from": "once.sum"}}
    file = terminal.save(workflow(nodes, outputs=outputs, subgraphs={"double": inside}))
    for states in ("run", "cached"):
        lines = terminal.call("run", file, "--explain", "--json").lines
        told = {line["node"]: line for line in lines if "node" in line}
        assert {"each", "once/sum"} <= told.keys()
        assert told["each"]["state"] == told["once/sum"]["state"] == states
        assert terminal.call("run", file).code == 0
    inside["nodes"]["sum"]["inputs"]["numbers"].append("inputs.value")  # type: ignore[index]
    terminal.save(workflow(nodes, outputs=outputs, subgraphs={"double": inside}))
    told = {line["node"]: line for line in terminal.call("run", file, "--explain", "--json").lines if "node" in line}
    assert told["each"]["reasons"] == ["what it repeats changed"]
    assert told["once/sum"]["reasons"] == ["its wires changed"]


def test_json_prints_one_object_for_each_event_and_nothing_else(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum(steps=5, pause=0.1)), "--json")
    assert (answer.code, answer.err) == (0, "")
    names = [line["event"] for line in answer.lines]
    assert (names[0], names[-1]) == ("run_started", "run_finished")
    assert names.count("node_finished") == 5
    assert 2 <= names.count("node_progress") <= 6
    (finished,) = answer.events("run_finished")
    assert finished["status"] == "done"
    assert [Path(file).name for file in finished["files"]] == terminal.written


def test_a_failed_node_is_told_with_its_inputs_and_takes_only_what_depends_on_it(terminal: Terminal) -> None:
    nodes = {
        "a": {"type": "toy.number", "settings": {"value": 7}},
        "bad": {"type": "toy.fail", "inputs": {"value": "a.float"}, "settings": {"message": "out of apples"}},
        "below": {"type": "toy.write", "inputs": {"value": "bad.float"}},
        "beside": {"type": "toy.write", "inputs": {"value": "a.float"}},
    }
    file = terminal.save(workflow(nodes))
    answer = terminal.call("run", file)
    assert answer.code == 1
    assert "✗ bad (toy.fail): RuntimeError: out of apples" in answer.err
    assert "value: 7.0" in answer.err
    assert "Traceback" not in answer.err
    assert "– below" in answer.out
    assert "1 failed, 1 skipped" in answer.out.splitlines()[-1]
    assert len(terminal.written) == 1
    verbose = terminal.call("run", file, "--verbose")
    assert "Traceback" in verbose.err
    assert "toy.py" in verbose.err
    machine = terminal.call("run", file, "--json")
    assert machine.code == 1
    (failed,) = machine.events("node_failed")
    assert failed["node"] == "bad"
    assert "Traceback" in failed["traceback"]


def test_what_nodes_say_is_shown(terminal: Terminal) -> None:
    nodes = {
        "low": {"type": "toy.speak", "settings": {"message": "all is well"}},
        "loud": {"type": "toy.speak", "settings": {"message": "beware\x1b[2J", "warning": True}},
    }
    outputs = {name: {"from": f"{name}.str"} for name in nodes}
    answer = terminal.call("run", terminal.save(workflow(nodes, outputs=outputs)))
    assert "info: all is well" in answer.out
    assert "warning: beware\\x1b[2J" in answer.out  # a workflow cannot command the terminal


def test_long_nodes_are_told_of_on_the_way(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum(steps=40, pause=0.1)))
    about = [line for line in answer.out.splitlines() if " long " in line]
    assert "running" in about[0]
    assert "75 %  30/40" in about[-2]
    assert "✓" in about[-1]
    assert len(about) <= 5


def test_runs_of_many_nodes_name_only_what_takes_time(terminal: Terminal) -> None:
    nodes: dict[str, object] = {f"n{i}": {"type": "toy.number", "settings": {"value": i}} for i in range(200)}
    nodes["long"] = {"type": "toy.slow", "settings": {"steps": 2, "pause": 0.2}}
    nodes["all"] = {"type": "toy.add", "inputs": {"numbers": [f"n{i}.float" for i in range(200)] + ["long.float"]}}
    file = terminal.save(workflow(nodes, outputs={"sum": {"from": "all.float"}}))
    answer = terminal.call("run", file)
    assert answer.code == 0
    assert "✓ long" in answer.out
    assert answer.out.count("✓") < 100, "those that took long, even where others were held up"
    assert "202 ran" in answer.out
    assert "✓ n17 " in terminal.call("run", file, "--verbose", "--no-cache").out


# --- explaining -----------------------------------------------------------------------------------------------------


def test_explain_says_why_and_runs_nothing(terminal: Terminal) -> None:
    file = terminal.save(a_sum())
    fresh = terminal.call("run", file, "--explain")
    assert fresh.code == 0
    assert fresh.out.endswith("5 would run, 0 cached; none of these nodes has run here before\n")
    assert terminal.written == []
    terminal.call("run", file)
    assert set(states(terminal.call("run", file, "--explain", "--json")).values()) <= {"cached", "not needed"}
    assert "no run of it is recorded" in fresh.out
    assert re.search(
        r"compared with its last run, \d{4}-\d\d-\d\d \d\d:\d\d;", terminal.call("run", file, "--explain").out
    )
    assert "without the cache" in terminal.call("run", file, "--explain", "--no-cache").out
    changed = terminal.call("run", file, "--explain", "--set", "mode=double")
    assert 'mode: "square" -> "double"' in changed.out
    assert "'square' changed" in changed.out
    machine = terminal.call("run", file, "--explain", "--json", "--set", "mode=double")
    assert states(machine)["square"] == "run"
    assert states(machine)["long"] == "cached"
    square = next(line for line in machine.lines if line["node"] == "square")
    assert square["type"] == "toy.heavy"
    assert square["reasons"] == ['mode: "square" -> "double"']


def test_explain_tells_what_may_run_below_an_impure_node(terminal: Terminal) -> None:
    nodes = {
        "now": {"type": "toy.clock"},
        "note": {"type": "toy.write", "inputs": {"value": "now.float"}},
    }
    found = states(terminal.call("run", terminal.save(workflow(nodes)), "--explain", "--json"))
    assert found == {"now": "run", "note": "may run"}


# --- where workflows come from --------------------------------------------------------------------------------------


def test_a_workflow_is_read_from_standard_input(terminal: Terminal) -> None:
    answer = terminal.call("run", "-", "--set", "first=1", stdin=json.dumps(a_sum()))
    assert answer.code == 0, answer.err
    assert "total  2.0" in answer.out
    wrong = terminal.call("run", "-", stdin="{")
    assert wrong.code == 2
    assert "standard input: 1 problem" in wrong.err


def test_a_picture_runs_again_with_its_parameters(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    nodes = {
        "colour": {"type": "images.solid", "settings": {"width": 8, "height": 8}},
        "file": {"type": "images.save", "inputs": {"image": "colour.image"}, "settings": {"name": "plain"}},
    }
    parameters = {"colour": {"sets": ["colour.color"]}}
    file = terminal.save(workflow(nodes, name="Plain", parameters=parameters, view={"nodes": {"colour": {"x": 1}}}))
    first = terminal.call("run", file, "--set", "colour=#ff0000")
    assert first.code == 0, first.err
    (red,) = terminal.written
    picture = str(Path("outputs") / red)
    again = terminal.call("run", picture)
    assert again.code == 0, again.err
    assert '"#ff0000"' in again.out
    assert "nothing to run" in again.out
    assert terminal.written == [red]
    blue = terminal.call("run", picture, "--set", "colour=#0000ff")
    assert blue.code == 0
    assert len(terminal.written) == 2
    assert "colour  str" in terminal.call("run", picture, "--help").out


def test_a_picture_that_graphgen_did_not_make_is_refused(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, complete=True)
    (terminal.folder / "pixel.png").write_bytes(PIXEL)
    answer = terminal.call("run", "pixel.png")
    assert answer.code == 2
    assert "no workflow is in this file" in answer.err


# --- paths ----------------------------------------------------------------------------------------------------------


def reader(path: str) -> dict[str, object]:
    return workflow(
        {"text": {"type": "toy.read", "settings": {"path": path}}},
        parameters={"file": {"sets": ["text.path"]}},
        outputs={"text": {"from": "text.str"}},
    )


def test_an_absolute_path_is_allowed_when_typed_and_never_in_a_file(terminal: Terminal) -> None:
    secret = terminal.folder / "secret.txt"
    secret.write_text("the secret")
    inside = terminal.call("run", terminal.save(reader(str(secret))))
    assert inside.code == 2
    assert "is absolute" in inside.err
    assert "the secret" not in inside.out
    typed = terminal.call("run", terminal.save(reader("a.txt")), "--set", f"file={secret}")
    assert typed.code == 0, typed.err
    assert "the secret" in typed.out
    assert terminal.call("check", "workflow.json", "--set", f"file={secret}").code == 0


def test_a_changed_input_file_is_read_again(terminal: Terminal) -> None:
    (terminal.folder / "inputs").mkdir()
    (terminal.folder / "inputs/a.txt").write_text("one")
    file = terminal.save(reader("a.txt"))
    assert "one" in terminal.call("run", file).out
    (terminal.folder / "inputs/a.txt").write_text("two")
    assert "the file it reads changed" in terminal.call("run", file, "--explain").out
    assert "two" in terminal.call("run", file).out


# --- wrong calls ----------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_told_at_once_with_the_cure(terminal: Terminal) -> None:
    document = a_sum(steps=0)
    call = ("run", terminal.save(document), "--set", "frist=3", "--set", "first=x", "--set", "mode=cube")
    answer = terminal.call(*call)
    assert (answer.code, answer.out) == (2, "")
    assert "workflow.json: 4 problems" in answer.err
    assert "--set frist: the workflow has no such parameter" in answer.err
    assert "did you mean 'first'?" in answer.err
    assert '--set first: must be a number (got "x"); write --set first=7.5' in answer.err
    assert "square.mode (--set mode): must be 'square' or 'double' (got \"cube\")" in answer.err
    assert "long.steps: must be at least 1 (got 0)" in answer.err
    machine = terminal.call(*call, "--json")
    (refused,) = machine.lines
    assert refused["event"] == "run_refused"
    assert len(refused["problems"]) == 4


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", "true", '"7"', "[", ""])
def test_no_number_is_taken_from_what_is_none(terminal: Terminal, value: str) -> None:
    answer = terminal.call("run", terminal.save(a_sum()), "--set", f"first={value}", "--json")
    assert answer.code == 2
    assert len(answer.lines) == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("run",), "FILE is missing"),
        (("run", "workflow.json", "--set", "first"), "write it as name=value"),
        (("run", "workflow.json", "--sett", "first=2"), "unrecognized arguments: --sett first=2"),
        (("run", "missing.json"), "No such file"),
        (("run", "."), "directory"),
    ],
)
def test_a_wrong_call_is_told_with_the_cure(terminal: Terminal, arguments: tuple[str, ...], told: str) -> None:
    terminal.save(a_sum())
    answer = terminal.call(*arguments)
    assert (answer.code, answer.out) == (2, "")
    assert told in answer.err
    assert "Traceback" not in answer.err


def test_a_run_names_the_first_problems_and_check_all_of_them(terminal: Terminal) -> None:
    nodes = {f"n{i}": {"type": "toy.missing"} for i in range(30)}
    file = terminal.save(workflow(nodes))
    answer = terminal.call("run", file)
    assert answer.code == 2
    assert "30 problems" in answer.err
    assert answer.err.splitlines()[-1] == "  and 10 more; `graphgen check` lists them all"
    assert len(terminal.call("check", file).err.splitlines()) == 31


def test_help_lists_the_workflows_own_parameters(terminal: Terminal) -> None:
    answer = terminal.call("run", terminal.save(a_sum()), "--help")
    assert answer.code == 0
    assert "Adds slow numbers and writes the sum down." in answer.out
    rows = {line.split()[0]: line for line in answer.out.splitlines() if line.startswith("  ") and line.split()}
    assert "number" in rows["first"]
    assert "The first number" in rows["first"]
    assert "int, 1 … 10000" in rows["steps"]
    assert "3" in rows["steps"]
    assert "square or double" in rows["mode"]
    assert '"sum"' in rows["title"]
    assert "--explain" in answer.out
    assert terminal.call("run", "--help").code == 0
