"""What a workflow may be: a folder of good ones with what they give, and one of bad ones with every problem they have.

`tests/graphs/bad/NAME.expected.txt` holds the problems of NAME.json, line by line, word for word.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import networkx
import pytest
from engine_kit import HERE, N, carry_out, engine, problems_of, workflow
from packs import heat, maths, probe, steering, streams
from packs.heat import Degree, Word
from packs.maths import Point

from graphgen.engine import Engine
from graphgen.errors import Problem
from graphgen.jsontypes import JSON
from graphgen.pins import hold
from graphgen.plugins import BrokenPlugin, Plugin
from graphgen.registry import build_registry
from graphgen.wires import Wire

BAD = sorted((HERE / "graphs" / "bad").glob("*.json"))
GOOD = {
    "one_node": {"one": 1},
    "diamond": {"sum": 5},
    "any_number_of_wires": {"sum": 4, "none": 0},
    "wired_setting": {"s": 10.0},
    "subclass": {"m": Point(2, 1)},
    "several_outputs": {"sum": 4},
    "migrated": {"g": 41},
    "muted": {"sum": 1, "opt": 1},
    "bypassed": {"sum": 2, "three": 1},
    "files_only": {},
    "view_and_texts": {"one": 1},
    "converted": {"loud": Word("WARM"), "kind": "Word", "sum": 21},
    "converted_lists": {"all": Word("cold cold warm"), "last": Degree(40)},
    "subgraphs": {"sum": 12, "passed": 12, "wired": 14},
    "map": {"each": [1, 2, 3], "pairs": [1, 2, 3, 2, 3, 4, 3, 4, 5], "tried": [10, 20]},
    "loop": {"thrice": 7, "until": [3, 5, 7], "sum": 7},
    "lazy": {"chosen": 1},
    "blocked": {"odd": 1},
    "expansion": {"down": 3},
    "pinned": {"sum": 6, "use": 11},
    "streams": {"each": [3, 4, 5, 6], "sum": 18, "high": 5, "half": 9},
}


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    """An engine with the fake packs, `maths` in version 1.5, a plugin that is broken, and a 5 to be pinned to."""
    shattered = BrokenPlugin("shattered", "acme-shattered", "ImportError: no module named 'glue'", "...")
    packs = {"probe": probe, "steering": steering, "streams": streams, "heat": heat}
    own = [Plugin(name, module) for name, module in packs.items()]
    installed = build_registry([Plugin("maths", maths, "acme-maths", "1.5"), *own, shattered])
    with engine(tmp_path, installed=installed) as made:
        hold(made.cache.wrap(5), made.config.roots.data)
        yield made


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem)
def test_bad_workflows_say_all_that_is_wrong(path: Path, machine: Engine) -> None:
    found = "\n".join(str(problem) for problem in problems_of(machine, path)) + "\n"
    assert found == path.with_suffix(".expected.txt").read_text(encoding="utf-8")


def test_every_expectation_has_its_workflow() -> None:
    assert {path.name.partition(".")[0] for path in (HERE / "graphs" / "bad").iterdir()} == {p.stem for p in BAD}
    assert {path.stem for path in (HERE / "graphs" / "good").glob("*.json")} == set(GOOD)


@pytest.mark.parametrize("name", GOOD)
def test_good_workflows_give_what_they_should(name: str, machine: Engine) -> None:
    report, _ = carry_out(machine, HERE / "graphs" / "good" / f"{name}.json")
    assert report.status == "done"
    assert dict(report.outputs) == GOOD[name]


@pytest.mark.parametrize("name", GOOD)
def test_good_workflows_come_back_from_json(name: str, machine: Engine) -> None:
    read = machine.read(HERE / "graphs" / "good" / f"{name}.json")
    assert machine.read(read.to_json()) == read


def test_problems_carry_code_place_and_value_as_json(machine: Engine) -> None:
    wrong = workflow({"one": N("maths.number", {"value": -2000})}, "one.int")
    (problem,) = problems_of(machine, wrong)
    assert problem.to_json() == {
        "code": "bad_value_greater_than_equal",
        "place": "one.value",
        "message": "must be at least -1000 (got -2000)",
        "value": -2000,
        "parts": {"ge": -1000, "got": "-2000"},
    }


def test_what_is_allowed_is_listed_without_the_word(machine: Engine) -> None:
    lost = {"one": N("maths.number"), "two": N("maths.even", a="on.int", b="one.int", c="one.int")}
    problems = {p.place: p.to_json() for p in problems_of(machine, workflow(lost, "two.int", "one.it"))}
    assert problems["two.a"]["allowed"] == "one, two"
    assert problems["two.c"]["allowed"] == "a, b"
    assert problems["outputs.one"]["allowed"] == "int"
    odd = {"one": N("maths.number", {"value": 1}), "two": N("maths.even", a="one.int", b="one.int")}
    (refused,) = problems_of(machine, workflow(odd, "two.int"))
    assert refused.to_json()["allowed"] == "an even number"


def test_nodes_stand_in_topological_order_whatever_the_file_says(machine: Engine) -> None:
    nodes: dict[str, JSON] = {f"n{i}": N("maths.add", a=f"n{i + 1}.int") for i in range(20)}
    nodes["n20"] = N("maths.number")
    graph = machine.check(workflow(nodes, "n0.int"))
    assert list(graph.nodes) == [f"n{i}" for i in reversed(range(21))]


def test_the_graph_can_be_had_for_networkx(machine: Engine) -> None:
    graph = machine.check(HERE / "graphs" / "good" / "diamond.json").to_networkx()
    assert networkx.is_directed_acyclic_graph(graph)
    assert graph.nodes["sum"]["type"] == "maths.add"
    assert graph.get_edge_data("left", "sum")[0] == {"output": "int", "input": "a"}


def test_a_long_cycle_is_named_without_filling_the_screen(machine: Engine) -> None:
    nodes: dict[str, JSON] = {f"n{i}": N("maths.add", a=f"n{(i + 1) % 3000}.int") for i in range(3000)}
    (problem,) = problems_of(machine, workflow(nodes, "n0.int"))
    assert problem.code == "cycle"
    assert len(str(problem)) < 300


def test_two_cycles_are_two_problems(machine: Engine) -> None:
    nodes = {name: N("maths.add", a=f"{other}.int") for name, other in [("a", "b"), ("b", "a"), ("c", "d"), ("d", "c")]}
    assert [problem.code for problem in problems_of(machine, workflow(nodes, "a.int"))] == ["cycle", "cycle"]


def test_a_setting_wired_from_an_unknown_node_is_not_called_missing(machine: Engine) -> None:
    nodes = {"w": N("maths.word", text="lost.str"), "lost": N("maths.nothing")}
    assert [problem.code for problem in problems_of(machine, workflow(nodes, "w.str"))] == ["unknown_node"]


def test_parameters_are_checked_with_the_settings_they_set(machine: Engine) -> None:
    source = workflow({"one": N("maths.number")}, "one.int", parameters={"value": {"sets": ["one.value"]}})
    (problem,) = problems_of(machine, source, value=-2000)
    assert str(problem) == "one.value: must be at least -1000 (got -2000)"


def test_a_node_whose_infer_raises_is_a_problem_that_names_the_line(machine: Engine) -> None:
    def check(known: object) -> dict[str, dict[str, JSON]]:
        raise KeyError("oops")

    from graphgen import hookimpl, node

    @node(category="x", infer=check)
    def careless() -> int:
        return 1

    class Pack:
        @hookimpl
        def register_nodes(self) -> list[object]:
            return [careless]

    installed = build_registry([Plugin("careless", Pack())])
    with engine(machine.config.roots.data, installed=installed) as other:
        (problem,) = problems_of(other, workflow({"c": N("careless.careless")}, "c.int"))
    assert problem.code == "node_mistake"
    assert "KeyError: 'oops'" in problem.message
    assert "test_graph.py, line" in problem.message


class TestModes:
    """Muted and bypassed nodes."""

    def test_what_needs_a_muted_node_goes_with_it(self, machine: Engine) -> None:
        graph = machine.check(HERE / "graphs" / "good" / "muted.json")
        assert set(graph.nodes) == {"one", "sum", "opt"}
        assert graph.left_out == {"two": "'two' is muted", "gone": "'two' is muted"}

    def test_a_wired_setting_needs_its_node(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {
            "one": N("maths.number"),
            "steps": N("maths.number") | {"mode": "mute"},
            "s": N("maths.scale", value="one.int", steps="steps.int"),
        }
        assert "s" in machine.check(workflow(nodes, "one.int")).left_out
        (problem,) = problems_of(machine, workflow(nodes, "s.float"))
        assert str(problem) == "outputs.s: cannot be had, because 'steps' is muted; remove that node's mode"

    def test_asking_for_a_muted_node_names_the_reason(self, machine: Engine) -> None:
        with pytest.raises(Exception, match="gone: cannot run, because 'two' is muted; remove that node's mode"):
            machine.plan(machine.check(HERE / "graphs" / "good" / "muted.json"), ["gone"])

    def test_a_bypassed_node_passes_the_first_input_that_fits(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {
            "w": N("maths.word", {"text": "x"}),
            "one": N("maths.number", {"value": 1}),
            "two": N("maths.number", {"value": 2}),
            "past": N("maths.add", b="two.int", a="one.int") | {"mode": "bypass"},
            "both": N("maths.total", values=["past.int", "two.int"]),
        }
        graph = machine.check(workflow(nodes, "both.int"))
        assert graph.nodes["both"].wires == {"values": (Wire("one", "int"), Wire("two", "int"))}

    def test_a_bypassed_node_changes_no_keys(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {"one": N("maths.number"), "end": N("maths.add", a="one.int")}
        carry_out(machine, workflow(nodes, "end.int"))
        nodes["past"] = N("maths.parity", value="one.int") | {"mode": "bypass"}
        nodes["end"] = N("maths.add", a="past.int")
        report, _ = carry_out(machine, workflow(nodes, "end.int"))
        assert report.ran == 0

    def test_a_bypassed_node_need_be_neither_complete_nor_right(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {
            "one": N("maths.number"),
            "past": N("maths.scale", {"factor": 99}, value="one.int") | {"mode": "bypass"},
            "even": N("maths.even", b="one.int") | {"mode": "bypass"},
            "end": N("maths.add", a="even.int"),
        }
        assert set(machine.check(workflow(nodes, "end.int")).nodes) == {"one", "end"}

    def test_what_comes_past_a_node_must_fit_what_follows(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {
            "one": N("maths.number", {"value": 1}),
            "past": N("maths.scale", value="one.int") | {"mode": "bypass"},
            "w": N("maths.scale", value="past.float"),
        }
        graph = machine.check(workflow(nodes, "w.float"))
        assert graph.nodes["w"].wires["value"] == (Wire("one", "int"),)

    def test_a_muted_node_behind_a_bypassed_one_mutes_what_follows(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {
            "one": N("maths.number") | {"mode": "mute"},
            "past": N("maths.parity", value="one.int") | {"mode": "bypass"},
            "end": N("maths.add", a="past.int"),
            "other": N("maths.number"),
        }
        graph = machine.check(workflow(nodes, "other.int"))
        assert set(graph.nodes) == {"other"}
        assert graph.left_out["end"] == "'one' is muted"

    def test_muting_everything_leaves_nothing_to_do(self, machine: Engine) -> None:
        nodes = {"save": N("probe.save", text="w.str"), "w": N("maths.word", {"text": "x"}) | {"mode": "mute"}}
        (problem,) = problems_of(machine, {"graphgen": 1, "nodes": nodes})
        assert problem.code == "no_target"
        assert "because 'w' is muted" in problem.message


def test_problem_reads_as_one_line() -> None:
    assert str(Problem("x", "a.b", "is wrong", 3, "4", "write 4")) == "a.b: is wrong; allowed: 4; write 4"
    assert str(Problem("x", "", "is wrong")) == "is wrong"
