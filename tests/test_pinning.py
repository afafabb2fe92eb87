"""Pinned nodes: what stands in for them, what is pruned, what follows, and pinning in files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_kit import N, carry_out, engine, problems_of, workflow
from packs import probe
from packs.steering import CALLS

from graphgen.engine import Engine
from graphgen.errors import PathError, WorkflowError
from graphgen.pinning import last_values, pin, pin_file, recorded_values, unpin, unpin_file
from graphgen.pins import FOLDER
from graphgen.sweep import sweep
from graphgen.workflow import from_json


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    CALLS.clear()
    probe.CLOCK[0] = 0
    with engine(tmp_path) as made:
        yield made
    probe.CLOCK[0] = 0


def chain(start: int = 1, add: int = 0) -> dict[str, Any]:
    """Four nodes in a row, and a fifth that hangs on the first two only."""
    nodes = {
        "one": N("maths.number", {"value": start}),
        "first": N("steering.counted", {"word": "first", "add": add}, value="one.int"),
        "middle": N("steering.counted", {"word": "middle", "add": 10}, value="first.int"),
        "last": N("steering.counted", {"word": "last"}, value="middle.int"),
    }
    return workflow(nodes, "last.int", parameters={"start": {"sets": ["one.value"]}})


def saved(machine: Engine, document: dict[str, Any]) -> Path:
    """Write a workflow's file and run it."""
    path = machine.config.roots.inputs / "workflow.json"
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")
    assert machine.run(path).status == "done"
    return path


def pinned(machine: Engine, document: dict[str, Any], node: str) -> dict[str, Any]:
    """Run a workflow and pin a node to what it gave."""
    path = saved(machine, document)
    return pin(machine, machine.read(path), node, last_values(machine, path, node)).to_json()


def messages(machine: Engine, document: dict[str, Any]) -> dict[str, str]:
    """Return what is wrong with a workflow: code and message by place."""
    return {problem.place: f"{problem.code}: {problem.message}" for problem in problems_of(machine, document)}


# --- running ----------------------------------------------------------------------------------------------------------


def test_a_pinned_node_and_what_only_it_needs_do_not_run_whatever_changes_above(machine: Engine) -> None:
    document = pinned(machine, chain(), "middle")
    document["nodes"]["first"]["settings"]["add"] = 500
    CALLS.clear()
    report, log = carry_out(machine, document, start=7)
    assert (report.status, dict(report.outputs), CALLS) == ("done", {"last": 11}, {})
    plan = machine.plan(machine.check(document))
    assert {name: plan.state(name) for name in plan.recipes} == {"middle": "pinned", "last": "cached"}
    assert log.ran == set()


def test_what_is_below_follows_the_value_and_unpinning_finds_the_old_results(machine: Engine) -> None:
    first = pinned(machine, chain(), "middle")
    other = pinned(machine, chain(start=5), "middle")
    CALLS.clear()
    assert machine.run(first).outputs["last"] == 11
    assert machine.run(other).outputs["last"] == 15
    assert machine.run(chain()).outputs["last"] == 11
    assert CALLS == {}
    changed = chain()
    changed["nodes"]["last"]["settings"]["add"] = 100
    changed["nodes"]["middle"] = other["nodes"]["middle"]
    assert machine.run(changed).outputs["last"] == 115
    assert CALLS == {"last": 1}


def test_pins_outlive_a_cleared_cache_and_hold_without_a_cache(tmp_path: Path, machine: Engine) -> None:
    document = pinned(machine, chain(), "middle")
    machine.cache.clear()
    CALLS.clear()
    assert machine.run(document).outputs["last"] == 11
    with engine(tmp_path, use_cache=False) as bare:
        assert bare.run(document).outputs["last"] == 11
    assert CALLS == {"last": 2}


def test_what_runs_every_time_gives_what_it_gave(machine: Engine) -> None:
    nodes = {"now": N("probe.clock"), "after": N("maths.add", {"extra": 1}, a="now.int")}
    document = pinned(machine, workflow(nodes, "after.int"), "now")
    again = pinned(machine, workflow(nodes, "after.int"), "after")
    probe.CLOCK[0] = 50
    assert machine.run(document).outputs["after"] == 1
    assert machine.run(again).outputs["after"] == 1
    assert machine.run(workflow(nodes, "after.int")).outputs["after"] == 51


