"""Plans: what takes part in keys and what does not, what is looked at, and that it stays linear."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from engine_kit import N, carry_out, engine, registry, workflow
from packs import maths, probe

from graphgen import DeviceInfo
from graphgen.cache import Result
from graphgen.engine import Engine, Source
from graphgen.errors import WorkflowError
from graphgen.jsontypes import JSON
from graphgen.plan import Plan, make_plan
from graphgen.plugins import Plugin
from graphgen.recipe import Recipe
from graphgen.registry import Registry, build_registry


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Engine]:
    with engine(tmp_path) as made:
        yield made


def key_of(machine: Engine, node: JSON, *, device: DeviceInfo | None = None) -> str | None:
    nodes = {"one": N("maths.number", {"value": 1}), "x": node}
    graph = machine.check(workflow(nodes, "one.int"))
    return make_plan(graph, None, device or machine.device, machine.path_of, ["x"]).keys["x"]


def with_spec(**changes: object) -> Registry:
    """The registry with `maths.scale` changed."""
    made = registry()
    return replace(made, nodes={**made.nodes, "maths.scale": replace(made.nodes["maths.scale"], **changes)})  # type: ignore[arg-type]


class TestKeys:
    """What takes part in a key."""

    def test_settings_do_however_they_are_written(self, machine: Engine) -> None:
        base = key_of(machine, N("maths.scale", {"factor": 2, "steps": 7}, value="one.int"))
        assert base == key_of(machine, N("maths.scale", {"steps": 7.0, "factor": 2.0}, value="one.int"))
        assert base == key_of(machine, N("maths.scale", {"steps": 7, "factor": 2, "exact": False}, value="one.int"))
        assert base != key_of(machine, N("maths.scale", {"factor": 2, "steps": 8}, value="one.int"))

    def test_wires_do(self, machine: Engine) -> None:
        keys = {
            key_of(machine, N("maths.add", a="one.int")),
            key_of(machine, N("maths.add", a="one.int", b="one.int")),
            key_of(machine, N("maths.total", values=["one.int"])),
            key_of(machine, N("maths.total", values=["one.int", "one.int"])),
            key_of(machine, N("maths.scale", value="one.int")),
            key_of(machine, N("maths.scale", value="one.int", steps="one.int")),
        }
        assert len(keys) == 6

    def test_names_do_not(self, machine: Engine) -> None:
        first = machine.plan(machine.check(workflow({"a": N("maths.number"), "b": N("maths.add", a="a.int")}, "b.int")))
        other = machine.plan(machine.check(workflow({"x": N("maths.number"), "y": N("maths.add", a="x.int")}, "y.int")))
        assert list(first.keys.values()) == list(other.keys.values())

    @pytest.mark.parametrize("changes", [{"version": 2}, {"source": "abc"}])
    def test_the_nodes_version_and_source_do(self, tmp_path: Path, machine: Engine, changes: dict[str, object]) -> None:
        scale = N("maths.scale", value="one.int")
        with engine(tmp_path / "other", installed=with_spec(**changes)) as other:
            assert key_of(other, scale) != key_of(machine, scale)
            assert key_of(other, N("maths.add", a="one.int")) == key_of(machine, N("maths.add", a="one.int"))

    def test_the_device_and_its_precision_do_for_nodes_that_run_there_alone(self, machine: Engine) -> None:
        devices = [
            DeviceInfo("cpu", "float32"),
            DeviceInfo("cuda:0", "float16"),
            DeviceInfo("cuda:1", "float16"),
            DeviceInfo("cuda:0", "bfloat16"),
        ]
        gpu = [key_of(machine, N("probe.where"), device=device) for device in devices]
        assert len(set(gpu)) == 3
        assert gpu[1] == gpu[2], "one card is as good as another"
        assert len({key_of(machine, N("maths.add", a="one.int"), device=device) for device in devices}) == 1

    def test_there_are_none_below_an_impure_node(self, machine: Engine) -> None:
        nodes = {"now": N("probe.clock"), "below": N("maths.add", a="now.int")}
        plan = machine.plan(machine.check(workflow(nodes, "below.int")))
        assert plan.keys == {"now": None, "below": None}
        assert [plan.state(name) for name in plan.keys] == ["run", "may run"]

    def test_whatever_a_fingerprint_holds_keys_stay_apart(self) -> None:
        first = Recipe("a.b", 1, None, "{}", "", "x").key("s=1")
        other = Recipe("a.b", 1, None, "{}", "", "x\ns=1").key("")
        assert first != other


class TestDemand:
    """What is looked at."""

    def test_what_lies_above_a_cached_node_is_not_looked_up(self, machine: Engine) -> None:
        nodes: dict[str, JSON] = {"n0": N("maths.number", {"value": 1})}
        nodes |= {f"n{i}": N("maths.add", {"extra": 1}, a=f"n{i - 1}.int") for i in range(1, 5)}
        source = workflow(nodes, "n4.int")
        carry_out(machine, source)
        asked: list[str] = []

        class Watching:
            def fetch(self, key: str) -> Result | None:
                asked.append(key)
                return machine.cache.fetch(key)

            def among(self, keys: Sequence[str]) -> set[str]:
                raise AssertionError(f"nothing else is asked for: {keys}")

        plan = make_plan(machine.check(source), Watching(), machine.device, machine.path_of)
        assert asked == [plan.keys["n4"]]
        assert states(plan) == {
            "n0": "not needed",
            "n1": "not needed",
            "n2": "not needed",
            "n3": "not needed",
            "n4": "cached",
        }

    def test_after_a_miss_all_the_rest_is_looked_up_at_once(self, machine: Engine) -> None:
        def source(*, last: int) -> dict[str, JSON]:
            nodes: dict[str, JSON] = {"n0": N("maths.number", {"value": 1})}
            nodes |= {f"n{i}": N("maths.add", {"extra": 1}, a=f"n{i - 1}.int") for i in range(1, 5)}
            return workflow({**nodes, "last": N("maths.add", {"extra": last}, a="n4.int")}, "last.int")

        carry_out(machine, source(last=1))
        asked: list[str] = []
        questions: list[Sequence[str]] = []

        class Watching:
            def fetch(self, key: str) -> Result | None:
                asked.append(key)
                return machine.cache.fetch(key)

            def among(self, keys: Sequence[str]) -> set[str]:
                questions.append(keys)
                return machine.cache.among(keys)

        plan = make_plan(machine.check(source(last=2)), Watching(), machine.device, machine.path_of)
        assert states(plan)["n4"] == "cached"
        assert asked == [plan.keys["last"], plan.keys["n4"]]
        assert len(questions) == 1
        assert set(questions[0]) == set(plan.keys.values())

    def test_unknown_targets_are_told_at_once_and_those_inside_subgraphs_are_known(self, machine: Engine) -> None:
        inside: JSON = {"nodes": {"one": N("maths.number")}, "outputs": {"int": {"from": "one.int"}}}
        nodes = {"use": N("subgraph.inner"), "two": N("maths.number", {"value": 2})}
        graph = machine.check(workflow(nodes, "use.int", "two.int", subgraphs={"inner": inside}))
        assert list(machine.plan(graph, ["use/one"]).keys) == ["use/one"]
        with pytest.raises(WorkflowError) as caught:
            machine.plan(graph, ["use/on", "twoo", "two"])
        assert [problem.place for problem in caught.value.problems] == ["use/on", "twoo"]

    def test_targets_may_be_chosen_and_nodes_forced(self, machine: Engine) -> None:
        nodes = {"one": N("maths.number"), "two": N("maths.add", a="one.int"), "three": N("maths.add", a="two.int")}
        source = workflow(nodes, "three.int")
        carry_out(machine, source)
        assert states(machine.plan(machine.check(source), ["two"])) == {"one": "not needed", "two": "cached"}
        forced = machine.plan(machine.check(source), force=["three"])
        assert states(forced)["three"] == "run"

    def test_an_unknown_target_is_a_problem(self, machine: Engine) -> None:
        graph = machine.check(workflow({"one": N("maths.number")}, "one.int"))
        with pytest.raises(WorkflowError) as caught:
            machine.plan(graph, ["on", "one"])
        assert str(caught.value) == "on: no node is named 'on'; allowed: one; did you mean 'one'?"

    def test_a_file_that_is_not_there_is_a_problem_before_anything_runs(self, machine: Engine) -> None:
        graph = machine.check(workflow({"r": N("probe.read", {"path": "nowhere.txt"})}, "r.str"))
        with pytest.raises(WorkflowError, match=r"r\.path: there is no 'nowhere\.txt' in inputs"):
            machine.plan(graph)

    def test_a_path_is_told_with_its_setting_what_is_there_and_the_cure(self, machine: Engine) -> None:
        (machine.config.roots.inputs / "there.txt").write_text("x")
        graph = machine.check(workflow({"r": N("probe.read", {"path": "their.txt"})}, "r.str"))
        with pytest.raises(WorkflowError) as caught:
            machine.plan(graph)
        assert [problem.to_json() for problem in caught.value.problems] == [
            {
                "code": "bad_path",
                "place": "r.path",
                "message": "there is no 'their.txt' in inputs",
                "value": "their.txt",
                "allowed": "there.txt",
                "cure": "did you mean 'there.txt'?",
            }
        ]

    def test_effect_nodes_are_targets_without_being_outputs(self, machine: Engine) -> None:
        nodes = {"w": N("maths.word", {"text": "x"}), "s": N("probe.save", text="w.str"), "o": N("maths.number")}
        assert machine.check(workflow(nodes, "o.int")).targets == ("o", "s")


def test_planning_is_linear_in_the_number_of_nodes(machine: Engine) -> None:
    """Count steps instead of time: four times the nodes take about four times the work."""

    def steps(length: int) -> int:
        nodes: dict[str, JSON] = {"n0": N("maths.number")}
        for index in range(1, length):
            nodes[f"n{index}"] = N("maths.add", a=f"n{index - 1}.int", b=f"n{index // 2}.int")
        source = workflow(nodes, f"n{length - 1}.int")
        return _count_calls(lambda: machine.plan(machine.check(source)))

    small, large = steps(250), steps(1000)
    assert large < 4.5 * small


def _count_calls(act: Callable[[], object]) -> int:
    import sys

    count = 0

    def trace(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    before = sys.getprofile()
    sys.setprofile(trace)
    try:
        act()
    finally:
        sys.setprofile(before)
    return count


def states(plan: Plan) -> dict[str, str]:
    return {name: plan.state(name) for name in plan.recipes}


def test_sources_of_other_shapes_plan_alike(machine: Engine, tmp_path: Path) -> None:
    import json

    document = workflow({"one": N("maths.number")}, "one.int")
    (tmp_path / "w.json").write_text(json.dumps(document))
    sources: list[Source] = [document, machine.read(document), tmp_path / "w.json", str(tmp_path / "w.json")]
    assert len({machine.plan(machine.check(source)).keys["one"] for source in sources}) == 1


def test_the_packs_are_the_ones_of_the_tests() -> None:
    assert not build_registry([Plugin("maths", maths), Plugin("probe", probe)]).broken
