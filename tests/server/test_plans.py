"""What a run would do, told before it is asked for: each node's state, reasons and seconds, and nothing runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from engine_kit import N, workflow
from pydantic import TypeAdapter
from server.server_kit import Client, serving
from server.test_runs import SUM

from graphgen.jsontypes import JSON
from graphgen.server import shapes

WITHOUT_TORCH = """
import sys
from graphgen.engine import Engine
from graphgen.server.checking import Checker
from graphgen.server.planning import planned
from graphgen.server.requests import Planning
with Engine() as engine:
    document = engine.read("workflows/text_to_image.json").to_json()
    found = planned(Checker(engine, 100), document, Planning(workflow=document))
assert {node["state"] for node in found["nodes"]} == {"run"}, found
assert "torch" not in sys.modules
"""


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with serving(tmp_path) as made:
        yield made


def plan(client: Client, document: object, **more: object) -> dict[str, Any]:
    """Ask for a plan, and look whether the answer has the form that is promised."""
    answer = client.call("POST", "/api/plan", {"workflow": document, **more})
    assert answer.status == 200, answer.body.decode()
    TypeAdapter(shapes.Planned).validate_json(answer.body, strict=True, extra="forbid")
    found: dict[str, Any] = answer.json
    return found


def by_node(found: dict[str, Any]) -> dict[str, tuple[Any, ...]]:
    """A plan's states and reasons, by node."""
    return {
        node["node"]: (node["state"], *((why["kind"], why["about"]) for why in node["because"]))
        for node in found["nodes"]
    }


def test_what_is_stale_is_told_with_what_made_it_so(client: Client) -> None:
    first = plan(client, SUM, identity="tab")
    assert by_node(first) == {"two": ("run", ("first", None)), "sum": ("run", ("first", None))}
    assert (first["to_run"], first["cached"], first["compared"]) == (2, 0, None)
    assert first["unknown"] == ["sum"]  # numbers cost nothing
    ran = client.wait(client.submit(SUM, identity="tab")["id"])
    again = plan(client, SUM, identity="tab")
    assert by_node(again) == {"two": ("not needed",), "sum": ("cached",)}
    assert ran["ended"] - 60 < again["compared"] < ran["ended"] + 60
    (_, total) = plan(client, SUM, parameters={"extra": 7}, identity="tab")["nodes"]
    parts = {"before": "1", "after": "7"}
    assert total["because"] == [{"kind": "setting", "words": "extra: 1 -> 7", "about": "extra", "parts": parts}]
    assert total["seconds"] >= 0
    three = workflow(
        {"two": N("maths.number", {"value": 3}), "sum": N("maths.add", {"extra": 1}, a="two.int")}, "sum.int"
    )
    changed = plan(client, three, identity="tab")
    assert by_node(changed) == {"two": ("run", ("setting", "value")), "sum": ("run", ("upstream", "two"))}
    assert (changed["unknown"], changed["to_run"]) == ([], 2)


def test_a_saved_workflow_is_compared_by_its_name_and_others_with_nothing(client: Client) -> None:
    client.call("PUT", "/api/workflows/sum", SUM)
    client.wait(client.submit("sum", parameters={"extra": 1})["id"])
    assert by_node(plan(client, "sum", parameters={"extra": 2}))["sum"] == ("run", ("setting", "extra"))
    assert by_node(plan(client, SUM, parameters={"extra": 2}, identity="sum"))["sum"] == ("run", ("setting", "extra"))
    nobody = plan(client, SUM, parameters={"extra": 2})
    assert (by_node(nobody)["sum"], nobody["compared"]) == (("run", ("first", None)), None)


def test_targets_and_forced_nodes_are_heeded_and_nothing_runs(client: Client) -> None:
    assert list(by_node(plan(client, SUM, targets=["two"]))) == ["two"]
    client.wait(client.submit(SUM)["id"])
    found = by_node(plan(client, SUM, force=["two"]))
    assert found["two"] == ("run", ("forced", None), ("first", None))
    assert found["sum"][0] == "may run"
    assert len(client.get("/api/runs").json["runs"]) == 1


def test_what_cannot_run_is_told_why(client: Client) -> None:
    muted = workflow({"two": N("maths.number"), "more": {"type": "maths.number", "mode": "mute"}}, "two.int")
    assert list(plan(client, muted)["left_out"]) == ["more"]
    wrong = client.call("POST", "/api/plan", {"workflow": SUM, "parameters": {"extr": 1}})
    assert (wrong.status, wrong.kind) == (422, "invalid-workflow")
    assert [problem["place"] for problem in wrong.json["problems"]] == ["extr"]
    assert client.call("POST", "/api/plan", {"workflow": SUM, "targets": ["none"]}).status == 422
    assert client.call("POST", "/api/plan", {"workflow": "none"}).status == 404
    assert client.call("POST", "/api/plan", {"workflow": SUM, "sweep": {}}).kind == "invalid-body"


def test_a_plan_of_models_needs_no_torch(tmp_path: Path) -> None:
    environment = {f"GRAPHGEN_{root}_DIR": str(tmp_path / root.lower()) for root in ("CACHE", "DATA", "OUTPUTS")}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH],
        cwd=Path(__file__).parents[2],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_of_a_workflow_that_is_half_built_what_is_in_order_is_planned(client: Client) -> None:
    client.wait(client.submit(SUM, identity="tab")["id"])
    half: dict[str, JSON] = {
        "two": N("maths.number", {"value": 2}),
        "sum": N("maths.add", {"extra": 7}, a="two.int"),
        "loose": N("maths.add"),
        "below": N("maths.add", a="loose.int"),
        "strange": {"type": "no.such", "inputs": {"x": "sum.int"}},
        "form": {"type": 7},
        "many": N("maths.total", values=["two.int", "below.int"]),
        "muted": {"type": "maths.number", "settings": {"value": 4}, "mode": "mute"},
        "silent": N("maths.add", a="muted.int"),
    }
    document = {**workflow(half, "below.int"), "parameters": {**_sets("sum.extra"), **_sets("loose.extra")}}
    found = plan(client, document, parameters={"sum": 9}, identity="tab")
    assert {problem["place"].removeprefix("nodes.") for problem in found["problems"]} == {
        "loose.a",
        "strange",
        "form.type",
    }
    assert by_node(found) == {"two": ("cached",), "sum": ("run", ("setting", "extra"))}
    assert set(found["left_out"]) == {"muted", "silent"}
    assert by_node(plan(client, document, targets=["two", "below"])).keys() == {"two"}
    only_wrong = workflow({"loose": N("maths.add")}, "loose.int")
    assert client.call("POST", "/api/plan", {"workflow": only_wrong}).status == 422


def test_nodes_without_an_output_of_the_workflow_are_planned_too(client: Client) -> None:
    found = plan(client, {"graphgen": 1, "nodes": {"two": {"type": "maths.number"}}})
    assert [problem["code"] for problem in found["problems"]] == ["no_target"]
    assert list(by_node(found)) == ["two"]


def _sets(target: str) -> dict[str, Any]:
    return {target.partition(".")[0]: {"sets": [target]}}