def test_a_map_is_pinned_as_a_whole_and_a_node_in_a_subgraph_for_all_turns(machine: Engine) -> None:
    inside: Any = {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "sum.int"}},
        "nodes": {
            "held": N("steering.counted", {"word": "held"}, value="inputs.value"),
            "sum": N("maths.add", a="held.int", b="inputs.value"),
        },
    }
    nodes: dict[str, Any] = {
        "list": N("steering.numbers", {"count": 3}),
        "each": {**N("subgraph.twice", value="list.ints"), "map": {"over": ["value"]}},
    }
    document: dict[str, Any] = workflow(nodes, "each.int", subgraphs={"twice": inside})
    whole = pinned(machine, document, "each")
    whole["nodes"]["list"]["settings"]["count"] = 9
    CALLS.clear()
    assert machine.run(whole).outputs["each"] == [0, 2, 4]
    assert CALLS == {}
    document["nodes"]["use"] = N("subgraph.twice", value="ten.int")
    values = machine.run(workflow({"ten": N("maths.number", {"value": 10})}, "ten.int")).outputs.stored
    inside["nodes"]["held"] |= {"mode": "pin", "pinned": {"int": values["ten"].digest}}
    pin(machine, from_json(workflow({"ten": N("maths.number")}, "ten.int")), "ten", {"int": values["ten"]})
    partly = workflow({key: nodes[key] for key in ("list", "each")}, "each.int", subgraphs={"twice": inside})
    assert machine.run(partly).outputs["each"] == [10, 11, 12]
    assert CALLS == {}


def test_a_pinned_effect_node_puts_its_files_back(machine: Engine) -> None:
    nodes = {"word": N("maths.word", {"text": "hello"}), "save": N("probe.save", text="word.str")}
    document = pinned(machine, workflow(nodes), "save")
    for file in machine.config.roots.outputs.iterdir():
        file.unlink()
    report = machine.run(document)
    assert [Path(file).read_text() for file in report.files] == ["hello"]
    assert report.ran == 0


def test_a_sweep_over_what_is_pinned_computes_nothing(machine: Engine) -> None:
    document = pinned(machine, chain(), "middle")
    report = sweep(machine, document, {"start": [3, 4]})
    assert [dict(item.outputs) for item in report.variations] == [{"last": 11}, {"last": 11}]


def test_a_pinned_node_tells_what_its_value_tells_and_a_note(machine: Engine) -> None:
    graph = machine.check(pinned(machine, chain(), "middle"))
    assert graph.nodes["middle"].facts["int"]["value"] == 11
    assert "is pinned" in str(graph.nodes["middle"].facts["int"]["note"])


def test_explain_tells_of_pins_and_of_their_end(machine: Engine) -> None:
    document = pinned(machine, chain(), "middle")
    plan = machine.plan(machine.check(document))
    machine.execute(plan, identity="it")
    states = {item.node: item.state for item in machine.explain(plan, "it")}
    assert states == {"middle": "pinned", "last": "cached"}
    changed = chain(add=3)
    found = {item.node: item.reasons for item in machine.explain(machine.plan(machine.check(changed)), "it")}
    assert found["middle"][0] == "it is not pinned any more"


def test_a_pinned_node_is_not_forced(machine: Engine) -> None:
    graph = machine.check(pinned(machine, chain(), "middle"))
    with pytest.raises(WorkflowError, match="middle: cannot be forced, because 'middle' is pinned"):
        machine.plan(graph, force=["middle"])
    assert machine.plan(graph, force="all").order == ("last",)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def the_pin(machine: Engine) -> Path:
    (file,) = (machine.config.roots.data / FOLDER).glob("*/*.safetensors")
    return file


def test_a_pinned_value_that_is_missing_damaged_or_of_another_type_is_told_with_the_cure(machine: Engine) -> None:
    document = pinned(machine, chain(), "middle")
    file = the_pin(machine)
    data = file.read_bytes()
    file.write_bytes(data[:-1] + b"!")
    assert messages(machine, document)["middle.pinned.int"].startswith(
        "pin_damaged: the value it is pinned to cannot be"
    )
    file.write_bytes(data)
    document["nodes"]["middle"]["type"] = "maths.word"
    document["nodes"]["middle"]["pinned"]["str"] = document["nodes"]["middle"]["pinned"].pop("int")
    assert messages(machine, document)["middle.pinned.str"] == "wrong_type: is pinned to a 11, but gives str"
    file.unlink()
    (problem,) = [p for p in problems_of(machine, pinned_by_hand(document)) if p.code == "pin_missing"]
    assert f"there is no 'pins/{file.parent.name}/{file.name}' in data" in problem.message
    assert problem.cure
    assert "copy that file from where it was pinned" in problem.cure


def pinned_by_hand(document: dict[str, Any]) -> dict[str, Any]:
    """Return the same workflow in JSON of its own."""
    return dict(json.loads(json.dumps(document)))


def test_values_that_do_not_fit_are_refused_when_they_are_pinned(machine: Engine) -> None:
    path = saved(machine, chain())
    values = last_values(machine, path, "middle")
    with pytest.raises(WorkflowError, match=r"one.pinned: maths.number has no output 'str'"):
        pin(machine, machine.read(path), "one", {"str": values["int"]})
    blocked = {"one": N("maths.number", {"value": 3}), "sides": N("steering.sides", value="one.int")}
    source = workflow(blocked, "sides.odd")
    report = machine.run(source)
    with pytest.raises(WorkflowError, match="gave no value to be pinned to: 3 is odd"):
        pin(machine, machine.read(source), "sides", recorded_values(machine, report.record(), "sides"))


# --- files ------------------------------------------------------------------------------------------------------------


def test_a_file_is_pinned_and_unpinned_and_all_else_in_it_stays(machine: Engine) -> None:
    path = saved(machine, chain())
    before = path.read_bytes().replace(b"\n", b"\r\n").replace(b'"graphgen": 1', b'"graphgen":   1')
    path.write_bytes(before)
    path.chmod(0o640)
    pin_file(machine, path, "middle", last_values(machine, path, "middle"))
    text = path.read_text(encoding="utf-8")
    assert json.loads(text)["nodes"]["middle"]["mode"] == "pin"
    assert machine.run(path, {"start": 40}).outputs["last"] == 11
    unpin_file(machine, path, "middle")
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    with pytest.raises(WorkflowError, match="middle: is not pinned"):
        unpin_file(machine, path, "middle")


def test_the_last_run_counts_whatever_its_parameters_were(machine: Engine) -> None:
    path = saved(machine, chain())
    machine.run(path, {"start": 5})
    machine.run(path)
    machine.run(path, {"start": 5})
    pin_file(machine, path, "middle", last_values(machine, path, "middle"))
    assert machine.run(path).outputs["last"] == 15


def test_what_is_not_kept_any_more_is_computed_again_if_it_is_still_the_same(tmp_path: Path, machine: Engine) -> None:
    path = saved(machine, chain())
    machine.cache.clear()
    with engine(tmp_path) as later:
        assert last_values(later, path, "one")["int"].load() == 1
        assert last_values(later, path, "middle")["int"].load() == 11
        later.cache.clear()
        later.run(path, {"start": 8})
        later.cache.clear()
        with pytest.raises(WorkflowError, match="middle: what it gave in the last run is not kept any more"):
            last_values(later, path, "middle")
        assert last_values(later, path, "middle", {"start": 8})["int"].load() == 18


def test_a_given_run_is_pinned_by_its_record(machine: Engine) -> None:
    report = machine.run(chain(), {"start": 3})
    machine.run(chain(), {"start": 4})
    document = pin(machine, machine.read(chain()), "middle", recorded_values(machine, report.record(), "middle"))
    assert machine.run(document).outputs["last"] == 13
    with pytest.raises(WorkflowError, match="did you mean 'middle'"):
        recorded_values(machine, report.record(), "midle")


def test_names_that_cannot_be_pinned_say_why(machine: Engine) -> None:
    inside: Any = {
        "inputs": {"value": {"type": "int"}},
        "outputs": {"int": {"from": "a.int"}},
        "nodes": {"a": N("steering.counted", {"word": "a"}, value="inputs.value")},
    }
    nodes: dict[str, Any] = {
        "one": N("maths.number"),
        "use": N("subgraph.inner", value="one.int"),
        "list": N("steering.numbers"),
        "each": {**N("steering.counted", value="list.ints"), "map": {"over": ["value"]}},
    }
    document = workflow(nodes, "use.int", "each.int", subgraphs={"inner": inside})
    path = saved(machine, document)
    values = last_values(machine, path, "use/a")
    pin_file(machine, path, "use/a", values)
    assert json.loads(path.read_text())["subgraphs"]["inner"]["nodes"]["a"]["pinned"] == {"int": values["int"].digest}
    assert machine.run(path).outputs["use"] == 0
    unpin_file(machine, path, "use/a")

    def refused(name: str, source: dict[str, Any] = document) -> str:
        with pytest.raises(WorkflowError) as caught:
            pin(machine, machine.read(source), name, values)
        return str(caught.value)

    assert "these are not pinned as a whole; pin the nodes that give its outputs, such as 'use/a'" in refused("use")
    assert "'each' is a map or a loop, whose turns are not pinned one by one; pin 'each'" in refused("each/0")
    assert "did you mean 'use'" in refused("uses")
    assert "no node is named 'one/x'" in refused("one/x")
    twice = workflow({**nodes, "more": N("subgraph.inner", value="one.int")}, "use.int", subgraphs={"inner": inside})
    assert "is used more than once" in refused("use/a", twice)
    other = path.rename(path.with_name("other.json"))
    with pytest.raises(WorkflowError, match="each: no run of it is recorded here"):
        last_values(machine, other, "each")


def test_a_pinned_node_is_not_pinned_to_its_own_pin(machine: Engine) -> None:
    path = saved(machine, chain())
    pin_file(machine, path, "middle", last_values(machine, path, "middle"))
    machine.run(path)
    with pytest.raises(WorkflowError, match="was pinned in the last run already; `graphgen unpin"):
        last_values(machine, path, "middle")


def test_a_pins_folder_that_cannot_be_written_to_is_told(machine: Engine) -> None:
    path = saved(machine, chain())
    values = last_values(machine, path, "middle")
    (machine.config.roots.data / FOLDER).write_text("in the way")
    with pytest.raises(PathError, match="cannot be written to: Not a directory; choose another folder"):
        pin_file(machine, path, "middle", values)
    assert "pin" not in path.read_text()


def test_unpinning_a_document_leaves_what_is_pinned_elsewhere(machine: Engine) -> None:
    document = machine.read(pinned(machine, chain(), "middle"))
    assert unpin(machine, document, "middle") == machine.read(chain())
    assert the_pin(machine).exists()
